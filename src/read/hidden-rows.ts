/** Rows that an instance hides by itself: which reads would leave them out, and how all of them are asked for. */
import { TablevaultError } from '../core/errors.ts';
import { type Key, leastKey } from '../core/key-order.ts';
import type { Column, TableSchema } from '../core/schema.ts';
import { allOf, type Filter, namesColumn } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import { type ScanKey, scanKeyOf } from '../scan/key.ts';
import type { Capabilities } from '../scan/plan.ts';
import { rangeFilter } from '../scan/ranges.ts';
import type { Source } from './answer.ts';
import { askSmall, type SmallAnswer } from './small.ts';

/**
 * Some columns document a default value of their filter (`Gen_Documents.Void` False, `Is_Active` True), which an instance may put in force
 * on every read that does not name the column, or on reads without any filter: void or inactive rows would be missing without a word. Which
 * columns those are the product does not know, so every Boolean column of these names is tried.
 */

/** Column names that have documented default filters, and the value of the rows such a filter hides. */
const HIDDEN_VALUE: Readonly<Record<string, boolean>> = { Void: true, Active: false, Is_Active: false };

/** Does the vendor document a filter, with a default value, for columns of this name? */
export function hasDefaultFilter({ name, type }: Column): boolean {
  return type.kind === 'boolean' && Object.hasOwn(HIDDEN_VALUE, name);
}

export interface HiddenRows {
  /** Columns that must be named in every read of the table, with the values that bring all rows. */
  readonly groups: readonly FilterGroup[];
  /** Must every read have a filter, since one without might hide rows? */
  readonly namesKey: boolean;
  readonly warnings: readonly string[];
  /** What could not be asked. */
  readonly open: readonly OpenQuestion[];
  readonly requests: number;
}

export interface FilterGroup {
  readonly column: string;
  readonly values: readonly (boolean | null)[];
}

/** Are rows hidden that have this value? Rows that come with it answer the question. */
export interface OpenQuestion {
  readonly column: string;
  readonly value: boolean | null;
}

export interface HiddenRowsDeps {
  readonly instance: Source;
  readonly capabilities: Capabilities;
  readonly signal: AbortSignal;
}

/** The filter that groups stand for, e.g. `(Void eq true or Void eq false)`. */
export function groupFilter(groups: readonly FilterGroup[]): Filter | undefined {
  return allOf(...groups.map(({ column, values }): Filter => ({ op: 'anyOf', column, values })));
}

/** A filter that names the key and lets every row pass; undefined where the type has no least value that servers agree on. */
export function everyKey(key: ScanKey | null): Filter | undefined {
  const least = key === null ? undefined : leastKey(key.type);
  return key === null || least === undefined ? undefined : { op: 'ge', column: key.column, value: least };
}

/** In words, for warnings. */
export function openQuestionText({ column, value }: OpenQuestion): string {
  return `it could not be asked whether the instance hides rows with ${column} ${value}`;
}

/**
 * Finds the columns by which reads would leave out rows.
 *
 * @param filter the user's own; a column that it names is the user's business
 * @throws END_UNPROVEN when rows are hidden and no filter brings them all
 */
export async function findHiddenRows(
  table: TableSchema,
  filter: Filter | undefined,
  { instance, capabilities, signal }: HiddenRowsDeps,
): Promise<HiddenRows> {
  let requests = 0;
  const ask: Ask = (column, terms, count = false) => {
    requests++;
    const query = compileQuery({ table, select: [column], filter: terms, top: 1, ...(count ? { count } : {}) });
    return askSmall(instance, query, { purpose: 'default filters', table: table.name, signal });
  };
  const key = capabilities.keyFilter === false ? null : scanKeyOf(table, table.columns);
  const candidates = table.columns.filter((column) => hasDefaultFilter(column) && !namesColumn(filter, column.name));
  const found: Found[] = [];
  for (const column of candidates) {
    const looked =
      key === null
        ? await lookByCount(table, column, capabilities.count === true, ask)
        : await lookByKey(table, column, key, ask);
    found.push(looked);
  }
  const warnings = found.flatMap(({ group, column }) =>
    group === null
      ? []
      : [
          `reads that do not name ${column} leave out rows with ${column} ${HIDDEN_VALUE[column]}, so every read asks for them by name`,
        ],
  );
  const namesKey = filter === undefined && found.some((each) => each.namesKey);
  const unnamed = namesKey && everyKey(key) === undefined ? found.filter((each) => each.namesKey) : [];
  return {
    groups: found.flatMap(({ group }) => (group === null ? [] : [group])),
    namesKey,
    warnings,
    open: [
      ...found.flatMap(({ open }) => open),
      ...unnamed.map(({ column }) => ({ column, value: HIDDEN_VALUE[column]! })),
    ],
    requests,
  };
}

