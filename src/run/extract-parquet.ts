import { DuckDBInstance } from '@duckdb/node-api';
import { TablevaultError } from '../core/errors.ts';
import type { ParquetSettings } from '../core/pipeline.ts';
import type { LocalPart } from '../parquet/task.ts';
import { sqlName, sqlText } from '../parquet/types.ts';

const MEMORY_MB = 512;

export interface CombineOptions {
  readonly parts: readonly LocalPart[];
  /** Names of the columns to keep, in order. */
  readonly output: readonly string[];
  readonly compression: ParquetSettings['compression'];
  /** An empty folder for what does not fit into memory. */
  readonly spill: string;
  readonly to: string;
  readonly signal: AbortSignal;
}

/** Several Parquet files as one, with the columns that are wanted; the rows stay in their order. */
export async function combineParts(options: CombineOptions): Promise<void> {
  const { parts, output, compression, spill, to, signal } = options;
  signal.throwIfAborted();
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${MEMORY_MB}MB`,
    threads: '2',
    temp_directory: spill,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  const interrupt = () => connection.interrupt();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    await connection.run("SET TimeZone='UTC'");
    const files = parts.map(({ path }) => sqlText(path)).join(', ');
    const rows = `SELECT ${output.map(sqlName).join(', ')} FROM read_parquet([${files}], hive_partitioning = false)`;
    const result = await connection.runAndReadAll(
      `COPY (${rows}) TO ${sqlText(to)} (FORMAT parquet, COMPRESSION ${compression})`,
    );
    const copied = Number(result.getRowsJson()[0]?.[0]);
    const expected = parts.reduce((sum, part) => sum + part.rows, 0);
    if (copied !== expected)
      throw new TablevaultError('BUG', `${expected} rows were read, ${copied} came into the Parquet file`);
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof TablevaultError) throw thrown;
    throw new TablevaultError(
      'DESTINATION_FULL',
      'the Parquet file could not be put together in the temporary folder',
      {
        cause: thrown,
        hint: 'Free space, or point TMPDIR at a larger disk.',
      },
    );
  } finally {
    signal.removeEventListener('abort', interrupt);
    connection.closeSync();
    instance.closeSync();
  }
}
