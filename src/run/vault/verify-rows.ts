/** `verify --level rows`: parts read back as Parquet. */
import { join } from 'node:path';
import { quotedIdentifier } from '@duckdb/node-api';
import { TablevaultError } from '../../core/errors.ts';
import { parseGuid, sqlOrderKey } from '../../core/guid.ts';
import { plural } from '../../core/words.ts';
import { duckDbMessage, shortageError } from '../../duckdb/faults.ts';
import { openDuckDb } from '../../duckdb/open.ts';
import { parquetRows } from '../../duckdb/sql.ts';
import type { PartEntry, TableEntry } from '../../vault/chain/manifest.ts';
import type { PartFile } from '../../vault/check-parts.ts';
import type { Findings } from '../../vault/findings.ts';

/** Reads parts back with DuckDB and compares what is in them with the manifest. */
export interface RowChecker {
  check(table: TableEntry, files: readonly PartFile[], findings: Findings, signal?: AbortSignal): Promise<void>;
  close(): void;
}

type Row = Readonly<Record<string, unknown>>;
type Ask = (sql: string, values?: readonly string[]) => Promise<readonly Row[]>;

/** @param folder for what does not fit into memory. */
export async function openRowChecker(folder: string, memoryMb: number): Promise<RowChecker> {
  const { connection, close } = await openDuckDb({
    memoryMb,
    spill: join(folder, 'spill'),
    further: { preserve_insertion_order: 'false' },
  });
  const ask: Ask = async (sql, values = []) => {
    try {
      const result = await connection.runAndReadAll(sql, [...values]);
      return result.getRowObjectsJson();
    } catch (error) {
      // Whatever this machine is short of is no damage to the vault: the parts were read whole before.
      throw shortageError(error, 'the rows could not be checked', { folder }) ?? error;
    }
  };
  return {
    async check(table, files, findings, signal) {
      const sound: PartFile[] = [];
      for (const file of files) {
        signal?.throwIfAborted();
        if (await checkPart(ask, table, file, findings)) sound.push(file);
      }
      signal?.throwIfAborted();
      if (sound.length > 0 && table.schema.key.length > 0) await checkKeyUnique(ask, table, sound, findings);
    },
    close,
  };
}

/** One part; true when its rows can be read with the columns of the manifest. */
async function checkPart(ask: Ask, table: TableEntry, { part, path }: PartFile, findings: Findings): Promise<boolean> {
  const source = parquetRows([path]);
  try {
    const described = await ask(`DESCRIBE SELECT * FROM ${source}`);
    const problem = schemaProblem(table, described);
    if (problem !== undefined) {
      findings.add('PARQUET_SCHEMA', part.key, problem);
      return false;
    }
    await checkColumns(ask, table, part, source, findings);
    await checkKeyRange(ask, table, part, source, findings);
    return true;
  } catch (error) {
    if (error instanceof TablevaultError) throw error;
    findings.add('PARQUET_UNREADABLE', part.key, duckDbMessage(error));
    return false;
  }
}

function schemaProblem(table: TableEntry, described: readonly Row[]): string | undefined {
  const columns = table.schema.columns;
  if (described.length !== columns.length)
    return `it has ${plural(described.length, 'column')}, the manifest ${columns.length}`;
  for (const [index, column] of columns.entries()) {
    const found = described[index];
    if (found?.['column_name'] !== column.name)
      return `column ${index + 1} is ${String(found?.['column_name'])}, not ${column.name}`;
    const type = String(found['column_type']);
    if (plainType(type) !== plainType(column.parquetType))
      return `column ${column.name} is ${type}, not ${column.parquetType}`;
  }
  return undefined;
}

const plainType = (type: string): string => type.replaceAll(' ', '').toUpperCase();

