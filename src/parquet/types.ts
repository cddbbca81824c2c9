import duckdb from '@duckdb/node-bindings';
import type { Column, ColumnType, TypeProfile } from '../core/schema.ts';

/** How a column goes through DuckDB: the type its buffers are handed over in, and the expression that makes the type of the file. */
export interface DuckColumn {
  readonly create: () => duckdb.LogicalType;
  /** SQL over the handed-over column, e.g. `CAST(c3 AS VARCHAR)`. */
  readonly expression: (name: string) => string;
}

/** The column type table of the outside contract, in DuckDB's terms. */
export function duckColumn(column: Column, profile: TypeProfile): DuckColumn {
  const plain = (type: duckdb.Type): DuckColumn => ({
    create: () => duckdb.create_logical_type(type),
    expression: (name) => name,
  });
  const { type } = column;
  const portable = profile === 'portable';
  switch (type.kind) {
    case 'boolean':
      return plain(duckdb.Type.BOOLEAN);
    case 'int8':
      return plain(duckdb.Type.TINYINT);
    case 'uint8':
      return { ...plain(duckdb.Type.UTINYINT), expression: (name) => (portable ? `CAST(${name} AS SMALLINT)` : name) };
    case 'int16':
      return plain(duckdb.Type.SMALLINT);
    case 'int32':
      return plain(duckdb.Type.INTEGER);
    case 'int64':
      return plain(duckdb.Type.BIGINT);
    case 'float32':
      return plain(duckdb.Type.FLOAT);
    case 'float64':
      return plain(duckdb.Type.DOUBLE);
    case 'decimal':
      return { create: () => duckdb.create_decimal_type(type.precision, type.scale), expression: (name) => name };
    case 'guid':
      return { ...plain(duckdb.Type.UUID), expression: (name) => (portable ? `CAST(${name} AS VARCHAR)` : name) };
    case 'timestamp':
      return plain(duckdb.Type.TIMESTAMP_TZ);
    case 'date':
      return plain(duckdb.Type.DATE);
    case 'time':
      return { ...plain(duckdb.Type.TIME), expression: (name) => (portable ? timeAsText(name) : name) };
    case 'binary':
      return plain(duckdb.Type.BLOB);
    case 'text':
    case 'decimalText':
    case 'json':
      return plain(duckdb.Type.VARCHAR);
  }
}

/** `hh:mm:ss`, with six digits of a second where it has a fraction. */
function timeAsText(name: string): string {
  return `CASE WHEN microsecond(${name}) % 1000000 = 0 THEN CAST(${name} AS VARCHAR) ELSE rpad(CAST(${name} AS VARCHAR), 15, '0') END`;
}

/** The type a column has in the file, in DuckDB's spelling; recorded in the manifest. */
export function parquetTypeName(type: ColumnType, profile: TypeProfile): string {
  const portable = profile === 'portable';
  switch (type.kind) {
    case 'boolean':
      return 'BOOLEAN';
    case 'int8':
      return 'TINYINT';
    case 'uint8':
      return portable ? 'SMALLINT' : 'UTINYINT';
    case 'int16':
      return 'SMALLINT';
    case 'int32':
      return 'INTEGER';
    case 'int64':
      return 'BIGINT';
    case 'float32':
      return 'FLOAT';
    case 'float64':
      return 'DOUBLE';
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`;
    case 'guid':
      return portable ? 'VARCHAR' : 'UUID';
    case 'timestamp':
      return 'TIMESTAMP WITH TIME ZONE';
    case 'date':
      return 'DATE';
    case 'time':
      return portable ? 'VARCHAR' : 'TIME';
    case 'binary':
      return 'BLOB';
    case 'text':
    case 'decimalText':
    case 'json':
      return 'VARCHAR';
  }
}

/** A name or text as an SQL identifier. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL literal. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
