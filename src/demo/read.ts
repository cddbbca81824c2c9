/** A read of one table: which rows, in which order, until where, as chunks of JSON. */
import type { BlockCache } from './blocks.ts';
import type { Database } from './database.ts';
import { compileEncoder, type JsonForm, type RowEncoder } from './encode.ts';
import { bindFilter } from './filter-eval.ts';
import { hashText, unit } from './hash.ts';
import {
  type Continuation,
  drawOf,
  type Extent,
  extentOf,
  lastPage,
  nextPage,
  type Resume,
  readToken,
} from './paging.ts';
import type { Personality } from './personality.ts';
import type { Query } from './query.ts';
import { badRequest } from './refusal.ts';
import type { Rights } from './rights.ts';
import type { RowRef, Step, TableData } from './table.ts';
import { candidates, heaped, rowsOf, shuffled, type Walk } from './walk.ts';

export interface ReadRequest {
  readonly db: Database;
  readonly table: TableData;
  readonly query: Query;
  readonly personality: Personality;
  readonly rights: Rights;
  readonly form: JsonForm;
  readonly blocks: BlockCache;
  readonly seed: number;
  /** Grows with each request. */
  readonly serial: number;
}

export interface ReadPlan {
  readonly encoder: RowEncoder;
  /** Names as selected, or null. */
  readonly selected: readonly string[] | null;
  /** Rows as JSON, each with a comma before it; returns what follows when the rows of this response are out. */
  chunks(): Generator<Buffer, Ending>;
  /** Rows that the filter and the rights let through, whatever the answers are cut to. */
  count(): number;
}

/** Rows encoded one by one are sent in chunks of this size. */
const CHUNK_BYTES = 64 * 1024;

/** Checks a request against a table and plans its read. Throws a refusal. */
export function planRead(request: ReadRequest): ReadPlan {
  const { db, table, query, personality, rights } = request;
  const selected = query.select;
  const columns = (selected ?? table.columns.map((column) => column.name).filter((name) => name !== '')).map((name) => {
    const index = table.columns.findIndex((column) => column.name === name);
    if (index < 0 || name === '') throw badRequest(`Table ${table.name} has no column ${name}.`, 'InvalidSelect');
    return index;
  });
  // All that can be refused is refused here, before a byte is sent.
  const resume = query.skipToken === null ? null : readToken(table, query.skipToken);
  const sortColumn = query.orderby === null ? -1 : sortableColumn(table, query.orderby.column);
  const encoder = compileEncoder({ table, columns, form: request.form, rights });
  const filter = bindFilter(db, table, query.filter, personality);
  const visible = visibility(table, rights);
  const passes = filter.test;
  const test = passes === null ? visible : visible === null ? passes : (row: RowRef) => visible(row) && passes(row);
  const draw = drawOf(request.seed, request.serial);
  const descending = query.orderby?.descending === true;
  const walk: Omit<Walk, 'resume' | 'sortColumn'> = { table, personality, key: filter.key, descending };
  const rows = () => {
    if (resume?.empty === true) return [];
    const found = candidates({ ...walk, resume, sortColumn });
    if (sortColumn >= 0) return found;
    if (personality.rowOrder === 'heap') return heaped(table, found);
    return personality.rowOrder === 'random' ? shuffled(table, found, draw) : found;
  };
  const sendable = beforeRow(table, personality);
  const sent = test === null ? sendable : sendable === null ? test : (row: RowRef) => sendable(row) && test(row);
  const whole = extentOf(query, personality, rights, resume?.rows ?? query.skip, draw);
  return {
    encoder,
    selected,
    chunks() {
      const extent = whole.share < 1 ? shareOf(whole, available(table, rows(), sent, query.skip)) : whole;
      return encodeRows({ request, encoder, test: sent, steps: rows(), resume, extent });
    },
    count() {
      if (test === null && filter.key.among === null) return table.count;
      let count = 0;
      for (const step of candidates({ ...walk, resume: null, sortColumn: -1 })) {
        for (const row of rowsOf(table, step)) if (test === null || test(row)) count++;
      }
      return count;
    },
  };
}

