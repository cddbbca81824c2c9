import { DuckDBInstance } from '@duckdb/node-api';
import { sqlName, sqlText } from '../parquet/types.ts';

const MEMORY_MB = 128;

/** A key that stands more than once in Parquet files, as text; undefined when there is none. In bounded memory: what does not fit goes to disk. */
export async function findDuplicate(
  paths: readonly string[],
  key: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${MEMORY_MB}MB`,
    threads: '1',
    temp_directory: `${paths[0]}.spill`,
    preserve_insertion_order: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  try {
    const columns = key.map(sqlName).join(', ');
    const files = paths.map(sqlText).join(', ');
    const sql = `SELECT ${columns} FROM read_parquet([${files}]) GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`;
    const [row] = (await connection.runAndReadAll(sql)).getRowsJson();
    return row === undefined ? undefined : row.map(String).join(',');
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
