/** What a person watching a run knows: run events folded into numbers. Pure; times are passed in. */
import type { RunEvent } from '../core/events.ts';
import { NO_WAITS, type Waits, waitsAfter } from './waits.ts';

export interface TableProgress {
  readonly name: string;
  /** Those that the run that is continued had read are among them. */
  readonly rows: number;
  readonly rowsBefore: number;
  readonly rowsExpected: number | null;
}

/** Rows and bytes of the whole run at one moment, for the rate. */
interface Sample {
  readonly at: number;
  readonly rows: number;
  readonly bytes: number;
}

export interface ProgressState {
  readonly startedAt: number;
  /** What is done now, where that is no reading of tables. */
  readonly doing: string;
  readonly tables: number;
  /** By name; those that an unfinished run had read to their end are among them, until they are read anew. */
  readonly done: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
  /** Of the whole snapshot: those that an unfinished run had read count from the beginning. */
  readonly rows: number;
  readonly bytes: number;
  readonly rowsExpected: number | null;
  /** Begun and not yet ended, in the order they began. */
  readonly running: ReadonlyMap<string, TableProgress>;
  readonly inFlight: number;
  readonly limit: number;
  readonly waits: Waits;
  /** When the last rows came. */
  readonly movedAt: number;
  /** Oldest first, not older than the window. */
  readonly samples: readonly Sample[];
}

/** The rate is that of the last 15 seconds. */
const WINDOW_MS = 15_000;

const SAMPLE_EVERY_MS = 500;

/** Of a shorter time a rate says nothing about the time left. */
const MEASURED_MS = 3_000;

/** Where no rows have come for longer, nobody can tell the time left. */
const STILL_MS = 5_000;

export function initialProgress(now: number): ProgressState {
  return {
    startedAt: now,
    doing: 'opening the instance',
    tables: 0,
    done: new Set(),
    failed: new Set(),
    rows: 0,
    bytes: 0,
    rowsExpected: null,
    running: new Map(),
    inFlight: 0,
    limit: 0,
    waits: NO_WAITS,
    movedAt: now,
    samples: [{ at: now, rows: 0, bytes: 0 }],
  };
}

export function advance(state: ProgressState, event: RunEvent, now: number): ProgressState {
  switch (event.type) {
    case 'doing':
      return { ...state, doing: event.what };
    case 'continued':
      return measuredFrom({ ...state, done: new Set(event.tablesDone), rows: event.rows }, now);
    case 'planned':
      // The rate is that of reading: the time until then says nothing of it.
      return { ...measuredFrom(state, now), tables: event.tables, rowsExpected: event.rowsExpected };
    case 'tableStarted': {
      const table = { name: event.table, rows: event.rows, rowsBefore: event.rows, rowsExpected: event.rowsExpected };
      return { ...state, running: new Map(state.running).set(event.table, table) };
    }
    case 'progress':
      return withSample(
        {
          ...state,
          done: without(state.done, event.table),
          movedAt: now,
          rows: state.rows + event.rows,
          bytes: state.bytes + event.bytes,
          running: withRows(state.running, event.table, event.rows),
        },
        now,
      );
    case 'tableDone':
      return { ...ended(state, event.table), done: new Set(state.done).add(event.table) };
    case 'tableFailed':
      return { ...ended(state, event.table), failed: new Set(state.failed).add(event.table) };
    case 'inFlight':
      return { ...state, inFlight: event.requests, limit: event.limit };
    case 'wait':
    case 'spaced':
    case 'request':
    case 'retry':
      return { ...state, waits: waitsAfter(state.waits, event, now) };
    case 'log':
    case 'warning':
    case 'notContinued':
      return state;
  }
}

export interface Rates {
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Milliseconds until the end at this rate; null where it cannot be told. */
  readonly leftMs: number | null;
}

export function ratesOf(state: ProgressState, now: number): Rates {
  const base = state.samples.find(({ at }) => at >= now - WINDOW_MS);
  const seconds = base === undefined ? 0 : (now - base.at) / 1000;
  if (base === undefined || seconds <= 0) return { rowsPerSecond: 0, bytesPerSecond: 0, leftMs: null };
  const rowsPerSecond = (state.rows - base.rows) / seconds;
  const bytesPerSecond = (state.bytes - base.bytes) / seconds;
  const rowsLeft = state.rowsExpected === null ? null : state.rowsExpected - state.rows;
  const measured = seconds * 1000 >= MEASURED_MS && now - state.movedAt <= STILL_MS;
  const unknown = rowsLeft === null || rowsLeft <= 0 || rowsPerSecond <= 0 || !measured;
  const leftMs = unknown ? null : (rowsLeft / rowsPerSecond) * 1000;
  return { rowsPerSecond, bytesPerSecond, leftMs };
}

function measuredFrom(state: ProgressState, now: number): ProgressState {
  return { ...state, samples: [{ at: now, rows: state.rows, bytes: state.bytes }] };
}

function withSample(state: ProgressState, now: number): ProgressState {
  const last = state.samples.at(-1);
  if (last !== undefined && now - last.at < SAMPLE_EVERY_MS) return state;
  const fresh = state.samples.filter(({ at }) => at >= now - WINDOW_MS);
  return { ...state, samples: [...fresh, { at: now, rows: state.rows, bytes: state.bytes }] };
}

function withRows(running: ProgressState['running'], name: string, rows: number): ProgressState['running'] {
  const table = running.get(name);
  if (table === undefined) return running;
  return new Map(running).set(name, { ...table, rows: table.rows + rows });
}

/** Whatever became of the table before: it may be read anew. */
function ended(state: ProgressState, name: string): ProgressState {
  const running = new Map(state.running);
  running.delete(name);
  return { ...state, running, done: without(state.done, name), failed: without(state.failed, name) };
}

function without(names: ReadonlySet<string>, name: string): ReadonlySet<string> {
  return names.has(name) ? new Set([...names].filter((each) => each !== name)) : names;
}
