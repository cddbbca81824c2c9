/** What is known of which columns can be filtered on: what the documentation says, and what one request shows. */
import { parseGuid } from '../core/guid.ts';
import type { Column, TableSchema } from '../core/schema.ts';
import type { Instance } from '../instance/open.ts';
import { compileQuery } from '../odata/query.ts';
import { rangeKey } from '../scan/plan.ts';
import { rangeFilter } from '../scan/ranges.ts';
import { hasDefaultFilter } from './default-filters.ts';
import { readSmall } from './small.ts';
import { isUnanswered } from './unanswered.ts';

/**
 * `documented`: the vendor documents a filter on columns of this name. `probed`: asked for a key that is there, the instance gave that row
 * alone. `refused`: it did not. `unknown`: only the instance knows; it answers with an error where a column takes no filter.
 */
export type FilterKnowledge = 'documented' | 'probed' | 'refused' | 'unknown';

export function documentedFilter(column: Column): FilterKnowledge {
  return hasDefaultFilter(column) ? 'documented' : 'unknown';
}

/** Tries a range filter on the key of a table: two requests. Null where there is no single GUID key, or no row to try it with. */
export async function probeKeyFilter(
  instance: Instance,
  table: TableSchema,
  signal: AbortSignal,
): Promise<{ readonly column: string; readonly filter: 'probed' | 'refused' } | null> {
  const column = rangeKey(table);
  if (column === null) return null;
  const ask = async (query: string) => {
    const { rows } = await readSmall(instance, query, { purpose: 'probe', table: table.name, signal });
    return rows.map((row) => parseGuid(String(row[column])));
  };
  try {
    const [key] = await ask(compileQuery({ table, select: [column], top: 1 }));
    if (key === undefined) return null;
    const filter = rangeFilter(column, { ge: key, le: key });
    const found = await ask(compileQuery({ table, select: [column], filter, top: 2 }));
    return { column, filter: found.length === 1 && found[0] === key ? 'probed' : 'refused' };
  } catch (thrown) {
    if (isUnanswered(thrown)) return { column, filter: 'refused' };
    throw thrown;
  }
}
