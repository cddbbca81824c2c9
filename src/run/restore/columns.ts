import { quotedIdentifier } from '@duckdb/node-api';
import { parquetTypeName } from '../../parquet/types.ts';
import type { TableEntry } from '../../vault/chain/manifest.ts';

/** How columns of a snapshot are turned into those of a target. Pure; SQL of DuckDB, which does the work. */
export type SnapshotColumn = TableEntry['schema']['columns'][number];

/** DuckDB's own type of a column: what `portable` files keep as text (GUIDs, times) gets its type back. */
export function duckDbType({ type }: SnapshotColumn): string {
  return parquetTypeName(type, 'native');
}

/** PostgreSQL's type of a column. It has no unsigned and no one-byte integers. */
export function postgresType({ type }: SnapshotColumn): string {
  switch (type.kind) {
    case 'boolean':
      return 'boolean';
    case 'int8':
    case 'uint8':
    case 'int16':
      return 'smallint';
    case 'int32':
      return 'integer';
    case 'int64':
      return 'bigint';
    case 'float32':
      return 'real';
    case 'float64':
      return 'double precision';
    case 'decimal':
      return `numeric(${type.precision},${type.scale})`;
    case 'decimalText':
      return 'numeric';
    case 'guid':
      return 'uuid';
    case 'text':
    case 'json':
      return 'text';
    case 'binary':
      return 'bytea';
    case 'timestamp':
      return 'timestamp with time zone';
    case 'date':
      return 'date';
    case 'time':
      return 'time';
  }
}

/** A column with its own type, from a part's Parquet column. */
export function typedColumn(column: SnapshotColumn): string {
  const name = quotedIdentifier(column.name);
  return `CAST(${name} AS ${duckDbType(column)}) AS ${name}`;
}

/** An instant in ISO 8601, UTC, with microseconds. Needs the session's time zone to be UTC. */
const instant = (name: string) => `strftime(timezone('UTC', ${name}), '%Y-%m-%dT%H:%M:%S.%fZ')`;

/** A column as text for CSV that people and programs read: binary in base64, instants in UTC. */
export function csvColumn(column: SnapshotColumn): string {
  const name = quotedIdentifier(column.name);
  const { kind } = column.type;
  if (kind === 'timestamp') return `${instant(name)} AS ${name}`;
  if (kind === 'binary') return `base64(${name}) AS ${name}`;
  return kind === 'guid' || kind === 'time' ? `CAST(${name} AS VARCHAR) AS ${name}` : name;
}

/**
 * A column as `extract` writes it to NDJSON: decimals and 64-bit numbers as text with every digit, since most readers turn numbers into
 * floats; what JSON has no number for under the names of OData.
 */
export function jsonColumn(column: SnapshotColumn): string {
  const name = quotedIdentifier(column.name);
  switch (column.type.kind) {
    case 'int64':
    case 'decimal':
      return `CAST(${name} AS VARCHAR) AS ${name}`;
    case 'float32':
    case 'float64':
      return `CASE WHEN isfinite(${name}) THEN CAST(CAST(${name} AS VARCHAR) AS JSON) WHEN isnan(${name}) THEN '"NaN"'::JSON WHEN ${name} > 0 THEN '"INF"'::JSON WHEN ${name} < 0 THEN '"-INF"'::JSON END AS ${name}`;
    case 'timestamp':
      return `replace(${instant(name)}, '.000000Z', 'Z') AS ${name}`;
    case 'time':
      return `CASE WHEN microsecond(CAST(${name} AS TIME)) % 1000000 = 0 THEN CAST(CAST(${name} AS TIME) AS VARCHAR) ELSE strftime(DATE '2000-01-01' + CAST(${name} AS TIME), '%H:%M:%S.%f') END AS ${name}`;
    default:
      return csvColumn(column);
  }
}

/** A column as `COPY … (FORMAT csv)` of PostgreSQL takes it: binary in its hexadecimal form, NUL in text replaced where that is wanted. */
export function postgresColumn(column: SnapshotColumn, replaceNul: boolean): string {
  const name = quotedIdentifier(column.name);
  if (replaceNul && duckDbType(column) === 'VARCHAR') return `replace(${name}, chr(0), '\u2400') AS ${name}`;
  return column.type.kind === 'binary' ? `'\\x' || lower(hex(${name})) AS ${name}` : csvColumn(column);
}

/** Number of rows with a NUL character in a text column, which PostgreSQL cannot hold. */
export const nulRows = (column: string): string => `count(*) FILTER (contains(${quotedIdentifier(column)}, chr(0)))`;

/** Names of columns whose CSV is text: quoted always, so that an empty one differs from null. */
export function textColumns(columns: readonly SnapshotColumn[]): readonly string[] {
  return columns
    .filter(({ type }) => /^(VARCHAR|BLOB)$/.test(duckDbType({ type } as SnapshotColumn)))
    .map(({ name }) => name);
}
