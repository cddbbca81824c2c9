/** Decodes one row into column buffers. */
import { isUtf8 } from 'node:buffer';
import { type Batch, CODE, type ColumnBuffer } from './columns.ts';
import { isErrorName, tellsOfError } from './control.ts';
import { withoutEscapes } from './escapes.ts';
import type { RowFault } from './row-fault.ts';
import { NO, readBoolean, readDate, readFloat, readGuid, readNumber, readTime, readTimestamp } from './scalars.ts';
import { skipSpace, skipString, skipValue, UNDERRUN } from './skip.ts';
import { readBinary, readDecimalText, readJson, readText } from './strings.ts';

/** `null`, as four bytes. */
const NULL_TEXT = 0x6c6c756e;

export interface RowDecoderOptions {
  /** A probe proved that this server leaves out properties that are null: a nullable column may be absent, any other not. */
  readonly absentIsNull: boolean;
  /** Called once for each property that no column is named for. */
  readonly onUnknownProperty: (name: string) => void;
}

/** Bytes of zeros that the input is followed by, so that the readers need not look for its end. */
export const PADDING = 64;

/**
 * Decodes one JSON object into the columns of a batch.
 *
 * It predicts: servers write the rows of a response with the same properties in the same order and spacing, so the bytes between two
 * values are compared with those of the row before, four at a time, and no name is looked up. A row of another shape is read by name,
 * and its shape becomes the prediction.
 */
export class RowDecoder {
  buf = new Uint8Array(PADDING);
  view = new DataView(this.buf.buffer);
  end = 0;
  fault: RowFault | undefined;
  private readonly slots = new Map<string, number>();
  private readonly options: RowDecoderOptions;
  private readonly width: number;
  private readonly unknown = new Set<string>();
  private readonly seen: Int32Array;
  private round = 0;
  /** The predicted shape: for each value, the bytes before it as words, and the column it goes to (-1: ignored). */
  private words = new Int32Array(0);
  private starts = new Int32Array(0);
  private lengths = new Int32Array(0);
  private order = new Int32Array(0);
  private absent: number[] = [];
  private tail = new Uint8Array(0);
  private known = false;

  constructor(names: readonly string[], options: RowDecoderOptions) {
    for (const [slot, name] of names.entries()) this.slots.set(name, slot);
    this.options = options;
    this.width = names.length;
    this.seen = new Int32Array(names.length);
  }

  /** The position after the row that begins at `pos`, or `NO`: incomplete, invalid, or see `fault`. */
  decode(pos: number, batch: Batch): number {
    const row = batch.rows;
    if (this.known) {
      const after = this.decodePredicted(pos, batch, row);
      if (after >= 0) return after;
      restoreRow(batch.columns, row);
      // A row that is merely not all there says nothing against the prediction.
      if (skipValue(this.buf, pos, this.end) === UNDERRUN) {
        this.fault = undefined;
        return NO;
      }
    }
    const after = this.decodeByName(pos, batch, row);
    if (after < 0) restoreRow(batch.columns, row);
    return after;
  }

  /** Takes back the row that was just decoded at `batch.rows`. */
  forget(batch: Batch): void {
    restoreRow(batch.columns, batch.rows);
  }

  private decodePredicted(pos: number, batch: Batch, row: number): number {
    const { view, words, starts, lengths, order } = this;
    const columns = batch.columns;
    const values = order.length;
    let at = pos;
    for (let k = 0; k < values; k++) {
      const length = lengths[k]!;
      if (at + length > this.end) return NO;
      let word = starts[k]!;
      const stop = at + (length & ~3);
      while (at < stop) {
        if (view.getInt32(at, true) !== words[word]) return NO;
        word++;
        at += 4;
      }
      const rest = length & 3;
      if (rest !== 0) {
        if ((view.getInt32(at, true) & ((1 << (rest << 3)) - 1)) !== words[word]) return NO;
        at += rest;
      }
      const slot = order[k]!;
      if (slot < 0) {
        at = this.skip(at);
      } else {
        const column = columns[slot]!;
        if (view.getInt32(at, true) === NULL_TEXT && column.sawNull) {
          // As `readValue` does, for half of all values are null.
          setNull(column, row);
          at += 4;
          continue;
        }
        const after = readValue(this.buf, view, at, this.end, column, row);
        at = after < 0 ? this.readEscaped(at, column, row) : after;
      }
      if (at < 0) return NO;
    }
    for (const slot of this.absent) setNull(columns[slot]!, row);
    const tail = this.tail;
    for (let i = 0; i < tail.length; i++) if (this.buf[at + i] !== tail[i]) return NO;
    return at + tail.length;
  }

