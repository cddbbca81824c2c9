/** Pieces of SQL that name files. Names and texts are quoted by the library: `quotedIdentifier`, `quotedString`. */
import { quotedString } from '@duckdb/node-api';

/**
 * The rows of Parquet files, in the order of the files.
 *
 * A path means that one file: DuckDB would take `*`, `?` and `[` for a pattern, and a folder's name such as `year=2024` for a column.
 */
export function parquetRows(files: readonly string[], ...options: readonly string[]): string {
  const list = files.map((path) => quotedString(path.replaceAll(/[*?[]/g, '[$&]'))).join(', ');
  return `read_parquet([${list}], ${['hive_partitioning = false', ...options].join(', ')})`;
}
