/** A read of one table: which rows, in which order, until where, as chunks of JSON. */
import { createHash } from 'node:crypto';
import type { BlockCache } from './blocks.ts';
import type { Database } from './database.ts';
import { compileEncoder, type JsonForm, type RowEncoder } from './encode.ts';
import { bindFilter } from './filter-eval.ts';
import { hashText, unit } from './hash.ts';
import type { Value } from './model.ts';
import type { Personality } from './options.ts';
import { compareKeys, compareValues } from './order.ts';
import type { Query } from './query.ts';
import { badRequest } from './refusal.ts';
import type { Rights } from './rights.ts';
import { type Place, type RowRef, START, type TableData } from './table.ts';

export interface ReadRequest {
  readonly db: Database;
  readonly table: TableData;
  readonly query: Query;
  readonly personality: Personality;
  readonly rights: Rights;
  readonly form: JsonForm;
  readonly blocks: BlockCache;
}

export interface ReadPlan {
  readonly encoder: RowEncoder;
  /** Names as selected, or null. */
  readonly selected: readonly string[] | null;
  /** Rows as JSON, each with a comma before it; returns what follows when the rows of this response are out. */
  chunks(): Generator<Buffer, Continuation>;
  /** Rows that the filter and the rights let through. */
  count(): number;
}

/** The query text of the next page, or null at the end. */
export type Continuation = string | null;

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
  const rows = () => candidates({ request, key: filter.key, resume, sortColumn });
  return {
    encoder,
    selected,
    chunks: () => encodeRows(request, encoder, test, rows(), resume?.rows ?? query.skip),
    count() {
      if (test === null && filter.key.among === null) return table.count;
      let count = 0;
      for (const step of candidates({ request, key: filter.key, resume: null, sortColumn: -1 })) {
        for (const row of rowsOf(table, step)) if (test === null || test(row)) count++;
      }
      return count;
    },
  };
}

type Candidate =
  | { readonly kind: 'clean'; readonly from: number; readonly to: number }
  | { readonly kind: 'row'; readonly row: RowRef };

function* rowsOf(table: TableData, step: Candidate): Generator<RowRef> {
  if (step.kind === 'row') {
    yield step.row;
    return;
  }
  for (let position = step.from; position < step.to; position++) {
    const row = table.rowAt(position, 'sql');
    if (row !== undefined) yield row;
  }
}

/** Where a page begins. */
interface Resume {
  /** Rows sent before it. */
  readonly rows: number;
  /** Key of the last of them. */
  readonly key: readonly Value[];
}

interface Walk {
  readonly request: ReadRequest;
  readonly key: { readonly ge: Value; readonly le: Value; readonly among: readonly Value[] | null };
  readonly resume: Resume | null;
  /** Position of the column of `$orderby`, or -1. */
  readonly sortColumn: number;
}

/** The rows that can pass, from the page's beginning on, in the order of this response. */
function* candidates(walk: Walk): Generator<Candidate> {
  const { key, sortColumn } = walk;
  const { table, personality } = walk.request;
  const by = personality.guidOrder;
  if (sortColumn >= 0) {
    yield* sorted(walk.request, sortColumn);
    return;
  }
  const resume = walk.resume?.key ?? null;
  if (key.among !== null && table.keys[0]?.guids != null) {
    const found = key.among.filter(
      (value) => value !== null && (resume === null || compareKeys([value], resume, by) > 0),
    );
    found.sort((a, b) => compareValues(a, b, by));
    for (const value of new Set(found)) {
      const row = table.find(value);
      if (row !== undefined) yield { kind: 'row', row };
    }
    return;
  }
  if (personality.rowOrder === 'any' && personality.nextLink === 'none') {
    yield* scattered(table);
    return;
  }
  let place: Place = START;
  if (resume !== null) place = table.placeAt(resume, by, false);
  else if (key.ge !== null) place = table.placeAt([key.ge], by, true);
  const end = key.le === null ? table.size : table.rank([key.le], by, true);
  for (;;) {
    const found = table.next(place, end, by);
    if (found === undefined) return;
    if (
      found.step.kind === 'row' &&
      key.le !== null &&
      compareKeys(table.keyOf(found.step.row.ordinal), [key.le], by) > 0
    )
      return;
    yield found.step;
    place = found.rest;
  }
}

