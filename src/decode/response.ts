/** Decodes a response: the envelope around the rows, and each row into columns, from bytes that come in chunks. */
import { isUtf8 } from 'node:buffer';
import { TablevaultError } from '../core/errors.ts';
import type { Batch } from './columns.ts';
import { Control, errorMessage, isObject, meaningOf, tellsOfError } from './control.ts';
import { PADDING, RowDecoder, type RowDecoderOptions } from './row.ts';
import { largestMember, membersAsText, rowFaultError } from './row-fault.ts';
import { type JsonFault, skipSpace, skipString, skipValue, UNDERRUN } from './skip.ts';

/** What a response said besides its rows. */
export interface Envelope {
  /** As sent: may be relative; the caller checks its origin. */
  readonly nextLink: string | null;
  /** `@odata.count`, where asked for and given. */
  readonly count: number | null;
}

export interface ResponseDecoderOptions extends RowDecoderOptions {
  readonly table: string;
  /** Bytes of one row at most. */
  readonly maxRowBytes: number;
  /** Text of the row's key for messages, from the row as an object. */
  readonly keyOf: (row: Readonly<Record<string, unknown>>) => string;
  /** Text of the key of the last row decoded, for messages; undefined where the table has none: a row is no key. */
  readonly lastKey: () => string | undefined;
  /** Columns of the key. */
  readonly key: readonly string[];
}

/** What a step of decoding ended by: the batch is full, all input is used up, or the response is complete. */
export type Step = 'full' | 'input' | 'done';

type Phase = 'start' | 'member' | 'afterMember' | 'rows' | 'afterRow' | 'done';

/**
 * Decodes the body of one OData response, fed in chunks of any size, into batches.
 *
 * Rows are decoded whole: when the input ends inside one, decoding waits until there is at least twice as much of it (so a row of any
 * size is scanned a bounded number of times) and begins the row again. Nothing is taken for complete before the JSON is: input that
 * ends early is BODY_TRUNCATED, an error object is BODY_INVALID, wherever it stands.
 */
export class ResponseDecoder {
  private readonly rows: RowDecoder;
  private readonly options: ResponseDecoderOptions;
  private phase: Phase = 'start';
  private pos = 0;
  private consumed = 0;
  /** Where in the response the last row ended. */
  private rowEnd = 0;
  /** Bytes that must be there before the next attempt. */
  private wanted = 1;
  private ended = false;
  private hasValue = false;
  /** Rows of the response that were decoded. */
  private decoded = 0;
  private control = new Control();

  constructor(names: readonly string[], options: ResponseDecoderOptions) {
    this.options = options;
    this.rows = new RowDecoder(names, options);
  }

  /** Begins the next response of the same table. */
  begin(): void {
    this.phase = 'start';
    this.pos = 0;
    this.rows.end = 0;
    this.consumed = 0;
    this.rowEnd = 0;
    this.wanted = 1;
    this.ended = false;
    this.hasValue = false;
    this.decoded = 0;
    this.control = new Control();
  }

  /** Adds input. The chunk is copied and may be reused. */
  push(chunk: Uint8Array): void {
    const { rows } = this;
    const kept = rows.end - this.pos;
    if (kept > this.options.maxRowBytes * 2) throw this.tooLarge();
    const needed = kept + chunk.length + PADDING;
    let buf = rows.buf;
    if (needed > buf.length) {
      buf = new Uint8Array(Math.max(needed, Math.min(buf.length * 2, buf.length + 64 * 1024 * 1024)));
      buf.set(rows.buf.subarray(this.pos, rows.end));
      rows.buf = buf;
      rows.view = new DataView(buf.buffer);
    } else if (this.pos > 0) {
      buf.copyWithin(0, this.pos, rows.end);
    }
    buf.set(chunk, kept);
    buf.fill(0, kept + chunk.length, kept + chunk.length + PADDING);
    this.consumed += this.pos;
    this.pos = 0;
    rows.end = kept + chunk.length;
    if (this.consumed - this.rowEnd > this.options.maxRowBytes * 2) throw this.invalid({ offset: 0, reason: NO_ROW });
  }

  /** Says that the body has ended: what is missing now is missing. */
  finish(): void {
    this.ended = true;
  }

  /** What the response said besides rows; complete once a step has ended by `done`. */
  envelope(): Envelope {
    const { nextLink, count } = this.control;
    return { nextLink, count };
  }

  /** Decodes until the batch is full, the input is used up or the response is complete. `keep` says of a decoded row whether it counts. */
  step(batch: Batch, keep: (row: number) => boolean): Step {
    if (!this.ended && this.rows.end - this.pos < this.wanted) return 'input';
    for (;;) {
      if (this.phase === 'rows' || this.phase === 'afterRow') {
        const step = this.decodeRows(batch, keep);
        if (step !== 'done') return step;
      } else if (this.phase === 'done') {
        const at = skipSpace(this.rows.buf, this.pos, this.rows.end);
        if (at < this.rows.end) throw this.invalid({ offset: at, reason: 'something follows the end of the response' });
        this.pos = at;
        if (this.ended) return 'done';
        this.wanted = 1;
        return 'input';
      } else if (!this.decodeEnvelope()) {
        return this.underrun();
      }
    }
  }