function sortableColumn(table: TableData, name: string): number {
  const index = table.columns.findIndex((column) => column.name === name);
  const column = table.columns[index];
  if (column === undefined || !(column.sortable || column.pk > 0)) {
    throw badRequest(`Table ${table.name} cannot be sorted by ${name}.`, 'InvalidOrder');
  }
  return index;
}

/** What came out: how many rows, and what follows them. */
export interface Ending {
  readonly rows: number;
  readonly continuation: Continuation;
}

interface RowSource {
  readonly request: ReadRequest;
  readonly encoder: RowEncoder;
  readonly test: ((row: RowRef) => boolean) | null;
  readonly steps: Iterable<Step>;
  readonly resume: Resume | null;
  readonly extent: Extent;
}

function* encodeRows({ request, encoder, test, steps, resume, extent }: RowSource): Generator<Buffer, Ending> {
  const { query, blocks } = request;
  const { limit, linkAt, bytes } = extent;
  const before = resume?.rows ?? query.skip;
  const chain = { ...request, resume };
  let toSkip = query.skip;
  let sent = 0;
  let length = 0;
  let last: number | null = null;
  let pending: string[] = [];
  let pendingLength = 0;
  const flush = () => {
    const chunk = Buffer.from(pending.join(''));
    pending = [];
    pendingLength = 0;
    return chunk;
  };
  /** The answer is full, and a row remains. */
  const full = (): Ending => ({
    rows: sent,
    continuation: sent >= linkAt ? nextPage(chain, last ?? -1, before + sent, sent) : lastPage(chain),
  });
  for (const step of steps) {
    if (step.kind === 'clean' && test === null && sent < limit && bytes === Number.POSITIVE_INFINITY) {
      const skipped = Math.min(toSkip, step.to - step.from);
      toSkip -= skipped;
      const from = step.from + skipped;
      const to = Math.min(step.to, from + (limit - sent));
      if (to > from) {
        if (pendingLength > 0) yield flush();
        yield blocks.slice(encoder, from, to);
        sent += to - from;
        last = to - 1;
      }
      if (to === step.to) continue;
      return full();
    }
    for (const row of rowsOf(request.table, step)) {
      if (test !== null && !test(row)) continue;
      if (toSkip > 0) {
        toSkip--;
        continue;
      }
      const text = sent >= limit ? '' : encoder.encode(row);
      if (text !== '' && bytes < Number.POSITIVE_INFINITY) length += Buffer.byteLength(text);
      if (text === '' || (sent > 0 && length > bytes)) {
        if (pendingLength > 0) yield flush();
        return full();
      }
      pending.push(text);
      pendingLength += text.length;
      sent++;
      last = row.ordinal;
      if (pendingLength >= CHUNK_BYTES) yield flush();
    }
  }
  if (pendingLength > 0) yield flush();
  return { rows: sent, continuation: lastPage(chain) };
}

/** Rows that an answer would hold if nothing limited it. */
function available(
  table: TableData,
  steps: Iterable<Step>,
  test: ((row: RowRef) => boolean) | null,
  skip: number,
): number {
  let rows = -skip;
  for (const step of steps) for (const row of rowsOf(table, step)) if (test === null || test(row)) rows++;
  return Math.max(0, rows);
}

/** The extent of an answer that holds a share of its rows, rounded down. */
function shareOf(extent: Extent, rows: number): Extent {
  const limit = Math.floor(Math.min(extent.limit, rows) * extent.share);
  return { ...extent, limit, linkAt: Number.POSITIVE_INFINITY };
}

/** With a cut at a row of the table: is this row before it? Null where every row may be sent. */
function beforeRow(table: TableData, { cut, guidOrder }: Personality): ((row: RowRef) => boolean) | null {
  if (cut === null || !('lastRow' in cut)) return null;
  if (table.keys.length === 0) return (row) => row.ordinal < cut.lastRow;
  return (row) => table.rank(table.keyOf(row.ordinal), guidOrder, false) < cut.lastRow;
}

/** Rows that the rights hide are as if they were not there. */
function visibility(table: TableData, rights: Rights): ((row: RowRef) => boolean) | null {
  const share = rights.hiddenRows[table.name] ?? rights.hiddenRows['*'] ?? 0;
  if (share <= 0) return null;
  const salt = hashText(table.name, 4242);
  return (row) => unit(salt, row.ordinal) >= share;
}
