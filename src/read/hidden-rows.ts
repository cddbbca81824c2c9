/** Rows that an instance hides by itself: which reads would leave them out, and how all of them are asked for. */
import { hasCode, TablevaultError } from '../core/errors.ts';
import { leastKey } from '../core/key-order.ts';
import type { Column, ColumnType, TableSchema } from '../core/schema.ts';
import { RowReader } from '../decode/reader.ts';
import { valueText } from '../decode/values.ts';
import { allOf, type Filter, type FilterValue, namesColumn } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import { type ScanKey, scanKeyOf } from '../scan/key.ts';
import type { Capabilities } from '../scan/plan.ts';
import { rangeFilter } from '../scan/ranges.ts';
import type { Source } from './answer.ts';
import { askSmall, type SmallAnswer, type SmallRow } from './small.ts';

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
  /** Values of which a row came with a question. */
  readonly found: readonly HidingValue[];
  /** What could not be asked. */
  readonly open: readonly OpenQuestion[];
  readonly requests: number;
}

export interface FilterGroup {
  readonly column: string;
  readonly values: readonly (boolean | null)[];
}

/** A value of a column that may hide rows. */
export interface HidingValue {
  readonly column: string;
  readonly value: boolean | null;
}

/** Are rows hidden that have this value? */
export interface OpenQuestion extends HidingValue {
  /** Do rows that come with it answer the question? Not where a read of the table has a filter and another has none. */
  readonly rowsTell: boolean;
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
export function openQuestionText({ column, value }: HidingValue): string {
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
  const ask: Ask = async (select, terms, count = false) => {
    requests++;
    let query: string;
    try {
      query = compileQuery({ table, select, filter: terms, top: 1, ...(count ? { count } : {}) });
    } catch (thrown) {
      // A key that cannot be written as a literal cannot be asked for.
      if (hasCode(thrown, 'USAGE')) return null;
      throw thrown;
    }
    return askSmall(instance, query, { purpose: 'default filters', table: table.name, signal });
  };
  const key = capabilities.keyFilter === false ? null : scanKeyOf(table, table.columns);
  const candidates = table.columns.filter((column) => hasDefaultFilter(column) && !namesColumn(filter, column.name));
  const found =
    candidates.length === 0
      ? NOTHING_HIDDEN
      : key === null
        ? await lookByCounts(table, candidates, capabilities.count === true, ask)
        : await lookByKey(table, candidates, ask, filter !== undefined || everyKey(key) !== undefined);
  const namesKey = filter === undefined && found.namesKey;
  const isAlike = filter !== undefined || namesKey || key === null || found.groups.length > 0;
  return {
    groups: found.groups,
    namesKey,
    warnings: found.groups.map(
      ({ column }) =>
        `reads that do not name ${column} may leave out rows with ${column} ${HIDDEN_VALUE[column]}, so every read asks for them by name`,
    ),
    found: found.found,
    open: found.open.map((each) => ({ ...each, rowsTell: isAlike })),
    requests,
  };
}

type Ask = (select: readonly string[], filter: Filter | undefined, count?: boolean) => Promise<SmallAnswer | null>;

interface Found {
  /** What every read must name; empty where nothing needs to be named. */
  readonly groups: readonly FilterGroup[];
  readonly namesKey: boolean;
  readonly found: readonly HidingValue[];
  readonly open: readonly HidingValue[];
}

const NOTHING_HIDDEN: Found = { groups: [], namesKey: false, found: [], open: [] };

/** All values of columns: with null where a column may be null, or without. */
function groupsOf(columns: readonly Column[], nulls: boolean): readonly FilterGroup[] {
  return columns.map(({ name, nullable }) => ({
    column: name,
    values: nulls && nullable ? [true, false, null] : [true, false],
  }));
}

/**
 * Rows that default filters would hide are asked for by their keys: do they come without these columns being named? The question after one
 * column names the others, since a row may be hidden by both.
 *
 * @param canFilter can every read of the table have a filter on the key?
 */
async function lookByKey(table: TableSchema, columns: readonly Column[], ask: Ask, canFilter: boolean): Promise<Found> {
  const open: HidingValue[] = [];
  const rows: ByKey[] = [];
  let hides = false;
  /** Does just this row come? Another one shows that the filter was taken, and not applied: no answer. */
  const brings = async ({ key, filter }: ByKey, groups: readonly FilterGroup[] = [], more?: Filter) => {
    const answer = await ask(table.key, allOf(groupFilter(groups), more, filter)!);
    const [first] = answer?.rows ?? [];
    if (answer === null) return null;
    return first === undefined ? false : sameKey(table, first, key) ? true : null;
  };
  for (const column of columns) {
    const { name, nullable } = column;
    const otherGroups = groupsOf(
      columns.filter((each) => each !== column),
      true,
    );
    const others = groupFilter(otherGroups);
    for (const value of nullable ? [HIDDEN_VALUE[name]!, null] : [HIDDEN_VALUE[name]!]) {
      const question: Filter = { op: 'eq', column: name, value };
      const answer = await ask([...table.key, name], allOf(question, others));
      const [row] = answer?.rows ?? [];
      if (answer !== null && row === undefined) continue;
      // A row with another value shows that the filter was taken, and not applied.
      const byKey =
        row === undefined || row[name] !== value ? undefined : rowByKey(table, row, { column: name, value });
      const came = byKey === undefined ? null : await brings(byKey);
      if (byKey !== undefined && came === true) {
        rows.push(byKey);
        continue;
      }
      // A key by which this row does not come with all columns named either tells nothing: the row is gone, or its key cannot be asked for.
      const asked = byKey === undefined || came === null ? null : await brings(byKey, otherGroups, question);
      if (byKey === undefined || asked !== true) {
        open.push({ column: name, value });
        continue;
      }
      rows.push(byKey);
      hides = true;
    }
  }
  const found = rows.map(({ column, value }) => ({ column, value }));
  // They come where a filter names the key; a read without one might hide them, and what is open too.
  if (!hides && (canFilter || rows.length === 0))
    return { groups: [], namesKey: canFilter && rows.length + open.length > 0, found, open };
  // A server that applies a part of the filter alone brings the hidden rows and leaves out the others.
  for (const column of columns) {
    const value = !HIDDEN_VALUE[column.name]!;
    const others = groupsOf(
      columns.filter((each) => each !== column),
      true,
    );
    const answer = await ask(
      [...table.key, column.name],
      allOf({ op: 'eq', column: column.name, value }, groupFilter(others)),
    );
    const [row] = answer?.rows ?? [];
    if (answer !== null && row === undefined) continue;
    const byKey =
      row === undefined || row[column.name] !== value
        ? undefined
        : rowByKey(table, row, { column: column.name, value });
    if (byKey === undefined) open.push({ column: column.name, value });
    else rows.push(byKey);
  }
  for (const groups of [groupsOf(columns, true), groupsOf(columns, false)]) {
    const came = await Promise.all(rows.map((row) => brings(row, groups)));
    if (came.every((each) => each === true)) return { groups, namesKey: false, found, open };
  }
  if (!hides) return { groups: [], namesKey: false, found, open: [...open, ...found] };
  throw cannotAsk(table, rows[0]?.column ?? '');
}

/** A row that came with a question, and how it is asked for again. */
interface ByKey extends HidingValue {
  readonly key: SmallRow;
  readonly filter: Filter;
}

function rowByKey(table: TableSchema, row: SmallRow, question: HidingValue): ByKey | undefined {
  const filter = rowFilter(table, row);
  return filter && { ...question, key: row, filter };
}

function sameKey({ key }: TableSchema, one: SmallRow, other: SmallRow): boolean {
  return key.every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]));
}