  private decodeRows(batch: Batch, keep: (row: number) => boolean): Step {
    const { rows } = this;
    const { buf, end } = rows;
    let at = this.pos;
    while (!batch.full) {
      at = skipSpace(buf, at, end);
      if (at >= end) {
        this.pos = at;
        return this.underrun();
      }
      const byte = buf[at]!;
      if (this.phase === 'afterRow') {
        if (byte === 0x5d) {
          this.pos = at + 1;
          this.phase = 'afterMember';
          return 'done';
        }
        if (byte !== 0x2c) throw this.invalid({ offset: at, reason: "',' or ']' was expected after a row" });
        at++;
        this.pos = at;
        this.phase = 'rows';
        continue;
      }
      if (byte === 0x5d && this.emptyRows) {
        this.pos = at + 1;
        this.phase = 'afterMember';
        return 'done';
      }
      const after = rows.decode(at, batch);
      if (after < 0) {
        this.pos = at;
        this.explain(at, batch);
        return this.underrun();
      }
      this.emptyRows = false;
      this.decoded++;
      if (keep(batch.rows)) batch.rows++;
      else rows.forget(batch);
      batch.jsonBytes += after - at;
      this.rowEnd = this.consumed + after;
      at = after;
      this.pos = at;
      this.phase = 'afterRow';
      // The usual way on, without another turn of the loop: a comma and the next row.
      if (buf[at] === 0x2c) {
        at++;
        this.pos = at;
        this.phase = 'rows';
      }
    }
    return 'full';
  }

  /** True until the first row of `value`, where `]` may follow `[` at once. */
  private emptyRows = true;

  /** One token group of the envelope; false when the input ends in it. */
  private decodeEnvelope(): boolean {
    const { buf, end } = this.rows;
    let at = skipSpace(buf, this.pos, end);
    if (at >= end) return false;
    const byte = buf[at]!;
    if (this.phase === 'start') {
      if (byte === 0xef && this.consumed + at === 0) return this.skipByteOrderMark();
      if (byte !== 0x7b) throw this.invalid({ offset: at, reason: 'the response is not a JSON object' });
      at = skipSpace(buf, at + 1, end);
      if (at >= end) return false;
      this.pos = buf[at] === 0x7d ? at + 1 : at;
      this.phase = buf[at] === 0x7d ? this.close(at) : 'member';
      return true;
    }
    if (this.phase === 'afterMember') {
      if (byte === 0x7d) this.phase = this.close(at);
      else if (byte === 0x2c) this.phase = 'member';
      else throw this.invalid({ offset: at, reason: "',' or '}' was expected" });
      this.pos = at + 1;
      return true;
    }
    if (byte !== 0x22) throw this.invalid({ offset: at, reason: 'a property name was expected' });
    const nameEnd = this.ok(skipString(buf, at, end));
    if (nameEnd === UNDERRUN) return false;
    const name = this.parsed(at, nameEnd) as string;
    at = skipSpace(buf, nameEnd, end);
    if (at >= end) return false;
    if (buf[at] !== 0x3a) throw this.invalid({ offset: at, reason: "':' was expected" });
    at = skipSpace(buf, at + 1, end);
    if (at >= end) return false;
    if (meaningOf(name) === 'rows') {
      if (this.hasValue) throw this.invalid({ offset: at, reason: 'a second "value"' });
      if (this.control.error !== undefined) throw this.serverError(this.control.error);
      if (buf[at] !== 0x5b) throw this.invalid({ offset: at, reason: '"value" is not a list of rows' });
      this.hasValue = true;
      this.emptyRows = true;
      this.pos = at + 1;
      this.phase = 'rows';
      return true;
    }
    const valueEnd = this.ok(skipValue(buf, at, end));
    if (valueEnd === UNDERRUN) return false;
    const wrong = this.control.take(name, this.parsed(at, valueEnd));
    if (wrong !== undefined) throw this.invalid({ offset: at, reason: wrong });
    this.pos = valueEnd;
    this.phase = 'afterMember';
    return true;
  }

  /** The mark that some servers put before UTF-8, at the very beginning alone. */
  private skipByteOrderMark(): boolean {
    const { buf, end } = this.rows;
    if (end < 3) return false;
    if (buf[1] !== 0xbb || buf[2] !== 0xbf)
      throw this.invalid({ offset: 0, reason: 'the response is not a JSON object' });
    this.pos = 3;
    return true;
  }

  private close(offset: number): Phase {
    if (this.control.error !== undefined) throw this.serverError(this.control.error);
    if (!this.hasValue) throw this.invalid({ offset, reason: 'the response has no "value"' });
    return 'done';
  }

