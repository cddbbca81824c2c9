/** Several Parquet files as one. */
import { quotedIdentifier, quotedString } from '@duckdb/node-api';
import { TablevaultError } from '../core/errors.ts';
import type { ParquetSettings } from '../core/pipeline.ts';
import type { Column } from '../core/schema.ts';
import { shortageError } from '../duckdb/faults.ts';
import { withDuckDb } from '../duckdb/open.ts';
import { parquetRows } from '../duckdb/sql.ts';
import { dictionaryOption } from './copy.ts';
import type { LocalPart } from './task.ts';

const MEMORY_MB = 512;
/** A dictionary pays when each of its words stands in some rows of a row group (122,880 rows). */
const DICTIONARY_WORDS = 3840;

export interface CombineOptions {
  readonly parts: readonly LocalPart[];
  /** The columns to keep, in order. */
  readonly output: readonly Column[];
  readonly compression: ParquetSettings['compression'];
  /** An empty folder for what does not fit into memory. */
  readonly spill: string;
  readonly to: string;
  readonly signal: AbortSignal;
}

/** Several Parquet files as one, with the columns that are wanted; the rows stay in their order. */
export async function combineParts(options: CombineOptions): Promise<void> {
  const { parts, output, compression, spill, to, signal } = options;
  const expected = parts.reduce((sum, part) => sum + part.rows, 0);
  const rows = `SELECT ${output.map(({ name }) => quotedIdentifier(name)).join(', ')} FROM ${parquetRows(parts.map(({ path }) => path))}`;
  await withDuckDb({ memoryMb: MEMORY_MB, threads: 2, spill, signal }, async (connection) => {
    try {
      const sql = `COPY (${rows}) TO ${quotedString(to)} (FORMAT parquet, COMPRESSION ${compression}, ${dictionaryOption(output, DICTIONARY_WORDS)})`;
      const copied = Number((await connection.runAndReadAll(sql)).getRowsJson()[0]?.[0]);
      if (copied === expected) return;
      throw new TablevaultError('BUG', `${expected} rows were read, ${copied} came into the Parquet file`);
    } catch (thrown) {
      throw shortageError(thrown, 'the Parquet file could not be put together', { path: to }) ?? thrown;
    }
  });
}