  /** A value that nobody asked for: valid JSON nevertheless, UTF-8 among it. */
  private skip(pos: number): number {
    const after = skipValue(this.buf, pos, this.end);
    if (typeof after !== 'number' || after < 0) return NO;
    return isUtf8(this.buf.subarray(pos, after)) ? after : this.fail('notUtf8', '');
  }

  /** A value of which the usual reader could make nothing: once more if it is a string with escapes, as the characters they stand for. */
  private readEscaped(pos: number, column: ColumnBuffer, row: number): number {
    if (this.buf[pos] !== 0x22 || column.code === CODE.text || column.code === CODE.json) return NO;
    const after = skipString(this.buf, pos, this.end);
    if (typeof after !== 'number' || after < 0) return NO;
    const plain = withoutEscapes(this.buf, pos, after, PADDING);
    if (plain === undefined) return NO;
    const length = plain.length - PADDING;
    return readValue(plain, new DataView(plain.buffer), 0, length, column, row) === length ? after : NO;
  }

  /** Reads a row by the names of its properties and learns its shape. */
  private decodeByName(pos: number, batch: Batch, row: number): number {
    const { buf, end } = this;
    this.fault = undefined;
    this.known = false;
    const round = ++this.round;
    const shape: { from: number; to: number; slot: number }[] = [];
    let mayBeError = false;
    if (buf[pos] !== 0x7b) return this.fail('notObject', '');
    let from = pos;
    let at = skipSpace(buf, pos + 1, end);
    let found = 0;
    while (buf[at] !== 0x7d || at >= end) {
      if (shape.length > 0) {
        if (buf[at] !== 0x2c) return NO;
        at = skipSpace(buf, at + 1, end);
      }
      if (buf[at] !== 0x22) return NO;
      const nameEnd = skipString(buf, at, end);
      if (typeof nameEnd !== 'number' || nameEnd < 0) return NO;
      const name = propertyName(buf, at, nameEnd);
      if (name === undefined) return this.fail('notUtf8', '');
      at = skipSpace(buf, nameEnd, end);
      if (buf[at] !== 0x3a) return NO;
      at = skipSpace(buf, at + 1, end);
      const slot = this.slots.get(name) ?? -1;
      shape.push({ from, to: at, slot });
      if (slot < 0) {
        mayBeError ||= isErrorName(name);
        this.noteUnknown(name);
        at = this.skip(at);
      } else {
        if (this.seen[slot] === round) return this.fail('duplicate', name);
        this.seen[slot] = round;
        found++;
        const column = batch.columns[slot]!;
        let after = readValue(buf, this.view, at, end, column, row);
        if (after < 0) after = this.readEscaped(at, column, row);
        if (after < 0) return this.fail(buf[at] === 0x6e ? (column.nullable ? 'mixed' : 'null') : 'misfit', name);
        at = after;
      }
      if (at < 0) return NO;
      from = at;
      at = skipSpace(buf, at, end);
      if (at >= end) return NO;
    }
    if (mayBeError && this.isError(pos, at + 1, found === this.width)) return this.fail('error', '');
    const absent: number[] = [];
    if (found < this.width) {
      for (const [name, slot] of this.slots) {
        if (this.seen[slot] === round) continue;
        const column = batch.columns[slot]!;
        if (!(this.options.absentIsNull && column.nullable)) return this.fail('absent', name);
        if (column.sawNull) return this.fail('mixed', name);
        column.sawAbsent = true;
        setNull(column, row);
        absent.push(slot);
      }
    }
    // Whether such a row tells of an error may depend on its values: each is looked at anew.
    if (!mayBeError) this.learn(shape, absent, from, at + 1);
    return at + 1;
  }