/** A filter that just this row passes, by its key as it came in JSON; undefined where that cannot be written exactly. */
function rowFilter(table: TableSchema, row: SmallRow): Filter | undefined {
  const terms = table.key.map((column): Filter | undefined => {
    const value = keyText(row[column], table.columns.find(({ name }) => name === column)?.type);
    if (value === undefined) return undefined;
    // The read asks for ranges, of the first column where there are several: a filter that looks up a whole key may tell of other rows.
    return column === table.key[0] && typeof value === 'string'
      ? rangeFilter(column, { ge: value, le: value })
      : { op: 'eq', column, value };
  });
  return terms.includes(undefined) ? undefined : allOf(...terms);
}

/** Without a key to ask by, only counts tell whether all rows come. */
async function lookByCounts(table: TableSchema, columns: readonly Column[], counts: boolean, ask: Ask): Promise<Found> {
  const [first] = columns;
  if (first === undefined) return NOTHING_HIDDEN;
  const counted = async (filter: Filter | undefined) =>
    counts ? ((await ask([first.name], filter, true))?.count ?? null) : null;
  const suspects: HidingValue[] = [];
  for (const { name, nullable } of columns) {
    for (const value of nullable ? [HIDDEN_VALUE[name]!, null] : [HIDDEN_VALUE[name]!]) {
      const others = groupFilter(
        groupsOf(
          columns.filter((each) => each.name !== name),
          true,
        ),
      );
      const answer = await ask([name], allOf({ op: 'eq', column: name, value }, others));
      if (answer === null || answer.rows.length > 0) suspects.push({ column: name, value });
    }
  }
  if (suspects.length === 0) return NOTHING_HIDDEN;
  const values = columns.map(({ name, nullable }): readonly Filter[] =>
    (nullable ? [true, false, null] : [true, false]).map((value) => ({ op: 'eq', column: name, value })),
  );
  // Every combination of values of all columns, so that no default filter of another column is in force.
  const combined = values.reduce<readonly Filter[]>(
    (some, next) => (some.length === 0 ? next : some.flatMap((one) => next.map((other) => allOf(one, other)!))),
    [],
  );
  const compare = async () => {
    const all = await counted(undefined);
    const each = all === null || combined.length > MOST_COMBINATIONS ? [] : await Promise.all(combined.map(counted));
    if (all === null || each.length === 0 || each.includes(null)) return null;
    const sum = each.reduce<number>((total, count) => total + (count ?? 0), 0);
    return { sum, hidden: sum - all };
  };
  const before = await compare();
  if (before !== null && before.hidden <= 0) return NOTHING_HIDDEN;
  // Counts of one moment and the next differ by the rows that came and went between them: only what stays the same is hidden.
  const after = before === null ? null : await compare();
  if (before === null || after?.hidden !== before.hidden) return { ...NOTHING_HIDDEN, open: suspects };
  const { sum } = after;
  for (const groups of [groupsOf(columns, true), groupsOf(columns, false)]) {
    if ((await counted(groupFilter(groups))) === sum) return { ...NOTHING_HIDDEN, groups };
  }
  throw cannotAsk(table, first.name);
}

