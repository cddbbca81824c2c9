/** The `COPY … TO` of DuckDB that writes a part, and what it tells of the columns. */
import { quotedString } from '@duckdb/node-api';
import type { Column } from '../core/schema.ts';
import { widthOf } from '../decode/columns.ts';
import type { ColumnStats, TaskSpec } from './task.ts';

/** Bytes of a row group as DuckDB holds it before encoding, about; encoding takes nearly as much again. */
const ROW_GROUP_BYTES = 48 * 1024 * 1024;
const ROW_GROUP_ROWS = { least: 2048, most: 122_880 };
/** A text takes a 16-byte header, and its bytes behind it; GUIDs as text have 36, other text is taken for about as long. */
const TEXT_BYTES = { header: 16, content: 36 };
/** A dictionary pays when each of its words stands in so many rows; it is written anew in every row group. */
const ROWS_A_WORD = 32;
/** Longer minima and maxima are left out of the manifest. */
const MAX_STAT_CHARS = 64;

/** The options of `COPY … TO` for the files of a task. */
export function copyOptions(spec: Pick<TaskSpec, 'columns' | 'compression' | 'metadata' | 'profile'>): string {
  const metadata = Object.entries(spec.metadata).map(([key, value]) => `${quotedString(key)}: ${quotedString(value)}`);
  const rows = rowGroupRows(spec);
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

/** Rows of a row group, from the columns' types alone, so that they do not change with the data. Half of the nullable texts count as null. */
function rowGroupRows({ columns, profile }: Pick<TaskSpec, 'columns' | 'profile'>): number {
  const rowBytes = columns.reduce((sum, { type, nullable }) => {
    const isText = widthOf(type) === 0 || (type.kind === 'guid' && profile === 'portable');
    return sum + (isText ? TEXT_BYTES.header + TEXT_BYTES.content / (nullable ? 2 : 1) : widthOf(type));
  }, 0);
  const rows = Math.floor(ROW_GROUP_BYTES / Math.max(1, rowBytes) / 2048) * 2048;
  return Math.min(ROW_GROUP_ROWS.most, Math.max(ROW_GROUP_ROWS.least, rows));
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
