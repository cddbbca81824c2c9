/** Default filters of an instance: which rows an unfiltered read would hide, and how to ask for all. */
import { TablevaultError } from '../core/errors.ts';
import type { Guid } from '../core/guid.ts';
import { parseGuid } from '../core/guid.ts';
import type { Column, TableSchema } from '../core/schema.ts';
import type { Instance } from '../instance/open.ts';
import { allOf, type Filter } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import { type Capabilities, rangeKey } from '../scan/plan.ts';
import { rangeFilter } from '../scan/ranges.ts';
import { readSmall, type SmallAnswer } from './small.ts';
import { isUnanswered } from './unanswered.ts';

/**
 * Rows that an unfiltered read leaves out.
 *
 * Some columns document a default value of their filter (`Gen_Documents.Void` False, `Is_Active` True), which an instance may put in force
 * whenever a read does not name the column: void or inactive rows would be missing without a word. Which columns those are the product does
 * not know, so every Boolean column of these names is tried.
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
  readonly warnings: readonly string[];
  readonly requests: number;
}

export interface FilterGroup {
  readonly column: string;
  readonly values: readonly (boolean | null)[];
}

export interface HiddenRowsDeps {
  readonly instance: Instance;
  readonly capabilities: Capabilities;
  readonly signal: AbortSignal;
}

/** The filter that a group stands for, e.g. `(Void eq true or Void eq false)`. */
export function groupFilter(groups: readonly FilterGroup[]): Filter | undefined {
  return allOf(...groups.map(({ column, values }): Filter => ({ op: 'anyOf', column, values })));
}

/**
 * Finds the columns by which an unfiltered read hides rows.
 *
 * @param filter the user's own, as text; a column that it names is the user's business
 * @throws END_UNPROVEN when rows are hidden and no filter brings them all
 */
export async function findHiddenRows(
  table: TableSchema,
  filter: Filter | undefined,
  deps: HiddenRowsDeps,
): Promise<HiddenRows> {
  const groups: FilterGroup[] = [];
  const warnings: string[] = [];
  let requests = 0;
  const ask = async (column: string, terms: Filter | undefined, count = false): Promise<SmallAnswer | null> => {
    requests++;
    const query = compileQuery({ table, select: [column], filter: terms, top: 1, ...(count ? { count } : {}) });
    try {
      return await readSmall(deps.instance, query, {
        purpose: 'default filters',
        table: table.name,
        signal: deps.signal,
      });
    } catch (thrown) {
      if (isUnanswered(thrown)) return null;
      throw thrown;
    }
  };
  for (const column of candidates(table, filter)) {
    const hidden = HIDDEN_VALUE[column.name]!;
    const key = deps.capabilities.keyFilter === false ? null : rangeKey(table);
    const found = await ask(key ?? column.name, { op: 'eq', column: column.name, value: hidden });
    if (found === null || found.rows.length === 0) continue;
    const row = key === null ? undefined : parseGuid(String(found.rows[0]?.[key]));
    const judged =
      key !== null && row !== undefined
        ? await hidesByKey(key, row, ask)
        : await hidesByCount(column, deps.capabilities, ask);
    if (judged === false) continue;
    groups.push({ column: column.name, values: await valuesThatBringAll(table, column, key, ask) });
    warnings.push(
      judged === null
        ? `it is unknown whether an unfiltered read leaves out rows with ${column.name} ${hidden}, so every read asks for them by name`
        : `an unfiltered read leaves out rows with ${column.name} ${hidden}, so every read asks for them by name`,
    );
  }
  return { groups, warnings, requests };
}

type Ask = (column: string, filter: Filter | undefined, count?: boolean) => Promise<SmallAnswer | null>;

function candidates(table: TableSchema, filter: Filter | undefined): readonly Column[] {
  const text = filter?.op === 'text' ? filter.text : '';
  return table.columns.filter(
    ({ name, type }) =>
      name in HIDDEN_VALUE && type.kind === 'boolean' && !new RegExp(`(^|[^\\w/])${name}(?![\\w/])`).test(text),
  );
}

/** Is a row that exists missing from a read that names only its key? Null when it cannot be told. */
async function hidesByKey(key: string, row: Guid, ask: Ask): Promise<boolean | null> {
  const answer = await ask(key, rangeFilter(key, { ge: row, le: row }));
  if (answer === null) return null;
  return !answer.rows.some((each) => parseGuid(String(each[key])) === row);
}

/** Are there fewer rows than the column's values make together? Null when counts cannot be had. */
async function hidesByCount(column: Column, { count }: Capabilities, ask: Ask): Promise<boolean | null> {
  if (count === false) return null;
  const counted = async (filter: Filter | undefined) => (await ask(column.name, filter, true))?.count ?? null;
  const all = await counted(undefined);
  const yes = await counted({ op: 'eq', column: column.name, value: true });
  const no = await counted({ op: 'eq', column: column.name, value: false });
  if (all === null || yes === null || no === null) return null;
  return all < yes + no;
}

/** A column that may be null needs null in its group, or a server whose group brings such rows anyway. */
async function valuesThatBringAll(
  table: TableSchema,
  column: Column,
  key: string | null,
  ask: Ask,
): Promise<FilterGroup['values']> {
  const both = [true, false];
  if (!column.nullable) return both;
  const select = key ?? column.name;
  if ((await ask(select, { op: 'anyOf', column: column.name, values: [...both, null] })) !== null)
    return [...both, null];
  const empty = await ask(select, { op: 'eq', column: column.name, value: null });
  const row = key === null ? undefined : parseGuid(String(empty?.rows[0]?.[key]));
  if (empty !== null && empty.rows.length === 0) return both;
  if (key !== null && row !== undefined) {
    const group: Filter = { op: 'anyOf', column: column.name, values: both };
    const came = await ask(key, allOf(group, rangeFilter(key, { ge: row, le: row })));
    if (came?.rows.length === 1) return both;
  }
  throw new TablevaultError(
    'END_UNPROVEN',
    `an unfiltered read of ${table.name} leaves out rows, and no filter on ${column.name} brings them all`,
    {
      at: { table: table.name, column: column.name },
      hint: `In tables.overrides of the pipeline, write a filter for ${table.name} that names ${column.name}, and read the other rows with a second pipeline.`,
    },
  );
}
