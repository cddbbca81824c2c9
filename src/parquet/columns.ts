/** Columns on their way through DuckDB into a file. */
import * as duckdb from '@duckdb/node-api';
import { TablevaultError } from '../core/errors.ts';
import type { ColumnType, TypeProfile } from '../core/schema.ts';
import { parquetTypeName } from './types.ts';

const TYPES: ReadonlyMap<string, duckdb.DuckDBType> = new Map(
  [
    duckdb.BIGINT,
    duckdb.BLOB,
    duckdb.BOOLEAN,
    duckdb.DATE,
    duckdb.DOUBLE,
    duckdb.FLOAT,
    duckdb.INTEGER,
    duckdb.SMALLINT,
    duckdb.TIME,
    duckdb.TIMESTAMPTZ,
    duckdb.TINYINT,
    duckdb.UTINYINT,
    duckdb.UUID,
    duckdb.VARCHAR,
  ].map((type) => [String(type), type]),
);

/** The type that a column's buffers are handed over in. */
export function bufferType(type: ColumnType): duckdb.DuckDBType {
  if (type.kind === 'decimal') return duckdb.DECIMAL(type.precision, type.scale);
  const name = parquetTypeName(type, 'native');
  const found = TYPES.get(name);
  if (found === undefined) throw new TablevaultError('BUG', `DuckDB has no type ${name}`);
  return found;
}

/** SQL that makes the file's type of a handed-over column, e.g. `CAST(c3 AS VARCHAR)`. */
export function fileExpression(name: string, type: ColumnType, profile: TypeProfile): string {
  const inFile = parquetTypeName(type, profile);
  if (inFile === parquetTypeName(type, 'native')) return name;
  return type.kind === 'time' ? timeAsText(name) : `CAST(${name} AS ${inFile})`;
}

/** `hh:mm:ss`, with six digits of a second where it has a fraction. */
function timeAsText(name: string): string {
  return `CASE WHEN microsecond(${name}) % 1000000 = 0 THEN CAST(${name} AS VARCHAR) ELSE rpad(CAST(${name} AS VARCHAR), 15, '0') END`;
}
