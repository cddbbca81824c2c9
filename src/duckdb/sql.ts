/** Pieces of SQL that name files. Names and texts are quoted by the library: `quotedIdentifier`, `quotedString`. */
import { quotedString } from '@duckdb/node-api';

/** The rows of Parquet files, in the order of the files. A folder's name such as `year=2024` adds no column. */
export function parquetRows(files: readonly string[], ...options: readonly string[]): string {
  return `read_parquet([${files.map(quotedString).join(', ')}], ${['hive_partitioning = false', ...options].join(', ')})`;
}
