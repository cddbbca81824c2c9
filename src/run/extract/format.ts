/** The forms that `extract` writes, and what one must do. */
import { extname } from 'node:path';
import type { Column, TypeProfile } from '../../core/schema.ts';
import type { Batch } from '../../decode/columns.ts';

export const EXTRACT_FORMATS = ['parquet', 'csv', 'ndjson', 'arrow'] as const;

export type ExtractFormat = (typeof EXTRACT_FORMATS)[number];

export interface FormatOptions {
  /** As read; `output` says which of them are written. */
  readonly columns: readonly Column[];
  /** Positions in `columns`, in the order in which they are written. */
  readonly output: readonly number[];
  readonly profile: TypeProfile;
  /** Is it written to a file, which may have an index at its end, or to a stream? */
  readonly toFile: boolean;
}

/** Rows as bytes: head, batches, tail. Nothing that it returns may change afterwards: the batch is used again. */
export interface RowFormat {
  head(): readonly Uint8Array[];
  rows(batch: Batch): readonly Uint8Array[];
  tail(): readonly Uint8Array[];
  /** Are small batches as good as large ones? Then rows are written as they come. */
  readonly eager: boolean;
}

const ENDINGS: Readonly<Record<string, ExtractFormat>> = {
  '.parquet': 'parquet',
  '.csv': 'csv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.arrow': 'arrow',
  '.arrows': 'arrow',
  '.feather': 'arrow',
};

/** The format that a file's name tells; undefined when it tells none. */
export function formatOfName(path: string): ExtractFormat | undefined {
  return ENDINGS[extname(path).toLowerCase()];
}