const MOST_COMBINATIONS = 9;

/**
 * A value of a key column as it came in JSON, as the text that filters are made of: decoded as rows are. Undefined where JSON.parse, or the
 * type, cannot hold it exactly.
 */
export function keyText(value: unknown, type: ColumnType | undefined): FilterValue | undefined {
  if (type === undefined || (typeof value === 'number' && !isExact(value))) return undefined;
  if (type.kind === 'boolean') return typeof value === 'boolean' ? value : undefined;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const column: Column = { name: 'K', edmType: '', type, nullable: false, sensitive: false };
  const reader = new RowReader(
    { table: 'K', columns: [column], key: [], absentIsNull: false, maxRowBytes: 1e6 },
    () => {},
  );
  try {
    reader.begin(null);
    reader.push(Buffer.from(JSON.stringify({ value: [{ K: value }] })));
    reader.finish();
    reader.step(1);
    return valueText(reader.batch.columns[0]!, 0) ?? undefined;
  } catch (thrown) {
    if (thrown instanceof TablevaultError) return undefined;
    throw thrown;
  }
}

/** Digits that a number of JavaScript holds exactly. */
function isExact(value: number): boolean {
  const text = String(value);
  return /^[-.\d]+$/.test(text) && text.replace(/[-.]/g, '').length <= 15;
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
