/** Questions on hidden rows that rows may answer: some rows, read as a run will read them, before the run does. */
import { allOf, type Filter } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import { scanKeyOf } from '../scan/key.ts';
import type { Capabilities } from '../scan/plan.ts';
import type { Source } from './answer.ts';
import { everyKey, groupFilter, type HiddenRows, type OpenQuestion } from './hidden-rows.ts';
import type { ChosenTable } from './plan.ts';
import { askSmall } from './small.ts';

const ROWS_ASKED = 1_000;

/** The questions that stay open: one request where a row could answer any. A column that is not read has no rows that tell. */
export async function openAfterSome(
  { table, columns, filter }: ChosenTable,
  { open, groups, namesKey }: Pick<HiddenRows, 'open' | 'groups' | 'namesKey'>,
  {
    instance,
    capabilities,
    signal,
  }: { readonly instance: Source; readonly capabilities: Capabilities; readonly signal: AbortSignal },
): Promise<readonly OpenQuestion[]> {
  const names = columns.map(({ name }) => name);
  const select = [...new Set(open.filter(({ rowsTell }) => rowsTell).map(({ column }) => column))].filter((column) =>
    names.includes(column),
  );
  if (select.length === 0) return open;
  const key = capabilities.keyFilter === false ? null : scanKeyOf(table, columns);
  const asRead: Filter | undefined = allOf(filter, groupFilter(groups), namesKey ? everyKey(key) : undefined);
  const query = compileQuery({ table, select, filter: asRead, top: ROWS_ASKED });
  const answer = await askSmall(instance, query, { purpose: 'default filters', table: table.name, signal });
  const rows = answer?.rows ?? [];
  const came = ({ column, value }: OpenQuestion) =>
    rows.some((row) => (column in row ? row[column] : capabilities.absentIsNull ? null : undefined) === value);
  return open.filter((each) => !each.rowsTell || !select.includes(each.column) || !came(each));
}
