/** Drives the decoder: the bytes of one response after another become batches of rows, and facts of each response. */
import { isUtf8 } from 'node:buffer';
import { TablevaultError } from '../core/errors.ts';
import type { Key, KeysSeen } from '../core/key-order.ts';
import type { Column } from '../core/schema.ts';
import { count as number, plural } from '../core/words.ts';
import { BATCH_ROWS, Batch, type ColumnBuffer } from './columns.ts';
import { createKeyWatch, type KeyWatch } from './key-watch.ts';
import { ResponseDecoder, type Step } from './response.ts';
import { valueText } from './values.ts';

export interface ReaderSpec {
  readonly table: string;
  readonly columns: readonly Column[];
  /** Key columns, all among `columns`; empty for views. */
  readonly key: readonly string[];
  readonly absentIsNull: boolean;
  readonly maxRowBytes: number;
  /** Are the keys of parts watched besides, which begin and end where the rows' taker likes? Default false. */
  readonly watchesParts?: boolean;
}

/** What one response held. */
export interface PageFacts {
  /** Rows that came, with those left out. */
  readonly rows: number;
  /** Rows left out because they came before. */
  readonly excluded: number;
  /** Rows that are left out where they come, since they came before. */
  readonly known: number;
  readonly nextLink: string | null;
  /** What the instance counts, where it was asked and answers. */
  readonly count: number | null;
  /** Keys of the rows kept; null where the key has no order to watch. */
  readonly keys: KeysSeen | null;
  /** First and last row as text: what tells a page that comes again. */
  readonly ends: string;
}

/** Rows may be added while an answer comes, but hardly as many again as were counted. */
const MOST_ADDED = 10_000;

/** Did so many rows come that what was counted cannot be the end of them? */
export function isFarBeyond(rows: number, count: number | null): count is number {
  return count !== null && rows > count * 2 + MOST_ADDED;
}

export function endlessRows(table: string, rows: number, count: number): TablevaultError {
  return new TablevaultError(
    'PAGING_LOOP',
    `the rows of ${table} do not end: ${plural(rows, 'row')} came, but the instance counts ${number(count)}`,
    {
      at: { table },
      retryable: true,
      hint: 'The instance answers with more than it says; run again, and report it to the vendor if it repeats.',
    },
  );
}

export class RowReader {
  readonly batch: Batch;
  /** Keys since its own `begin`; only of keys of one column. */
  readonly part: KeyWatch | undefined;
  private readonly spec: ReaderSpec;
  private readonly decoder: ResponseDecoder;
  private readonly keyColumns: readonly ColumnBuffer[];
  private readonly watch: KeyWatch | undefined;
  private excluded = 0;
  private rows = 0;
  private first = '';
  private last = '';
  /** Rows of the batch that were looked at. */
  private seen = 0;

  /** @param onUnknown called once for each property that no column is named for */
  constructor(spec: ReaderSpec, onUnknown: (property: string) => void) {
    this.spec = spec;
    this.batch = new Batch(spec.columns);
    const buffer = (name: string) => this.batch.columns[spec.columns.findIndex((column) => column.name === name)]!;
    this.keyColumns = spec.key.map(buffer);
    this.watch = createKeyWatch(this.keyColumns);
    this.part = spec.watchesParts && spec.key.length === 1 ? createKeyWatch(this.keyColumns) : undefined;
    this.decoder = new ResponseDecoder(
      spec.columns.map(({ name }) => name),
      {
        table: spec.table,
        absentIsNull: spec.absentIsNull,
        maxRowBytes: spec.maxRowBytes,
        onUnknownProperty: onUnknown,
        keyOf: (row) =>
          spec.key.every((name) => row[name] !== undefined)
            ? spec.key.map((name) => `${name}=${String(row[name])}`).join(',')
            : '',
        key: spec.key,
        lastKey: () =>
          this.keyText(this.batch.rows - 1) ?? (spec.key.length === 0 || this.last === '' ? undefined : this.last),
      },
    );
  }