type Ask = (column: string, filter: Filter | undefined, count?: boolean) => Promise<SmallAnswer | null>;

interface Found {
  readonly column: string;
  /** What every read must name; null where nothing needs to be named. */
  readonly group: FilterGroup | null;
  readonly namesKey: boolean;
  readonly open: readonly OpenQuestion[];
}

/** A row that a default filter would hide is asked for by its key: does it come without its column being named? */
async function lookByKey(table: TableSchema, { name, nullable }: Column, key: ScanKey, ask: Ask): Promise<Found> {
  const column = name;
  const open: OpenQuestion[] = [];
  const rows: { readonly value: boolean | null; readonly key: Key }[] = [];
  let hides = false;
  const brings = async (row: Key, filter?: Filter) => {
    const answer = await ask(key.column, allOf(filter, rangeFilter(key.column, { ge: row, le: row })));
    return answer === null ? null : answer.rows.some((each) => keyText(each[key.column], key) === row);
  };
  for (const value of nullable ? [HIDDEN_VALUE[name]!, null] : [HIDDEN_VALUE[name]!]) {
    const answer = await ask(key.column, { op: 'eq', column, value });
    const row = answer?.rows[0] === undefined ? undefined : keyText(answer.rows[0][key.column], key);
    if (answer === null || (answer.rows.length > 0 && row === undefined)) open.push({ column, value });
    if (row === undefined) continue;
    rows.push({ value, key: row });
    const came = await brings(row);
    if (came === null) open.push({ column, value });
    if (came === false) hides = true;
  }
  if (!hides) return { column, group: null, namesKey: rows.length > 0, open };
  const both = [true, false];
  for (const values of nullable ? [[...both, null], both] : [both]) {
    const group: FilterGroup = { column, values };
    const came = await Promise.all(rows.map((row) => brings(row.key, groupFilter([group]))));
    if (came.every((each) => each === true)) return { column, group, namesKey: false, open };
  }
  throw cannotAsk(table, column);
}

/** Without a key to ask by, only counts tell whether all rows come. */
async function lookByCount(table: TableSchema, { name, nullable }: Column, counts: boolean, ask: Ask): Promise<Found> {
  const column = name;
  const hidden = HIDDEN_VALUE[name]!;
  const values = nullable ? [true, false, null] : [true, false];
  const first = await ask(column, { op: 'eq', column, value: hidden });
  if (first !== null && first.rows.length === 0 && !nullable) return { column, group: null, namesKey: false, open: [] };
  const counted = async (filter: Filter | undefined) =>
    counts ? ((await ask(column, filter, true))?.count ?? null) : null;
  const all = await counted(undefined);
  const each = all === null ? [] : await Promise.all(values.map((value) => counted({ op: 'eq', column, value })));
  if (all === null || each.includes(null))
    return {
      column,
      group: null,
      namesKey: false,
      open: values.filter((value) => value !== !hidden).map((value) => ({ column, value })),
    };
  const sum = each.reduce<number>((total, count) => total + (count ?? 0), 0);
  if (all >= sum) return { column, group: null, namesKey: false, open: [] };
  for (const group of [
    { column, values },
    { column, values: [true, false] },
  ]) {
    if ((await counted(groupFilter([group]))) === sum) return { column, group, namesKey: false, open: [] };
  }
  throw cannotAsk(table, column);
}

/** A key as it came in JSON, as the text that filters are made of; undefined where JSON cannot hold it exactly. */
export function keyText(value: unknown, { type }: ScanKey): Key | undefined {
  if (typeof value === 'string') return type.kind === 'guid' ? value.toLowerCase() : value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined;
}

function cannotAsk({ name }: TableSchema, column: string): TablevaultError {
  return new TablevaultError(
    'END_UNPROVEN',
    `an unfiltered read of ${name} leaves out rows, and no filter on ${column} brings them all`,
    {
      at: { table: name, column },
      hint: `In tables.overrides of the pipeline, write a filter for ${name} that names ${column}, and read the other rows with a second pipeline.`,
    },
  );
}