/** Row count, nulls, least and greatest values in one pass. */
async function checkColumns(
  ask: Ask,
  table: TableEntry,
  part: PartEntry,
  source: string,
  findings: Findings,
): Promise<void> {
  const columns = table.schema.columns;
  const values: string[] = [];
  const bound = (which: 'min' | 'max', index: number): string => {
    const column = columns[index]!;
    const text = part.columns[column.name]?.[which];
    if (text === undefined) return 'NULL';
    values.push(text);
    const name = quotedIdentifier(column.name);
    // The writer's statistics leave NaN out, and give binary values in hexadecimal digits.
    const aggregate = /^(FLOAT|DOUBLE)$/.test(column.parquetType)
      ? `${which}(${name}) FILTER (NOT isnan(${name}))`
      : `${which}(${name})`;
    const stated =
      column.parquetType === 'BLOB'
        ? `from_hex($${values.length}::VARCHAR)`
        : `CAST($${values.length}::VARCHAR AS ${column.parquetType})`;
    return `coalesce(${aggregate} = ${stated}, false)`;
  };
  const selected = columns.map(
    ({ name }, index) =>
      `count(*) - count(${quotedIdentifier(name)}) AS n${index}, ${bound('min', index)} AS min${index}, ${bound('max', index)} AS max${index}`,
  );
  const [row] = await ask(`SELECT count(*) AS total, ${selected.join(', ')} FROM ${source}`, values);
  const rows = Number(row?.['total']);
  findings.checked.rows += rows;
  if (rows !== part.rows)
    findings.add('ROW_COUNT', part.key, `it has ${plural(rows, 'row')}, the manifest says ${part.rows}`);
  for (const [index, { name }] of columns.entries()) {
    const nulls = Number(row?.[`n${index}`]);
    const stated = part.columns[name];
    if (stated !== undefined && nulls !== stated.nulls) {
      findings.add(
        'NULL_COUNT',
        part.key,
        `column ${name} has ${plural(nulls, 'null')}, the manifest says ${stated.nulls}`,
      );
    }
    for (const which of ['min', 'max'] as const) {
      if (row?.[`${which}${index}`] === false) {
        const bounds = which === 'min' ? 'least' : 'greatest';
        findings.add('COLUMN_RANGE', part.key, `the ${bounds} value of column ${name} differs from the manifest`);
      }
    }
    if (nulls > 0 && table.schema.key.includes(name)) {
      findings.add('KEY_NULL', part.key, `key column ${name} is null in ${plural(nulls, 'row')}`);
    }
  }
}

/** The first and last key of a part with one GUID key, in SQL Server's order. */
async function checkKeyRange(
  ask: Ask,
  table: TableEntry,
  part: PartEntry,
  source: string,
  findings: Findings,
): Promise<void> {
  const [key, ...more] = table.schema.key;
  const column = table.schema.columns.find(({ name }) => name === key);
  const [first, last] = [part.firstKey, part.lastKey].map((values) => parseGuid(values?.[0] ?? ''));
  if (column?.type.kind !== 'guid' || more.length > 0 || first === undefined || last === undefined) return;
  const text = `CAST(${quotedIdentifier(column.name)} AS VARCHAR)`;
  // The same pieces as in `sqlOrderKey`, counted from 1.
  const pieces = [
    [25, 12],
    [20, 4],
    [17, 2],
    [15, 2],
    [12, 2],
    [10, 2],
    [7, 2],
    [5, 2],
    [3, 2],
    [1, 2],
  ];
  const order = pieces.map(([at, length]) => `substr(${text}, ${at}, ${length})`).join(' || ');
  const [row] = await ask(`SELECT min(k) AS first, max(k) AS last FROM (SELECT ${order} AS k FROM ${source})`);
  if (row?.['first'] === sqlOrderKey(first) && row['last'] === sqlOrderKey(last)) return;
  findings.add('KEY_RANGE', part.key, 'its first or last key differs from the manifest');
}

/** Grouping spills to disk where memory is short. */
async function checkKeyUnique(
  ask: Ask,
  table: TableEntry,
  files: readonly PartFile[],
  findings: Findings,
): Promise<void> {
  const key = table.schema.key.map(quotedIdentifier);
  const shown = key.map((name) => `CAST(${name} AS VARCHAR)`).join(" || ', ' || ");
  const source = parquetRows(files.map(({ path }) => path));
  const [row] = await ask(
    `SELECT count(*) AS keys, any_value(shown) AS example FROM (SELECT ${shown} AS shown FROM ${source} GROUP BY ${key.join(', ')} HAVING count(*) > 1)`,
  );
  const keys = Number(row?.['keys']);
  if (keys > 0) {
    findings.add(
      'KEY_DUPLICATE',
      table.name,
      `${plural(keys, 'key')} found more than once, such as ${String(row?.['example'])}`,
    );
  }
}