  /** Begins a response. Rows with the key `exclude` that came before are left out of it; its keys are remembered where `remembers` says so. */
  begin(exclude: Key | null, remembers = false): void {
    this.decoder.begin();
    this.watch?.begin(exclude, remembers);
    this.excluded = 0;
    this.rows = 0;
    this.first = '';
    this.last = '';
  }

  /** Adds input; the chunk may be used again. */
  push(bytes: Uint8Array): void {
    this.decoder.push(bytes);
  }

  /** Says that the body has ended: what is missing now is missing. */
  finish(): void {
    this.decoder.finish();
  }

  /** Decodes into the batch until it holds `limit` rows or as many bytes as are wise, the input is used up, or the response is complete. */
  step(limit: number): Step {
    const { batch } = this;
    batch.limit = Math.min(limit, BATCH_ROWS);
    const step = this.decoder.step(batch, this.keep);
    this.look();
    return step;
  }

  /** The response that is complete. */
  page(): PageFacts {
    const { nextLink, count } = this.decoder.envelope();
    return {
      rows: this.rows + this.excluded,
      excluded: this.excluded,
      known: this.watch?.known ?? 0,
      nextLink,
      count,
      keys: this.watch?.seen() ?? null,
      ends: `${this.first} ${this.last}`,
    };
  }

  /** Empties the batch, whose rows were taken. */
  clear(): void {
    this.batch.clear();
    this.seen = 0;
  }

  /** @throws BODY_INVALID when a text of the batch is not UTF-8; before its rows are handed on */
  checkText(): void {
    for (const column of this.batch.columns) if (column.wide) this.checkUtf8(column);
  }

  private readonly keep = (row: number): boolean => {
    if (this.watch === undefined || !this.watch.isKnown(row)) return true;
    this.excluded++;
    return false;
  };

  /** Takes in what the rows decoded since the last time tell. */
  private look(): void {
    const { batch, watch, part } = this;
    if (batch.rows === this.seen) return;
    for (const { column, nulls } of this.keyColumns) {
      if (nulls === 0) continue;
      const { table } = this.spec;
      throw new TablevaultError('BODY_INVALID', `a row of ${table} has no value in its key column ${column.name}`, {
        at: { table, column: column.name },
        hint: 'The instance answers with broken rows; report it to whoever runs it.',
      });
    }
    if (this.rows === 0) this.first = this.endText(this.seen);
    for (let row = this.seen; row < batch.rows; row++) {
      watch?.see(row);
      part?.see(row);
    }
    this.rows += batch.rows - this.seen;
    this.seen = batch.rows;
    this.last = this.endText(batch.rows - 1);
    const { count } = this.decoder.envelope();
    if (isFarBeyond(this.rows, count)) throw endlessRows(this.spec.table, this.rows, count);
  }

  /** The key of a row, or all of a row without key. */
  private endText(row: number): string {
    return this.keyText(row) ?? JSON.stringify(this.batch.columns.map((column) => valueText(column, row)));
  }

  /** Is the order of its keys watched? */
  get watchesKeys(): boolean {
    return this.watch !== undefined;
  }

  /** The key of a row of the batch as text; undefined for rows without a key. */
  keyText(row: number): string | undefined {
    if (row < 0 || this.keyColumns.length === 0) return undefined;
    return this.keyColumns.map((column) => String(valueText(column, row))).join(',');
  }

  private checkUtf8({ column, offsets, data }: ColumnBuffer): void {
    const { rows } = this.batch;
    if (isUtf8(data.subarray(0, offsets[rows]))) return;
    const { table } = this.spec;
    for (let row = 0; row < rows; row++) {
      if (isUtf8(data.subarray(offsets[row], offsets[row + 1]))) continue;
      const key = this.keyText(row);
      throw new TablevaultError('BODY_INVALID', `a text of ${table}.${column.name} is not UTF-8`, {
        at: { table, column: column.name, ...(key === undefined ? {} : { key }) },
      });
    }
  }
}
