/** The types of columns in files. */
import type { ColumnType, TypeProfile } from '../core/schema.ts';

/** DuckDB's own type of each kind of column, in DuckDB's spelling: what a column's buffers hold. */
const NATIVE: Readonly<Record<Exclude<ColumnType['kind'], 'decimal'>, string>> = {
  boolean: 'BOOLEAN',
  int8: 'TINYINT',
  uint8: 'UTINYINT',
  int16: 'SMALLINT',
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  decimalText: 'VARCHAR',
  guid: 'UUID',
  text: 'VARCHAR',
  binary: 'BLOB',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
  date: 'DATE',
  time: 'TIME',
  json: 'VARCHAR',
};

/** What stands in `portable` files for types that not every reader knows. */
const PORTABLE: Readonly<Partial<typeof NATIVE>> = { uint8: 'SMALLINT', guid: 'VARCHAR', time: 'VARCHAR' };

/** The type a column has in the file, in DuckDB's spelling: the type table of the outside contract. Recorded in the manifest. */
export function parquetTypeName(type: ColumnType, profile: TypeProfile): string {
  if (type.kind === 'decimal') return `DECIMAL(${type.precision},${type.scale})`;
  return (profile === 'portable' ? PORTABLE[type.kind] : undefined) ?? NATIVE[type.kind];
}
