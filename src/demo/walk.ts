/** The rows that can pass a read, in the order of its answer. */
import { mix } from './hash.ts';
import type { Value } from './model.ts';
import { type GuidOrder, valueOrder } from './order.ts';
import type { Resume } from './paging.ts';
import type { Personality } from './personality.ts';
import { type Place, type RowRef, START, type Step, type TableData } from './table.ts';

/** The rows of a step that exist. */
export function* rowsOf(table: TableData, step: Step): Generator<RowRef> {
  if (step.kind === 'row') {
    yield step.row;
    return;
  }
  for (let position = step.from; position < step.to; position++) {
    const row = table.rowAt(position, 'sql');
    if (row !== undefined) yield row;
  }
}

export interface Walk {
  readonly table: TableData;
  readonly personality: Pick<Personality, 'guidOrder' | 'rowOrder' | 'nextLink'>;
  readonly key: { readonly ge: Value; readonly le: Value; readonly among: readonly Value[] | null };
  readonly resume: Resume | null;
  /** Position of the column of `$orderby`, or -1. */
  readonly sortColumn: number;
  readonly descending: boolean;
}

/** The rows that can pass, from the page's beginning on, in the order of this response. */
export function* candidates(walk: Walk): Generator<Step> {
  const { table, personality, key, sortColumn } = walk;
  const by = personality.guidOrder;
  if (sortColumn >= 0) {
    yield* sorted(table, personality.guidOrder, sortColumn, walk.descending);
    return;
  }
  const resume = walk.resume?.key ?? null;
  if (key.among !== null && table.keys[0]?.guids != null) {
    const found = key.among.filter(
      (value) => value !== null && (resume === null || table.compareKeys([value], resume, by) > 0),
    );
    found.sort((a, b) => table.compareKeys([a], [b], by));
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
      table.compareKeys(table.keyOf(found.step.row.ordinal), [key.le], by) > 0
    )
      return;
    yield found.step;
    place = found.rest;
  }
}

/** All rows in an order that has nothing to do with the key. */
function* scattered(table: TableData): Generator<Step> {
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

function* sorted(table: TableData, by: GuidOrder, index: number, descending: boolean): Generator<Step> {
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
  const sign = descending ? -1 : 1;
  const compare = valueOrder(table.columns[index]!.type, by);
  rows.sort((a, b) => sign * compare(table.value(a, index), table.value(b, index)));
  for (const row of rows) yield { kind: 'row', row };
}

/** Of so many rows, one was updated once and lies at the end since. */
const UPDATED_ONE_OF = 97;

/** The rows of some steps as they lie in a heap: in their order, but for those that were updated. */
export function* heaped(table: TableData, steps: Iterable<Step>): Generator<Step> {
  const updated: RowRef[] = [];
  for (const step of steps)
    for (const row of rowsOf(table, step)) {
      if (mix(row.ordinal, 13) % UPDATED_ONE_OF === 0) updated.push(row);
      else yield { kind: 'row', row };
    }
  for (const row of updated) yield { kind: 'row', row };
}

/** The rows of some steps in an order drawn for one request. */
export function* shuffled(table: TableData, steps: Iterable<Step>, draw: number): Generator<Step> {
  const rows = [...steps].flatMap((step) => [...rowsOf(table, step)]);
  for (let i = rows.length - 1; i > 0; i--) {
    const j = mix(draw, i) % (i + 1);
    [rows[i], rows[j]] = [rows[j]!, rows[i]!];
  }
  for (const row of rows) yield { kind: 'row', row };
}