  private underrun(): Step {
    const { rows } = this;
    if (this.ended) {
      throw new TablevaultError(
        'BODY_TRUNCATED',
        `the response for ${this.options.table} ended before its JSON was complete`,
        {
          retryable: true,
          at: this.place(rows.end),
          hint: 'The connection or the session was cut. If it happens each time, lower limits.concurrency, and check proxies and time-outs between here and the instance.',
        },
      );
    }
    const have = rows.end - this.pos;
    if (have > this.options.maxRowBytes) throw this.tooLarge();
    const most = Math.max(have, this.options.maxRowBytes) + 1;
    this.wanted = this.phase === 'rows' && have > 0 ? Math.min(have * 2, most) : have + 1;
    return 'input';
  }

  /** Throws unless the row that could not be decoded is merely incomplete. */
  private explain(start: number, batch: Batch): void {
    const { buf, end, fault } = this.rows;
    const rowEnd = this.ok(skipValue(buf, start, end));
    if (rowEnd === UNDERRUN) return;
    if (!isUtf8(buf.subarray(start, rowEnd))) throw this.invalid({ offset: start, reason: 'a row that is not UTF-8' });
    const row: unknown = parseLoosely(this.text(start, rowEnd));
    if (!isObject(row)) throw this.invalid({ offset: start, reason: 'a row that is not an object' });
    const column = batch.columns.find((each) => each.column.name === fault?.property)?.column;
    const isColumn = (name: string) => batch.columns.some((each) => each.column.name === name);
    if (fault?.kind === 'error' || tellsOfError(row, isColumn, false)) throw this.serverError(row);
    if (fault === undefined) throw this.invalid({ offset: start, reason: 'a row that cannot be read' });
    const key = this.options.keyOf(membersAsText(buf, start, rowEnd));
    throw rowFaultError(fault, {
      table: this.options.table,
      column,
      isKey: this.options.key.includes(fault.property),
      // A row that lacks its key has none to be named by.
      key: fault.kind === 'absent' && key.includes('undefined') ? '' : key,
      row: this.decoded + 1,
      value: row[fault.property],
      at: this.place(start),
    });
  }

  private ok(position: number | JsonFault): number {
    if (typeof position === 'number') return position;
    throw this.invalid(position);
  }

  private invalid(fault: JsonFault): TablevaultError {
    return new TablevaultError(
      'BODY_INVALID',
      `the response for ${this.options.table} is not the JSON it should be: ${fault.reason}`,
      {
        at: this.place(fault.offset),
        retryable: true,
        hint: 'Something between the instance and here may have changed the body; run again, and report it if it repeats.',
      },
    );
  }

  private serverError(error: unknown): TablevaultError {
    return new TablevaultError(
      'BODY_INVALID',
      `the instance reported an error inside the response for ${this.options.table}: ${errorMessage(error).slice(0, 300)}`,
      {
        at: this.place(this.pos),
        retryable: true,
        hint: 'Nothing of this response is used. If it happens each time, ask whoever runs the instance about this message.',
      },
    );
  }

  private tooLarge(): TablevaultError {
    if (this.phase !== 'rows') return this.invalid({ offset: 0, reason: NO_ROW });
    const { table, maxRowBytes, keyOf } = this.options;
    const { buf, end } = this.rows;
    const megabytes = Math.floor(maxRowBytes / 1024 / 1024);
    const start = skipSpace(buf, this.pos, end);
    const key = keyOf(membersAsText(buf, start, end));
    const column = largestMember(buf, start, end);
    const which =
      key === '' ? `row ${this.decoded + 1} of an answer for ${table}` : `the row of ${table} with the key ${key}`;
    const most = column === undefined ? '' : `, most of it in the column ${column}`;
    return new TablevaultError('ROW_TOO_LARGE', `${which} is larger than ${megabytes} MB${most}`, {
      at: { ...this.place(this.pos), ...(key === '' ? {} : { key }), ...(column === undefined ? {} : { column }) },
      hint: 'Raise limits.memoryMb (a row may take a tenth of it), or leave the large column out in the pipeline.',
    });
  }

  private place(offset: number): Record<string, string | number> {
    const last = this.options.lastKey();
    const at = { table: this.options.table, offset: this.consumed + offset };
    return last === undefined ? at : { ...at, lastKey: last };
  }

  /** A name or value of the envelope. */
  private parsed(start: number, end: number): unknown {
    try {
      return JSON.parse(UTF8.decode(this.rows.buf.subarray(start, end)));
    } catch {
      throw this.invalid({ offset: start, reason: 'text that is not UTF-8' });
    }
  }

  private text(start: number, end: number): string {
    return Buffer.from(this.rows.buf.buffer, start, end - start).toString('utf8');
  }
}

const NO_ROW = 'many megabytes without a row';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** For messages only: the row is known to be valid JSON, but may be longer than a string can be. */
function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
