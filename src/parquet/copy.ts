/** The `COPY … TO` of DuckDB that writes a part, and what it tells of the columns. */
import { quotedString } from '@duckdb/node-api';
import type { Column } from '../core/schema.ts';
import { TEXT_HEADER, widthOf } from '../decode/columns.ts';
import type { ColumnStats, TaskSpec } from './task.ts';

const MOST_GROUP_ROWS = 122_880;
/** DuckDB's own unit. */
const VECTOR_ROWS = 2048;
/** GUIDs as text have 36 bytes; other text is taken for about as long until there are rows to tell. */
const TEXT_BYTES = 36;
/** A dictionary pays when each of its words stands in so many rows; it is written anew in every row group. */
const ROWS_A_WORD = 32;
/** Longer minima and maxima are left out of the manifest. */
const MAX_STAT_CHARS = 64;

type FileSpec = Pick<TaskSpec, 'columns' | 'compression' | 'metadata' | 'profile' | 'groupBytes'>;

/** The options of `COPY … TO` for a file of a task, in row groups of so many rows. */
export function copyOptions(spec: FileSpec, rows: number): string {
  const metadata = Object.entries(spec.metadata).map(([key, value]) => `${quotedString(key)}: ${quotedString(value)}`);
  const options = [
    'FORMAT parquet',
    `COMPRESSION ${spec.compression}`,
    `ROW_GROUP_SIZE ${rows}`,
    dictionaryOption(spec.columns, Math.ceil(rows / ROWS_A_WORD)),
    'RETURN_STATS',
    ...(metadata.length === 0 ? [] : [`KV_METADATA {${metadata.join(', ')}}`]),
  ];
  return options.join(', ');
}

/**
 * The option for dictionaries of up to `words` words. DuckDB's dictionary takes 0.0 and -0.0 for one word, whichever came first, and can be
 * turned off for a whole file alone: a file with floating point has none.
 */
export function dictionaryOption(columns: readonly Pick<Column, 'type'>[], words: number): string {
  const floats = columns.some(({ type }) => type.kind === 'float32' || type.kind === 'float64');
  return `DICTIONARY_SIZE_LIMIT ${floats ? 0 : words}`;
}

/**
 * Rows of a row group: as many as its bytes hold by the columns' types, or fewer where the rows are larger. Half of the nullable texts count
 * as null.
 *
 * @param rowBytes of the first rows of the file, on average; 0 where there are none
 */
export function rowGroupRows({ columns, profile, groupBytes }: FileSpec, rowBytes: number): number {
  const byTypes = columns.reduce((sum, { type, nullable }) => {
    const isText = widthOf(type) === 0 || (type.kind === 'guid' && profile === 'portable');
    return sum + (isText ? TEXT_HEADER + TEXT_BYTES / (nullable ? 2 : 1) : widthOf(type));
  }, 0);
  const rows = Math.min(MOST_GROUP_ROWS, Math.floor(groupBytes / Math.max(1, byTypes, rowBytes)));
  return rows < VECTOR_ROWS ? Math.max(1, rows) : Math.floor(rows / VECTOR_ROWS) * VECTOR_ROWS;
}

/** DuckDB's RETURN_STATS as a plain object; its keys are quoted identifiers. */
export function columnStats(value: unknown): Record<string, ColumnStats> {
  const stats: Record<string, ColumnStats> = {};
  for (const { key, value: entries } of value as readonly {
    key: string;
    value: readonly { key: string; value: string }[];
  }[]) {
    const name = key.startsWith('"') ? key.slice(1, -1).replaceAll('""', '"') : key;
    const entry = new Map(entries.map((each) => [each.key, each.value]));
    const bound = (which: 'min' | 'max') => {
      const text = entry.get(which);
      return text === undefined || text.length > MAX_STAT_CHARS ? {} : { [which]: text };
    };
    stats[name] = { nulls: Number(entry.get('null_count') ?? 0), ...bound('min'), ...bound('max') };
  }
  return stats;
}
