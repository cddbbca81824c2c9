/** What is known of which columns can be filtered on: what the documentation says, and what one request shows. */
import type { Column, TableSchema } from '../core/schema.ts';
import { compileQuery } from '../odata/query.ts';
import { scanKeyOf } from '../scan/key.ts';
import { rangeFilter } from '../scan/ranges.ts';
import type { Source } from './answer.ts';
import { hasDefaultFilter, keyText } from './hidden-rows.ts';
import { askSmall } from './small.ts';

/**
 * `documented`: the vendor documents a filter on columns of this name. `probed`: asked for a key that is there, the instance gave that row
 * alone. `refused`: it did not. `unknown`: only the instance knows; it answers with an error where a column takes no filter.
 */
export type FilterKnowledge = 'documented' | 'probed' | 'refused' | 'unknown';

export function documentedFilter(column: Column): FilterKnowledge {
  return hasDefaultFilter(column) ? 'documented' : 'unknown';
}

/** Tries a range filter on the key of a table: two requests. Null where there is no key of one column to try, or no row to try it with. */
export async function probeKeyFilter(
  instance: Source,
  table: TableSchema,
  signal: AbortSignal,
): Promise<{ readonly column: string; readonly filter: 'probed' | 'refused' } | null> {
  const key = scanKeyOf(table, table.columns);
  if (key === null || key.composite) return null;
  const { column } = key;
  const ask = async (query: string) =>
    (await askSmall(instance, query, { purpose: 'probe', table: table.name, signal }))?.rows.map((row) =>
      keyText(row[column], key.type),
    ) ?? null;
  const [first] = (await ask(compileQuery({ table, select: [column], top: 1 }))) ?? [];
  if (first === undefined) return null;
  const filter = rangeFilter(column, { ge: String(first), le: String(first) });
  const found = await ask(compileQuery({ table, select: [column], filter, top: 2 }));
  return { column, filter: found?.length === 1 && found[0] === first ? 'probed' : 'refused' };
}
