/** What a reading task asks of a writer, and what comes back. Plain data: it crosses threads. */
import type { ErrorData } from '../core/errors.ts';
import type { Key } from '../core/key-order.ts';
import type { TypeProfile } from '../core/schema.ts';
import type { PageFacts, ReaderSpec } from '../decode/reader.ts';

export interface TaskSpec extends Omit<ReaderSpec, 'watchesParts'> {
  readonly profile: TypeProfile;
  readonly compression: 'zstd' | 'snappy' | 'gzip' | 'uncompressed';
  /** Rows of a part at most. */
  readonly partRows: number;
  /** Bytes of values that a row group may hold in memory; a part of large rows ends early, so that none holds much more. */
  readonly groupBytes: number;
  /** Parts are written to `<path>-<n>.parquet`, n from 0. */
  readonly path: string;
  /** Key-value metadata of the file: table, range, schema fingerprint; nothing of the run, so that equal data give equal bytes. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A finished Parquet file on local disk. */
export interface LocalPart {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Bytes of a row in memory, on average. */
  readonly rowBytes: number;
  readonly firstKey: Key | null;
  readonly lastKey: Key | null;
  /** Did the keys come in SQL Server's order, or that of their values, each once? */
  readonly ascending: boolean;
  /** Of rows that are in no file: were their keys remembered, and did none come twice? */
  readonly keysDiffer?: boolean;
  readonly columns: Readonly<Record<string, ColumnStats>>;
  /** Of the task, up to the end of this part. */
  readonly nulls: NullHabits;
}

/** How nulls came, by column. */
export interface NullHabits {
  readonly written: readonly string[];
  readonly leftOut: readonly string[];
}

export interface ColumnStats {
  readonly nulls: number;
  readonly min?: string;
  readonly max?: string;
}

export interface SinkHooks {
  /** Rows decoded since the last call. */
  readonly onRows?: (rows: number) => void;
  /** A property that no column is named for; once each. */
  readonly onUnknown?: (property: string) => void;
}

/** Where one task's responses go: each is `begin`, any number of `write`, `end`; then `finish` gives the parts. */
export interface TaskSink {
  /** Begins a response. A row with the key `exclude` is left out: it came before. Its keys are remembered where `remembers` says so. */
  begin(exclude: Key | null, remembers?: boolean): void;
  /** Bytes of the body; resolves when more may come. The bytes are copied. */
  write(bytes: Uint8Array): Promise<void>;
  /** The body has ended: resolves once it is decoded, rejects when it was not complete and valid. */
  end(): Promise<PageFacts>;
  /** No more responses: the parts, at least one. */
  finish(): Promise<readonly LocalPart[]>;
  /** Gives the task up; its files are removed. */
  abort(): void;
}

export type ToWriter =
  | { readonly type: 'begin'; readonly exclude: Key | null; readonly remembers: boolean }
  /** So many bytes stand in the next slot of the shared memory. */
  | { readonly type: 'chunk'; readonly length: number }
  | { readonly type: 'end' }
  | { readonly type: 'finish' }
  | { readonly type: 'abort' };

export type FromWriter =
  /** Slots that are free again and rows decoded since the last such message. */
  | { readonly type: 'progress'; readonly slots: number; readonly rows: number }
  | { readonly type: 'page'; readonly page: PageFacts }
  | { readonly type: 'unknown'; readonly property: string }
  | { readonly type: 'part'; readonly part: LocalPart }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly error: ErrorData };
