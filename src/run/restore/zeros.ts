/**
 * 0.0 and -0.0 in a DuckDB file.
 *
 * DuckDB's formats for repeated values take the two for one value: runs, cured by storing the column uncompressed, and segments of a column
 * that hold nothing else, a format that cannot be turned off. Rows that differ keep such segments from being taken for one value; they are
 * deleted before anybody sees the table. DuckDB may still write a segment anew without them. So the signs are compared afterwards, and where
 * one is lost in either way, the restore is refused.
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

export interface ZeroTable {
  /** As SQL names it. */
  readonly table: string;
  /** Definitions of its columns. */
  readonly columns: string;
  /** SQL of its columns, from `rows`. */
  readonly selected: string;
  readonly rows: string;
  /** Names of the columns that hold both zeros. */
  readonly zeros: readonly string[];
}

/** Creates and fills a table that keeps the signs of its zeros; undefined where DuckDB cannot, else what tells the signs. */
export async function fillKeepingZeros(
  engine: Engine,
  filled: ZeroTable,
  checkpoint: () => Promise<unknown>,
): Promise<string | undefined> {
  const { table, columns, selected, rows, zeros } = filled;
  const signs = await signsOfZeros(engine, rows, zeros);
  for (const insert of [
    () => engine.run(`INSERT INTO ${table} SELECT ${selected} FROM ${rows}`),
    () => insertGuarded(engine, filled),
  ]) {
    await engine.run(`CREATE OR REPLACE TABLE ${table} (${columns})`);
    await insert();
    await checkpoint();
    if ((await signsOfZeros(engine, table, zeros)) === signs) return signs;
  }
  return undefined;
}

/** With rows that differ among them, deleted afterwards. */
async function insertGuarded(engine: Engine, { table, selected, rows, zeros }: ZeroTable): Promise<void> {
  const differ = zeros.map(quotedIdentifier).map((name) => `CASE WHEN "#extra" THEN 1 ELSE ${name} END AS ${name}`);
  const numbered = `SELECT ${selected}, row_number() OVER () - 1 AS "#n" FROM ${rows}`;
  const doubled = `SELECT *, unnest(CASE WHEN "#n" % ${EVERY} = 0 THEN [false, true] ELSE [false] END) AS "#extra" FROM (${numbered})`;
  await engine.run('SET max_vacuum_tasks = 0');
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
