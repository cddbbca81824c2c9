/** Rows that came twice: found in the files of a task, and left out where their version tells which is the later one. */
import { rename } from 'node:fs/promises';
import { type DuckDBConnection, quotedIdentifier, quotedString } from '@duckdb/node-api';
import { digestFile } from '../core/digest.ts';
import { ROW_VERSION } from '../core/schema.ts';
import { withDuckDb } from '../duckdb/open.ts';
import { parquetRows } from '../duckdb/sql.ts';
import { columnStats, copyOptions, rowGroupRows } from './copy.ts';
import type { LocalPart, TaskSpec } from './task.ts';

/** In bounded memory: what does not fit goes to disk. */
const MEMORY_MB = 128;

export type Settled =
  | { readonly ok: true; readonly parts: readonly LocalPart[]; readonly dropped: number }
  /** Rows with this key came more than once, and nothing tells which is the later one. */
  | { readonly ok: false; readonly key: string };

/**
 * Leaves one row for each key in the parts of a task that was not read in key order: of rows with the same key the one with the later
 * `Row_Version`, which SQL Server counts up over the whole database. The same version twice is not two versions of a row but a fault of
 * the answer, and is not settled.
 *
 * A part that loses rows is written again with the same types, compression and metadata.
 */
export async function settleDuplicates(
  parts: readonly LocalPart[],
  spec: Pick<TaskSpec, 'columns' | 'key' | 'profile' | 'compression' | 'metadata' | 'groupBytes'>,
  signal: AbortSignal,
): Promise<Settled> {
  const settings = { memoryMb: MEMORY_MB, threads: 1, spill: `${parts[0]?.path}.spill`, signal };
  return withDuckDb(settings, async (connection) => {
    const files = parts.map(({ path }) => path);
    const key = spec.key.map(quotedIdentifier).join(', ');
    const numbered = parquetRows(files, 'filename = true', 'file_row_number = true');
    await connection.run(
      `CREATE TEMP TABLE twice AS SELECT ${key} FROM ${parquetRows(files)} GROUP BY ALL HAVING count(*) > 1`,
    );
    const [first] = (await connection.runAndReadAll(`SELECT ${key} FROM twice LIMIT 1`)).getRowsJson();
    if (first === undefined) return { ok: true, parts, dropped: 0 };
    const version = spec.columns.find(({ name, type }) => name === ROW_VERSION && type.kind === 'binary');
    if (version === undefined) return { ok: false, key: first.map(String).join(',') };
    await connection.run(
      `CREATE TEMP TABLE ranked AS SELECT ${key}, filename, file_row_number,
         rank() OVER later AS place, count(*) OVER (PARTITION BY ${key}, ${quotedIdentifier(ROW_VERSION)}) AS alike
       FROM ${numbered} SEMI JOIN twice USING (${key})
       WINDOW later AS (PARTITION BY ${key} ORDER BY ${quotedIdentifier(ROW_VERSION)} DESC NULLS LAST)`,
    );
    const [tie] = (await connection.runAndReadAll(`SELECT ${key} FROM ranked WHERE alike > 1 LIMIT 1`)).getRowsJson();
    if (tie !== undefined) return { ok: false, key: tie.map(String).join(',') };
    const settled: LocalPart[] = [];
    for (const part of parts) {
      signal.throwIfAborted();
      settled.push(await withoutEarlier(part, spec, connection));
    }
    const left = settled.reduce((sum, part) => sum + part.rows, 0);
    return { ok: true, parts: settled, dropped: parts.reduce((sum, part) => sum + part.rows, 0) - left };
  });
}

/** The part without the rows that a later version stands for; itself where there are none. */
async function withoutEarlier(
  part: LocalPart,
  spec: Pick<TaskSpec, 'columns' | 'profile' | 'compression' | 'metadata' | 'groupBytes'>,
  connection: DuckDBConnection,
): Promise<LocalPart> {
  const earlier = `SELECT file_row_number FROM ranked WHERE place > 1 AND filename = ${quotedString(part.path)}`;
  const [count] = (await connection.runAndReadAll(`SELECT count(*) FROM (${earlier})`)).getRowsJson();
  const dropped = Number(count?.[0]);
  if (dropped === 0) return part;
  const columns = spec.columns.map(({ name }) => quotedIdentifier(name)).join(', ');
  const again = `${part.path}.settled`;
  const result = await connection.runAndReadAll(
    `COPY (SELECT ${columns} FROM ${parquetRows([part.path], 'file_row_number = true')} WHERE file_row_number NOT IN (${earlier}))
     TO ${quotedString(again)} (${copyOptions(spec, rowGroupRows(spec, part.rowBytes))})`,
  );
  await rename(again, part.path);
  return {
    ...part,
    rows: part.rows - dropped,
    ...(await digestFile(part.path)),
    columns: columnStats(result.getRowObjectsJson()[0]?.['column_statistics']),
  };
}
