/** The rows of a task as a writer thread pulls them: decoded from the bytes in its mailbox. */
import { isUtf8 } from 'node:buffer';
import { TablevaultError } from '../core/errors.ts';
import { BATCH_ROWS, Batch, type ColumnBuffer } from '../decode/columns.ts';
import { guidAt, guidWords, isKey, KeyWatch } from '../decode/keys.ts';
import { ResponseDecoder } from '../decode/response.ts';
import { valueText } from '../decode/values.ts';
import { REPORT_SLOTS } from './channel.ts';
import type { Mailbox } from './mailbox.ts';
import type { FromWriter, TaskSpec } from './task.ts';

/** Bytes of text and binary a batch may hold before it is handed on, whatever its rows. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** Where a source takes its messages from, and the bytes that they tell of. */
export type Inbox = Pick<Mailbox, 'take' | 'chunk'>;

/** The rows of a task, pulled batch by batch: takes the responses' bytes from the mailbox, decodes them, tells of each response's end. */
export class RowSource {
  readonly batch: Batch;
  readonly partKeys = new KeyWatch();
  private readonly spec: TaskSpec;
  private readonly mailbox: Inbox;
  private readonly send: (message: FromWriter) => void;
  private readonly decoder: ResponseDecoder;
  private readonly pageKeys = new KeyWatch();
  private readonly keyColumns: readonly ColumnBuffer[];
  /** The key column, when it is a single GUID. */
  private readonly guidKey: ColumnBuffer | undefined;
  private readonly keep: (row: number) => boolean;
  private exclude: Int32Array | undefined;
  private excluded = 0;
  private pageRows = 0;
  private last: string | null = null;
  private inResponse = false;
  /** Since the last report. */
  private freeSlots = 0;
  private newRows = 0;
  /** Rows of the batch already given to `seeRows`. */
  private seen = 0;
  /** Does the batch hold rows that were not pulled yet? */
  private ahead = false;
  private finished = false;

  constructor(spec: TaskSpec, mailbox: Inbox, send: (message: FromWriter) => void) {
    this.spec = spec;
    this.mailbox = mailbox;
    this.send = send;
    this.batch = new Batch(spec.columns);
    this.keyColumns = spec.key.map(
      (name) => this.batch.columns[spec.columns.findIndex((column) => column.name === name)]!,
    );
    const [only] = this.keyColumns;
    this.guidKey = this.keyColumns.length === 1 && only?.column.type.kind === 'guid' ? only : undefined;
    this.keep = (row) => this.keepRow(row);
    this.decoder = new ResponseDecoder(
      spec.columns.map((column) => column.name),
      {
        table: spec.table,
        absentIsNull: spec.absentIsNull,
        maxRowBytes: spec.maxRowBytes,
        onUnknownProperty: (property) => send({ type: 'unknown', property }),
        keyOf: (row) => spec.key.map((name) => `${name}=${String(row[name])}`).join(','),
        lastKey: () => this.keyText(this.batch.rows - 1) ?? this.last ?? undefined,
      },
    );
  }

  /** Has the task a row more? Waits until that is known, and decodes up to `limit` rows for the next `pull`. */
  hasMore(limit: number): boolean {
    this.ahead ||= this.fill(limit);
    return this.ahead;
  }

  /** Fills the batch with the next rows, one to `limit`; false when the task has no more. */
  pull(limit: number): boolean {
    const some = this.hasMore(limit);
    this.ahead = false;
    return some;
  }

  private fill(limit: number): boolean {
    this.batch.clear();
    this.batch.limit = Math.min(limit, BATCH_ROWS);
    this.seen = 0;
    for (;;) {
      if (this.inResponse) {
        const step = this.decoder.step(this.batch, this.keep);
        this.seeRows();
        if (step === 'full' || (this.batch.rows > 0 && this.batch.dataBytes() > MAX_BATCH_BYTES))
          return this.handOver();
        if (step === 'done') {
          this.endResponse();
          continue;
        }
      }
      // The batch is handed over only when it is full or the task is at its end: waiting here never leaves rows behind.
      if (!this.receive()) return this.batch.rows > 0 ? this.handOver() : false;
    }
  }

  /** Takes in one message; false when the task is at its end. */
  private receive(): boolean {
    if (this.finished) return false;
    const message = this.mailbox.take();
    switch (message.type) {
      case 'begin':
        this.decoder.begin();
        this.pageKeys.reset();
        this.pageRows = 0;
        this.excluded = 0;
        this.exclude = message.exclude === null ? undefined : guidWords(message.exclude);
        this.inResponse = true;
        return true;
      case 'chunk':
        this.decoder.push(this.mailbox.chunk(message.length));
        if (++this.freeSlots >= REPORT_SLOTS) this.report();
        return true;
      case 'end':
        this.decoder.finish();
        return true;
      case 'finish':
        this.finished = true;
        return false;
      case 'abort':
        throw new TablevaultError('INTERRUPTED', `the reading of ${this.spec.table} was given up`);
    }
  }

  private endResponse(): void {
    this.inResponse = false;
    this.report();
    const { nextLink } = this.decoder.envelope();
    this.send({
      type: 'page',
      page: {
        rows: this.pageRows + this.excluded,
        excluded: this.excluded,
        nextLink,
        keys: this.guidKey === undefined ? null : this.pageKeys.seen(),
      },
    });
  }

  private report(): void {
    this.send({ type: 'progress', slots: this.freeSlots, rows: this.newRows });
    this.freeSlots = 0;
    this.newRows = 0;
  }

  private keepRow(row: number): boolean {
    if (this.exclude === undefined || this.guidKey === undefined || !isKey(this.guidKey, row, this.exclude))
      return true;
    this.excluded++;
    return false;
  }

  /** Looks at the rows decoded since the last call. */
  private seeRows(): void {
    const { batch, guidKey } = this;
    const added = batch.rows - this.seen;
    if (added === 0) return;
    for (const column of this.keyColumns) {
      if (column.nulls > 0)
        throw new TablevaultError(
          'BODY_INVALID',
          `a row of ${this.spec.table} has no value in its key column ${column.column.name}`,
        );
    }
    if (guidKey !== undefined) {
      for (let row = this.seen; row < batch.rows; row++) {
        this.pageKeys.see(guidKey, row);
        this.partKeys.see(guidKey, row);
      }
    }
    this.pageRows += added;
    this.seen = batch.rows;
    this.last = this.keyText(batch.rows - 1);
    this.newRows += added;
  }

  private keyText(row: number): string | null {
    if (row < 0 || this.keyColumns.length === 0) return null;
    return this.keyColumns
      .map((column) => (column === this.guidKey ? guidAt(column, row) : String(valueText(column, row))))
      .join(',');
  }

  private handOver(): true {
    for (const column of this.batch.columns) if (column.wide) this.checkUtf8(column);
    return true;
  }

  private checkUtf8(column: ColumnBuffer): void {
    const { offsets, data } = column;
    const { rows } = this.batch;
    if (isUtf8(data.subarray(0, offsets[rows]))) return;
    for (let row = 0; row < rows; row++) {
      if (isUtf8(data.subarray(offsets[row], offsets[row + 1]))) continue;
      const key = this.keyText(row);
      throw new TablevaultError('BODY_INVALID', `a text of ${this.spec.table}.${column.column.name} is not UTF-8`, {
        at: { table: this.spec.table, column: column.column.name, ...(key === null ? {} : { key }) },
      });
    }
  }
}
