import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { TablevaultError } from '../core/errors.ts';
import { sqlText } from '../parquet/types.ts';

/** A DuckDB that converts files; in bounded memory, without extensions from elsewhere. */
export interface Engine {
  /** Runs a statement that gives no rows of interest; returns the first value of the first row. */
  run(sql: string): Promise<unknown>;
  close(): void;
}

/** @param folder for what does not fit into memory. */
export async function openEngine(folder: string, memoryMb: number, signal?: AbortSignal | undefined): Promise<Engine> {
  const spill = join(folder, 'spill');
  await mkdir(spill, { recursive: true, mode: 0o700 });
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${memoryMb}MB`,
    temp_directory: spill,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  await connection.run("SET TimeZone='UTC'");
  const interrupt = () => connection.interrupt();
  signal?.addEventListener('abort', interrupt, { once: true });
  return {
    async run(sql) {
      try {
        return (await connection.runAndReadAll(sql)).getRows()[0]?.[0];
      } catch (error) {
        signal?.throwIfAborted();
        const message = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
        throw new TablevaultError('DESTINATION_UNREACHABLE', `DuckDB could not write the target: ${message}`, {
          cause: error,
          hint: 'Check space and rights of the target and of the temporary folder (TMPDIR). Nothing that existed was changed.',
        });
      }
    },
    close() {
      signal?.removeEventListener('abort', interrupt);
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** The rows of Parquet files, in the order of the files. */
export const parquetRows = (files: readonly string[]): string =>
  `read_parquet([${files.map(sqlText).join(', ')}], hive_partitioning = false)`;