/** All rows in an order that has nothing to do with the key. */
function* scattered(table: TableData): Generator<Candidate> {
  let stride = Math.floor(table.size * 0.618) | 1;
  while (gcd(stride, table.size) > 1) stride += 2;
  for (const ordinal of table.insertedOrdinals()) {
    const row = table.rowOf(ordinal);
    if (row !== undefined) yield { kind: 'row', row };
  }
  for (let i = 0; i < table.size; i++) {
    const row = table.rowOf((i * stride) % table.size);
    if (row !== undefined) yield { kind: 'row', row };
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function sortableColumn(table: TableData, name: string): number {
  const index = table.columns.findIndex((column) => column.name === name);
  const column = table.columns[index];
  if (column === undefined || !(column.sortable || column.pk > 0)) {
    throw badRequest(`Table ${table.name} cannot be sorted by ${name}.`, 'InvalidOrder');
  }
  return index;
}

function* sorted(request: ReadRequest, index: number): Generator<Candidate> {
  const { table } = request;
  const rows: RowRef[] = [];
  let place = START;
  for (
    let found = table.next(place, table.size, 'sql');
    found !== undefined;
    found = table.next(place, table.size, 'sql')
  ) {
    rows.push(...rowsOf(table, found.step));
    place = found.rest;
  }
  const sign = request.query.orderby?.descending === true ? -1 : 1;
  const by = request.personality.guidOrder;
  rows.sort((a, b) => sign * compareValues(table.value(a, index), table.value(b, index), by));
  for (const row of rows) yield { kind: 'row', row };
}

function* encodeRows(
  request: ReadRequest,
  encoder: RowEncoder,
  test: ((row: RowRef) => boolean) | null,
  steps: Iterable<Candidate>,
  before: number,
): Generator<Buffer, Continuation> {
  const { table, query, personality, rights, blocks } = request;
  const paged = query.top !== null && personality.nextLink !== 'none';
  const byPosition = table.keys.length === 0 || query.orderby !== null;
  const allowed = rights.maxRows === null ? Number.POSITIVE_INFINITY : Math.max(0, rights.maxRows - before);
  const top = query.top ?? Number.POSITIVE_INFINITY;
  const limit = Math.min(top, allowed);
  let toSkip = query.skip;
  let sent = 0;
  let last: number | null = null;
  let pending: string[] = [];
  let pendingLength = 0;
  const flush = () => {
    const bytes = Buffer.from(pending.join(''));
    pending = [];
    pendingLength = 0;
    return bytes;
  };
  for (const step of steps) {
    if (step.kind === 'clean' && test === null && sent < limit) {
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
      return paged && sent < allowed && sent >= top ? next(request, byPosition, last!, before + sent) : null;
    }
    for (const row of rowsOf(table, step)) {
      if (test !== null && !test(row)) continue;
      if (toSkip > 0) {
        toSkip--;
        continue;
      }
      if (sent >= limit) {
        if (pendingLength > 0) yield flush();
        const goesOn = paged && sent >= top && sent < allowed;
        return goesOn ? next(request, byPosition, last ?? -1, before + sent) : null;
      }
      const text = encoder.encode(row);
      pending.push(text);
      pendingLength += text.length;
      sent++;
      last = row.ordinal;
      if (pendingLength >= CHUNK_BYTES) yield flush();
    }
  }
  if (pendingLength > 0) yield flush();
  return null;
}

/** Query text of the page after a row. */
function next(request: ReadRequest, byPosition: boolean, lastOrdinal: number, rows: number): string {
  const { query, table } = request;
  const kept = query.text === '' ? '' : `${query.text}&`;
  if (byPosition || lastOrdinal < 0) return `${kept}$skip=${rows}`;
  const key = table.keyOf(lastOrdinal).map((value) => (typeof value === 'bigint' ? { big: String(value) } : value));
  const body = Buffer.from(JSON.stringify([rows, key])).toString('base64url');
  return `${kept}$skiptoken=${body}.${seal(table.name, body)}`;
}

/** Reads a token of our own making; any other is refused. */
function readToken(table: TableData, token: string): Resume {
  const [body = '', mark] = token.split('.');
  if (mark !== seal(table.name, body))
    throw badRequest('The $skiptoken is not one of this server.', 'InvalidSkipToken');
  const [rows, key] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [
    number,
    (Value | { readonly big: string })[],
  ];
  return { rows, key: key.map((value) => (typeof value === 'object' && value !== null ? BigInt(value.big) : value)) };
}

function seal(table: string, body: string): string {
  return createHash('sha256').update(`${table} ${body}`).digest('base64url').slice(0, 8);
}

/** Rows that the rights hide are as if they were not there. */
function visibility(table: TableData, rights: Rights): ((row: RowRef) => boolean) | null {
  const share = rights.hiddenRows[table.name] ?? rights.hiddenRows['*'] ?? 0;
  if (share <= 0) return null;
  const salt = hashText(table.name, 4242);
  return (row) => unit(salt, row.ordinal) >= share;
}
