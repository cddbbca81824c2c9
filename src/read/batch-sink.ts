/** The sink of a task whose rows are wanted here and now, as batches. */
import { isUtf8 } from 'node:buffer';
import { TablevaultError } from '../core/errors.ts';
import type { Guid } from '../core/guid.ts';
import { BATCH_ROWS, Batch, type ColumnBuffer } from '../decode/columns.ts';
import { guidAt, guidWords, isKey, KeyWatch } from '../decode/keys.ts';
import { ResponseDecoder } from '../decode/response.ts';
import { valueText } from '../decode/values.ts';
import type { LocalPart, PageEnd, SinkHooks, TaskSink, TaskSpec } from '../parquet/task.ts';

/** Bytes of text and binary a batch may hold before it is handed on, whatever its rows. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;

export interface BatchSinkOptions {
  readonly spec: TaskSpec;
  readonly hooks: SinkHooks;
  /** Takes a batch; the next rows are decoded once it resolves. The batch is used again. */
  readonly take: (batch: Batch) => Promise<void>;
  /** Hand rows on with each piece of the response, not only when a batch is full. */
  readonly eager: boolean;
  /** Rows to keep at most. Default all. */
  readonly maxRows?: number;
}

/**
 * Where a task's responses go when its rows are wanted here and now, not as Parquet parts: decodes in this thread, hands batches on. A
 * response that proves broken has already handed on what came before: whoever takes the batches must be able to take them back, or fail.
 */
export class BatchSink implements TaskSink {
  rows = 0;
  private readonly options: BatchSinkOptions;
  private readonly batch: Batch;
  private readonly decoder: ResponseDecoder;
  private readonly keyColumns: readonly ColumnBuffer[];
  private readonly guidKey: ColumnBuffer | undefined;
  private readonly watch = new KeyWatch();
  private exclude: Int32Array | undefined;
  private excluded = 0;
  private pageRows = 0;
  /** Rows of the batch whose keys were seen. */
  private seen = 0;
  private last: string | null = null;

  constructor(options: BatchSinkOptions) {
    const { spec, hooks } = options;
    this.options = options;
    this.batch = new Batch(spec.columns);
    this.keyColumns = spec.key.map((name) => this.batch.columns[spec.columns.findIndex((each) => each.name === name)]!);
    const [only] = this.keyColumns;
    this.guidKey = this.keyColumns.length === 1 && only?.column.type.kind === 'guid' ? only : undefined;
    this.decoder = new ResponseDecoder(
      spec.columns.map(({ name }) => name),
      {
        table: spec.table,
        absentIsNull: spec.absentIsNull,
        maxRowBytes: spec.maxRowBytes,
        onUnknownProperty: (property) => hooks.onUnknown?.(property),
        keyOf: (row) => spec.key.map((name) => `${name}=${String(row[name])}`).join(','),
        lastKey: () => this.keyText(this.batch.rows - 1) ?? this.last ?? undefined,
      },
    );
  }

  begin(exclude: Guid | null): void {
    this.decoder.begin();
    this.watch.reset();
    this.exclude = exclude === null ? undefined : guidWords(exclude);
    this.excluded = 0;
    this.pageRows = 0;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.decoder.push(bytes);
    await this.drain();
  }

  async end(): Promise<PageEnd> {
    this.decoder.finish();
    await this.drain();
    await this.handOver();
    const { nextLink } = this.decoder.envelope();
    return {
      rows: this.pageRows + this.excluded,
      excluded: this.excluded,
      nextLink,
      keys: this.guidKey === undefined ? null : this.watch.seen(),
    };
  }

  /** As if all rows were one file: what counts is how many there are. */
  finish(): Promise<readonly LocalPart[]> {
    const part = { path: '', rows: this.rows, bytes: 0, sha256: '', firstKey: null, lastKey: null, ascending: true };
    return Promise.resolve([{ ...part, columns: {} }]);
  }

  abort(): void {}

  /** Has it all the rows that are wanted? */
  get full(): boolean {
    return this.rows + this.batch.rows >= (this.options.maxRows ?? Number.POSITIVE_INFINITY);
  }

  /** Hands on the rows that wait for more. */
  async handOver(): Promise<void> {
    const { batch, options } = this;
    if (batch.rows === 0) return;
    for (const column of batch.columns) if (column.wide) this.checkUtf8(column);
    const { rows } = batch;
    await options.take(batch);
    this.rows += rows;
    this.seen = 0;
    batch.clear();
    options.hooks.onRows?.(rows);
  }

  private async drain(): Promise<void> {
    for (;;) {
      this.batch.limit = Math.min(BATCH_ROWS, (this.options.maxRows ?? Number.POSITIVE_INFINITY) - this.rows);
      if (this.full) return;
      const step = this.decoder.step(this.batch, this.keep);
      this.seeRows();
      if (step === 'full' || this.options.eager || this.batch.dataBytes() > MAX_BATCH_BYTES) await this.handOver();
      if (step !== 'full') return;
    }
  }

  private readonly keep = (row: number): boolean => {
    if (this.exclude === undefined || this.guidKey === undefined || !isKey(this.guidKey, row, this.exclude))
      return true;
    this.excluded++;
    return false;
  };

  private seeRows(): void {
    const { batch, guidKey } = this;
    if (batch.rows === this.seen) return;
    for (const { column, nulls } of this.keyColumns) {
      if (nulls > 0)
        throw new TablevaultError(
          'BODY_INVALID',
          `a row of ${this.options.spec.table} has no value in its key column ${column.name}`,
          { at: { table: this.options.spec.table } },
        );
    }
    if (guidKey !== undefined) for (let row = this.seen; row < batch.rows; row++) this.watch.see(guidKey, row);
    this.pageRows += batch.rows - this.seen;
    this.seen = batch.rows;
    this.last = this.keyText(batch.rows - 1);
  }

  private keyText(row: number): string | null {
    if (row < 0 || this.keyColumns.length === 0) return null;
    return this.keyColumns
      .map((column) => (column === this.guidKey ? guidAt(column, row) : String(valueText(column, row))))
      .join(',');
  }

  private checkUtf8({ column, offsets, data }: ColumnBuffer): void {
    const { rows } = this.batch;
    if (isUtf8(data.subarray(0, offsets[rows]))) return;
    const table = this.options.spec.table;
    for (let row = 0; row < rows; row++) {
      if (isUtf8(data.subarray(offsets[row], offsets[row + 1]))) continue;
      const key = this.keyText(row);
      throw new TablevaultError('BODY_INVALID', `a text of ${table}.${column.name} is not UTF-8`, {
        at: { table, column: column.name, ...(key === null ? {} : { key }) },
      });
    }
  }
}
