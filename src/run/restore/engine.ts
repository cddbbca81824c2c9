/** The DuckDB that converts parts for every target of a restore. */
import { join } from 'node:path';
import { TablevaultError } from '../../core/errors.ts';
import { makeFolder } from '../../core/folders.ts';
import { duckDbMessage, shortageOf } from '../../duckdb/faults.ts';
import { openDuckDb } from '../../duckdb/open.ts';

/** A DuckDB that converts files, in bounded memory. */
export interface Engine {
  /** Runs a statement that gives no rows of interest; returns the first value of the first row. */
  run(sql: string): Promise<unknown>;
  close(): void;
}

/** @param folder for what does not fit into memory. */
export async function openEngine(folder: string, memoryMb: number, signal?: AbortSignal | undefined): Promise<Engine> {
  const spill = join(folder, 'spill');
  await makeFolder(spill, 0o700);
  const { connection, close } = await openDuckDb({ memoryMb, spill, signal });
  return {
    async run(sql) {
      try {
        return (await connection.runAndReadAll(sql)).getRows()[0]?.[0];
      } catch (error) {
        signal?.throwIfAborted();
        throw engineFault(error);
      }
    },
    close,
  };
}

/** Of a statement that converts parts whose bytes were verified: it fails by what it writes, and by what this machine is short of. */
function engineFault(error: unknown): TablevaultError {
  const full = shortageOf(error) === 'disk';
  return new TablevaultError(
    full ? 'DESTINATION_FULL' : 'DESTINATION_UNREACHABLE',
    `DuckDB could not write the target: ${duckDbMessage(error)}`,
    {
      cause: error,
      hint: `${full ? 'Free space on the disk' : 'Check space and rights'} of the target and of the temporary folder (TMPDIR). Nothing that existed was changed.`,
    },
  );
}
