/** How the rows of a range are asked for. Pure. */
import { allOf } from '../odata/filters.ts';
import type { Query } from '../odata/query.ts';
import type { TablePlan } from '../scan/plan.ts';
import { type KeyRange, rangeFilter } from '../scan/ranges.ts';

export function queryOf(plan: TablePlan, range: KeyRange): Query {
  const column = plan.key?.column;
  return {
    table: plan.table,
    select: plan.columns.map(({ name }) => name),
    filter: allOf(plan.filter, column === undefined ? undefined : rangeFilter(column, range)),
    ...(plan.pageRows === null ? {} : { top: plan.pageRows }),
  };
}
