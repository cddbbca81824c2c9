/** The sink of a task whose rows are wanted here and now, as batches. */
import type { Key } from '../core/key-order.ts';
import { BATCH_ROWS, type Batch } from '../decode/columns.ts';
import { type PageFacts, RowReader } from '../decode/reader.ts';
import type { LocalPart, SinkHooks, TaskSink, TaskSpec } from '../parquet/task.ts';

export interface BatchSinkOptions {
  readonly spec: Pick<TaskSpec, 'table' | 'columns' | 'key' | 'absentIsNull' | 'maxRowBytes'>;
  readonly hooks: SinkHooks;
  /** Takes a batch; the next rows are decoded once it resolves. The batch is used again. */
  readonly take: (batch: Batch) => Promise<void>;
  /** Hand rows on with each piece of the response, not only when a batch is full. */
  readonly eager: boolean;
  /** Rows to keep at most. Default all. */
  readonly maxRows?: number;
}

/** Keys that are remembered at most: some hundred megabytes. */
const MOST_KEYS = 1_000_000;

/**
 * Where a task's responses go when its rows are wanted here and now, not as Parquet parts: decodes in this thread, hands batches on. A
 * response that proves broken has already handed on what came before: whoever takes the batches must be able to take them back, or fail.
 */
export class BatchSink implements TaskSink {
  rows = 0;
  private readonly options: BatchSinkOptions;
  private readonly reader: RowReader;
  /** Keys of rows that were handed on, where their order cannot be watched; undefined where one came twice, or they are too many. */
  private keys: Set<string> | undefined;

  constructor(options: BatchSinkOptions) {
    this.options = options;
    this.reader = new RowReader(options.spec, (property) => options.hooks.onUnknown?.(property));
    if (options.spec.key.length > 0 && !this.reader.watchesKeys) this.keys = new Set();
  }

  begin(exclude: Key | null, remembers = false): void {
    this.reader.begin(exclude, remembers);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.reader.push(bytes);
    await this.drain();
  }

  async end(): Promise<PageFacts> {
    this.reader.finish();
    await this.drain();
    await this.handOver();
    return this.reader.page();
  }

  /** As if all rows were one file: what counts is how many there are. */
  finish(): Promise<readonly LocalPart[]> {
    const part = {
      path: '',
      rows: this.rows,
      bytes: 0,
      sha256: '',
      rowBytes: 0,
      firstKey: null,
      lastKey: null,
      ascending: true,
      keysDiffer: this.keys !== undefined,
    };
    return Promise.resolve([{ ...part, columns: {}, nulls: this.reader.batch.nullHabits() }]);
  }

  abort(): void {}

  /** Has it all the rows that are wanted? */
  get full(): boolean {
    return this.wanted <= this.reader.batch.rows;
  }

  /** Hands on the rows that wait for more. */
  async handOver(): Promise<void> {
    const { reader, options } = this;
    const { rows } = reader.batch;
    if (rows === 0) return;
    reader.checkText();
    this.remember(rows);
    await options.take(reader.batch);
    this.rows += rows;
    reader.clear();
    options.hooks.onRows?.(rows);
  }

  private remember(rows: number): void {
    const { keys } = this;
    if (keys === undefined) return;
    const before = keys.size;
    for (let row = 0; row < rows; row++) keys.add(this.reader.keyText(row) ?? '');
    if (keys.size !== before + rows || keys.size > MOST_KEYS) this.keys = undefined;
  }

  private get wanted(): number {
    return (this.options.maxRows ?? Number.POSITIVE_INFINITY) - this.rows;
  }

  private async drain(): Promise<void> {
    for (;;) {
      if (this.full) return;
      const step = this.reader.step(Math.min(BATCH_ROWS, this.wanted));
      if (step === 'full' || this.options.eager) await this.handOver();
      if (step !== 'full') return;
    }
  }
}
