/** Sizes of tables in the database. */
import type { Instance } from '../instance/open.ts';
import { compileQuery } from '../odata/query.ts';
import { askSmall } from './small.ts';

const TABLE_INFO = 'Dmv_Table_Info';

/** Bytes that each table takes in the database, by `Dmv_Table_Info`; null where it cannot be read. */
export async function readTableSizes(
  instance: Instance,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number> | null> {
  const table = instance.model.tables.find(({ name }) => name === TABLE_INFO);
  const columns = new Set(table?.columns.map(({ name }) => name));
  if (table === undefined || !columns.has('Table_Name') || !columns.has('Size_MB')) return null;
  const query = compileQuery({ table, select: ['Table_Name', 'Size_MB'] });
  const answer = await askSmall(instance, query, { purpose: 'sizes', table: TABLE_INFO, signal, follow: true });
  if (answer === null) return null;
  const sizes = new Map<string, number>();
  for (const row of answer.rows) {
    const megabytes = Number(row['Size_MB'] ?? Number.NaN);
    if (typeof row['Table_Name'] === 'string' && megabytes >= 0) sizes.set(row['Table_Name'], megabytes * 1024 * 1024);
  }
  return sizes;
}
