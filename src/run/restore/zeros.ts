/**
 * 0.0 and -0.0 in a DuckDB file.
 *
 * DuckDB's formats for repeated values take the two for one value: runs (cured by storing the column uncompressed) and segments that hold
 * one value alone, which cannot be turned off. A row that differs, in every segment, keeps a segment of zeros from being taken for one; it
 * is deleted before anybody sees the table. Where DuckDB drops it and writes the segment anew (tables of more than a row group whose
 * column has nothing but zeros for that long), the signs are found to be lost, and the restore is refused.
 */
import { quotedIdentifier } from '@duckdb/node-api';
import { TablevaultError } from '../../core/errors.ts';
import type { SnapshotColumn } from './columns.ts';
import type { Engine } from './engine.ts';

/** Rows between two rows that differ: DuckDB's vector size, much less than a segment. */
const EVERY = 2048;

/** Names of the floating-point columns in which both zeros stand. */
export async function columnsWithBothZeros(
  engine: Engine,
  columns: readonly SnapshotColumn[],
  rows: string,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name, type } of columns) {
    if (type.kind !== 'float32' && type.kind !== 'float64') continue;
    const column = quotedIdentifier(name);
    const zeros = `SELECT count(DISTINCT signbit(${column})) FROM ${rows} WHERE ${column} = 0`;
    if (Number(await engine.run(zeros)) === 2) found.push(name);
  }
  return found;
}

/** Fills a new table whose columns `zeros` hold both zeros; `selected` gives its columns from `rows`. */
export async function insertBothZeros(
  engine: Engine,
  table: string,
  { selected, rows, zeros }: { readonly selected: string; readonly rows: string; readonly zeros: readonly string[] },
): Promise<void> {
  const differ = zeros.map(quotedIdentifier).map((name) => `CASE WHEN "#extra" THEN 1 ELSE ${name} END AS ${name}`);
  const numbered = `SELECT ${selected}, row_number() OVER () - 1 AS "#n" FROM ${rows}`;
  const doubled = `SELECT *, unnest(CASE WHEN "#n" % ${EVERY} = 0 THEN [false, true] ELSE [false] END) AS "#extra" FROM (${numbered})`;
  await engine.run(
    `INSERT INTO ${table} SELECT * EXCLUDE ("#n", "#extra") REPLACE (${differ.join(', ')}) FROM (${doubled})`,
  );
  await engine.run(`DELETE FROM ${table} WHERE rowid % ${EVERY + 1} = 1`);
}

/** What tells which zeros are negative, by the places of the rows: equal before and after, or a sign was lost. */
export async function signsOfZeros(engine: Engine, rows: string, zeros: readonly string[]): Promise<string> {
  const signs = zeros.map(quotedIdentifier).map((name) => `sum(CASE WHEN signbit(${name}) THEN n END)`);
  const numbered = `SELECT row_number() OVER () AS n, ${zeros.map(quotedIdentifier).join(', ')} FROM ${rows}`;
  return String(await engine.run(`SELECT CAST([${signs.join(', ')}] AS VARCHAR) FROM (${numbered})`));
}

export function lostSigns(path: string, table: string, zeros: readonly string[]): TablevaultError {
  return new TablevaultError(
    'USAGE',
    `a DuckDB file cannot hold both 0.0 and -0.0 of ${table}.${zeros.join(` and ${table}.`)}`,
    {
      at: { target: path, table },
      hint: 'Nothing was restored. Restore to a folder or to PostgreSQL, or leave this table out with --tables.',
    },
  );
}
