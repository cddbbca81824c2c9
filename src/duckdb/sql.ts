/** Pieces of SQL that name files. Names and texts are quoted by the library: `quotedIdentifier`, `quotedString`. */
import { quotedString } from '@duckdb/node-api';

/** A path as DuckDB takes it for that one file: `*`, `?` and `[` would make a pattern of it. */
export function exactPath(path: string): string {
  return path.replaceAll(/[*?[]/g, '[$&]');
}

/** The rows of Parquet files, in the order of the files. A folder's name such as `year=2024` adds no column. */
export function parquetRows(files: readonly string[], ...options: readonly string[]): string {
  const list = files.map((path) => quotedString(exactPath(path))).join(', ');
  return `read_parquet([${list}], ${['hive_partitioning = false', ...options].join(', ')})`;
}
