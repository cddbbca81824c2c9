/** The rows of a task as a writer thread pulls them: decoded from the bytes in its mailbox. */
import { TablevaultError } from '../core/errors.ts';
import type { KeysSeen } from '../core/key-order.ts';
import { BATCH_ROWS, type Batch } from '../decode/columns.ts';
import { RowReader } from '../decode/reader.ts';
import { REPORT_SLOTS } from './channel.ts';
import type { Mailbox } from './mailbox.ts';
import type { FromWriter, TaskSpec } from './task.ts';

/** Where a source takes its messages from, and the bytes that they tell of. */
export type Inbox = Pick<Mailbox, 'take' | 'chunk'>;

/** The rows of a task, pulled batch by batch: takes the responses' bytes from the mailbox, tells of each response's end. */
export class RowSource {
  private readonly table: string;
  private readonly mailbox: Inbox;
  private readonly send: (message: FromWriter) => void;
  private readonly reader: RowReader;
  private inResponse = false;
  /** Since the last report. */
  private freeSlots = 0;
  private newRows = 0;
  /** Does the batch hold rows that were not pulled yet? */
  private ahead = false;
  private finished = false;

  constructor(spec: TaskSpec, mailbox: Inbox, send: (message: FromWriter) => void) {
    this.table = spec.table;
    this.mailbox = mailbox;
    this.send = send;
    this.reader = new RowReader({ ...spec, watchesParts: true }, (property) => send({ type: 'unknown', property }));
  }

  get batch(): Batch {
    return this.reader.batch;
  }

  /** The rows pulled from now on are those of a new part. */
  beginPart(): void {
    this.reader.part?.begin(null);
  }

  /** Keys of the part, where the key is one column that has an order. */
  partKeys(): KeysSeen | undefined {
    return this.reader.part?.seen();
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
    const { reader } = this;
    const { batch } = reader;
    const most = Math.min(limit, BATCH_ROWS);
    reader.clear();
    for (;;) {
      if (this.inResponse) {
        const before = batch.rows;
        const step = reader.step(most);
        this.newRows += batch.rows - before;
        if (step === 'full') return this.handOver();
        if (step === 'done') {
          this.endResponse();
          continue;
        }
      }
      // The batch is handed over only when it is full or the task is at its end: waiting here never leaves rows behind.
      if (!this.receive()) return batch.rows > 0 ? this.handOver() : false;
    }
  }

  /** Takes in one message; false when the task is at its end. */
  private receive(): boolean {
    if (this.finished) return false;
    const message = this.mailbox.take();
    switch (message.type) {
      case 'begin':
        this.reader.begin(message.exclude, message.remembers);
        this.inResponse = true;
        return true;
      case 'chunk':
        this.reader.push(this.mailbox.chunk(message.length));
        if (++this.freeSlots >= REPORT_SLOTS) this.report();
        return true;
      case 'end':
        this.reader.finish();
        return true;
      case 'finish':
        this.finished = true;
        return false;
      case 'abort':
        throw new TablevaultError('INTERRUPTED', `the reading of ${this.table} was given up`);
    }
  }

  private endResponse(): void {
    this.inResponse = false;
    this.report();
    this.send({ type: 'page', page: this.reader.page() });
  }

  private report(): void {
    this.send({ type: 'progress', slots: this.freeSlots, rows: this.newRows });
    this.freeSlots = 0;
    this.newRows = 0;
  }

  private handOver(): true {
    this.reader.checkText();
    return true;
  }
}
