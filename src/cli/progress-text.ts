/** Progress as text: bars for a terminal, one line for a log. Pure. */

import { count } from '../core/words.ts';
import { bytes, duration } from './format.ts';
import { type ProgressState, ratesOf, type TableProgress } from './progress-state.ts';

/** Tables shown with a bar of their own. */
const MAX_TABLE_BARS = 8;

const BAR_CELLS = 24;

/** The live block: the whole run, each table being read, and why it waits. */
export function progressBlock(state: ProgressState, now: number, width: number): string[] {
  const ended = state.tablesDone + state.tablesFailed;
  const share = known(state) ? state.rows / (state.rowsExpected ?? 1) : ended / Math.max(1, state.tables);
  if (state.tables === 0) return [cut(`${headline(state)}, ${duration(now - state.startedAt)} gone`, width)];
  // All tables begin at once and wait for their turn; those that have rows are at work.
  const atWork = [...state.running.values()].filter(({ rows }) => rows > 0);
  const shown = atWork.slice(0, MAX_TABLE_BARS);
  const nameCells = Math.min(40, Math.max(...shown.map(({ name }) => name.length), 0));
  const lines = [
    `${bar(share)} ${headline(state)}`,
    `${' '.repeat(BAR_CELLS)} ${speedline(state, now)}`,
    ...shown.map((table) => `  ${tableLine(table, nameCells)}`),
  ];
  if (atWork.length > shown.length) lines.push(`  and ${atWork.length - shown.length} more`);
  const waiting = waitline(state, now);
  if (waiting !== null) lines.push(waiting);
  return lines.map((line) => cut(line, width));
}

/** One line for logs and pipes. */
export function progressLine(state: ProgressState, now: number): string {
  const parts = [headline(state), speedline(state, now), waitline(state, now)];
  return parts.filter((part) => part !== null && part !== '').join(', ');
}

/** Is the number of rows to come known, as far as one can tell by now? */
function known(state: ProgressState): boolean {
  return state.rowsExpected !== null && state.rowsExpected > 0 && state.rows <= state.rowsExpected;
}

function headline(state: ProgressState): string {
  if (state.tables === 0) return 'opening the instance and the vault';
  const ended = state.tablesDone + state.tablesFailed;
  const failed = state.tablesFailed === 0 ? '' : ` (${count(state.tablesFailed)} failed)`;
  const expected = known(state) ? ` of ${count(state.rowsExpected ?? 0)}` : '';
  return `${count(ended)} of ${count(state.tables)} tables${failed}, ${count(state.rows)}${expected} rows`;
}

function speedline(state: ProgressState, now: number): string {
  const { rowsPerSecond, bytesPerSecond, leftMs } = ratesOf(state, now);
  const parts = [
    `${bytes(bytesPerSecond)}/s`,
    `${count(Math.round(rowsPerSecond))} rows/s`,
    `${state.inFlight} of ${state.limit} requests in flight`,
    `${duration(now - state.startedAt)} gone`,
  ];
  if (leftMs !== null) parts.push(`about ${duration(leftMs)} left`);
  return parts.join(', ');
}

function waitline(state: ProgressState, now: number): string | null {
  if (state.wait === null || state.wait.until <= now) return null;
  return `waiting ${duration(state.wait.until - now)}: ${state.wait.reason}`;
}

function tableLine(table: TableProgress, nameCells: number): string {
  const name = cut(table.name, nameCells).padEnd(nameCells);
  if (!table.rowsExpected) return `${name} ${' '.repeat(BAR_CELLS)} ${count(table.rows)} rows`;
  return `${name} ${bar(table.rows / table.rowsExpected)} ${count(table.rows)} of ${count(table.rowsExpected)} rows`;
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return '█'.repeat(full) + '░'.repeat(BAR_CELLS - full);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