  private isError(start: number, end: number, whole: boolean): boolean {
    const row = JSON.parse(Buffer.from(this.buf.buffer, start, end - start).toString('utf8')) as Record<
      string,
      unknown
    >;
    return tellsOfError(row, (name) => this.slots.has(name), whole);
  }

  private learn(
    shape: readonly { from: number; to: number; slot: number }[],
    absent: number[],
    tailFrom: number,
    tailTo: number,
  ): void {
    const total = shape.reduce((sum, { from, to }) => sum + ((to - from + 3) >> 2), 0);
    this.words = new Int32Array(total);
    const bytes = new Uint8Array(this.words.buffer);
    this.starts = new Int32Array(shape.length);
    this.lengths = new Int32Array(shape.length);
    this.order = new Int32Array(shape.length);
    let word = 0;
    for (const [k, { from, to, slot }] of shape.entries()) {
      bytes.set(this.buf.subarray(from, to), word * 4);
      this.starts[k] = word;
      this.lengths[k] = to - from;
      this.order[k] = slot;
      word += (to - from + 3) >> 2;
    }
    this.tail = this.buf.slice(tailFrom, tailTo);
    this.absent = absent;
    this.known = shape.length > 0;
  }

  private noteUnknown(name: string): void {
    // Annotations (`@odata.etag`, `Name@odata.type`) are the protocol's own.
    if (name.includes('@') || this.unknown.has(name) || this.unknown.size > 1000) return;
    this.unknown.add(name);
    this.options.onUnknownProperty(name);
  }

  private fail(kind: RowFault['kind'], property: string): number {
    this.fault = { kind, property };
    return NO;
  }
}

/** The value at `pos` into a row of its column; the position after it, or `NO`. */
function readValue(
  buf: Uint8Array,
  view: DataView,
  pos: number,
  end: number,
  column: ColumnBuffer,
  row: number,
): number {
  if (buf[pos] === 0x6e) {
    if (view.getUint32(pos, true) !== NULL_TEXT || !column.nullable || column.sawAbsent) return NO;
    column.sawNull = true;
    setNull(column, row);
    return pos + 4;
  }
  switch (column.code) {
    case CODE.guid:
      return pos + 38 <= end ? readGuid(view, pos, column, row) : NO;
    case CODE.text:
      return readText(buf, pos, column, row);
    case CODE.decimal:
    case CODE.int32:
    case CODE.int64:
    case CODE.int16:
    case CODE.int8:
    case CODE.uint8:
      return readNumber(buf, pos, column, row);
    case CODE.boolean:
      return readBoolean(view, pos, column, row);
    case CODE.binary:
      return readBinary(buf, pos, column, row);
    case CODE.timestamp:
      return readTimestamp(buf, pos, column, row);
    case CODE.date:
      return readDate(buf, pos, column, row);
    case CODE.time:
      return readTime(buf, pos, column, row);
    case CODE.float32:
    case CODE.float64:
      return readFloat(buf, pos, column, row);
    case CODE.decimalText:
      return readDecimalText(buf, pos, end, column, row);
    default:
      return readJson(buf, pos, end, column, row);
  }
}

function setNull(column: ColumnBuffer, row: number): void {
  column.validity[row >> 3]! &= ~(1 << (row & 7));
  column.nulls++;
  if (column.width === 0) column.offsets[row + 1] = column.offsets[row]!;
}

/** Takes back what a failed attempt wrote of a row: values are overwritten by the next attempt, nulls are not. */
function restoreRow(columns: readonly ColumnBuffer[], row: number): void {
  const bit = 1 << (row & 7);
  for (const column of columns) {
    if ((column.validity[row >> 3]! & bit) === 0) {
      column.validity[row >> 3]! |= bit;
      column.nulls--;
    }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The name in a JSON string, or undefined when it is not valid UTF-8. A mark that cannot be seen makes it another name. */
function propertyName(buf: Uint8Array, start: number, end: number): string | undefined {
  try {
    const raw = decoder.decode(buf.subarray(start + 1, end - 1));
    return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  } catch {
    return undefined;
  }
}
