/**
 * JSON scalars to column values. Each function reads the value at `pos`, writes it at `row` of the column and returns the position
 * after it, or `NO` when the bytes there are not such a value. None checks for the end of the input: the decoder keeps zero bytes
 * behind it, which no value contains.
 */
import type { ColumnBuffer } from './columns.ts';
import { decimalFromText, store128 } from './decimals.ts';
import { doubleOf, singleOf } from './floats.ts';

/** Not such a value (or not all of it has arrived). */
export const NO = -1;

/** Value of two hexadecimal digits, indexed by their bytes as a little-endian 16-bit number; -1 where they are none. */
const HEX2 = hexPairs();
const POW10 = Array.from({ length: 23 }, (_, n) => 10 ** n);
const TWO32 = 4294967296;
/** Digits a double holds exactly, whatever they are. */
const SAFE_DIGITS = 15;

export function readGuid(view: DataView, pos: number, column: ColumnBuffer, row: number): number {
  if (view.getUint8(pos) !== 0x22 || view.getUint8(pos + 37) !== 0x22) return NO;
  const dashes =
    (view.getUint8(pos + 9) ^ 0x2d) |
    (view.getUint8(pos + 14) ^ 0x2d) |
    (view.getUint8(pos + 19) ^ 0x2d) |
    (view.getUint8(pos + 24) ^ 0x2d);
  const a = HEX2[view.getUint16(pos + 1, true)]!;
  const b = HEX2[view.getUint16(pos + 3, true)]!;
  const c = HEX2[view.getUint16(pos + 5, true)]!;
  const d = HEX2[view.getUint16(pos + 7, true)]!;
  const e = HEX2[view.getUint16(pos + 10, true)]!;
  const f = HEX2[view.getUint16(pos + 12, true)]!;
  const g = HEX2[view.getUint16(pos + 15, true)]!;
  const h = HEX2[view.getUint16(pos + 17, true)]!;
  const i = HEX2[view.getUint16(pos + 20, true)]!;
  const j = HEX2[view.getUint16(pos + 22, true)]!;
  const k = HEX2[view.getUint16(pos + 25, true)]!;
  const l = HEX2[view.getUint16(pos + 27, true)]!;
  const m = HEX2[view.getUint16(pos + 29, true)]!;
  const n = HEX2[view.getUint16(pos + 31, true)]!;
  const o = HEX2[view.getUint16(pos + 33, true)]!;
  const p = HEX2[view.getUint16(pos + 35, true)]!;
  if (dashes !== 0 || (a | b | c | d | e | f | g | h | i | j | k | l | m | n | o | p) < 0) return NO;
  const at = row * 4;
  const words = column.i32;
  words[at + 3] = ((a << 24) | (b << 16) | (c << 8) | d) ^ 0x80000000;
  words[at + 2] = (e << 24) | (f << 16) | (g << 8) | h;
  words[at + 1] = (i << 24) | (j << 16) | (k << 8) | l;
  words[at] = (m << 24) | (n << 16) | (o << 8) | p;
  return pos + 38;
}

/** Integers and decimals: an unscaled whole number of at most `SAFE_DIGITS` digits here, anything longer or stranger in `readWideNumber`. */
export function readNumber(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  let at = pos;
  const quoted = buf[at] === 0x22;
  if (quoted) at++;
  const negative = buf[at] === 0x2d;
  if (negative) at++;
  const first = at;
  let value = 0;
  let digit = buf[at]! - 0x30;
  while (digit >= 0 && digit <= 9) {
    value = value * 10 + digit;
    digit = buf[++at]! - 0x30;
  }
  const wholeDigits = at - first;
  if (wholeDigits === 0 || (wholeDigits > 1 && buf[first] === 0x30)) return NO;
  let fractionDigits = 0;
  if (buf[at] === 0x2e) {
    const point = at;
    digit = buf[++at]! - 0x30;
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digit = buf[++at]! - 0x30;
    }
    fractionDigits = at - point - 1;
    if (fractionDigits === 0) return NO;
  }
  const byte = buf[at]!;
  const scale = column.scale;
  const digits = wholeDigits + Math.max(fractionDigits, scale);
  if (digits > SAFE_DIGITS || fractionDigits > scale || byte === 0x65 || byte === 0x45) {
    return readWideNumber(buf, pos, column, row);
  }
  if (quoted) {
    if (byte !== 0x22) return NO;
    at++;
  }
  if (fractionDigits < scale) value *= POW10[scale - fractionDigits]!;
  return storeSafe(negative ? -value : value, column, row) ? at : NO;
}

/** Writes a whole number below 10^15 at the column's width; false when it does not fit. */
function storeSafe(value: number, column: ColumnBuffer, row: number): boolean {
  if (value >= column.bound || value <= -column.bound) return false;
  switch (column.width) {
    case 4:
      column.i32[row] = value;
      return column.i32[row] === value || value === 0;
    case 8:
      column.i32[row * 2] = value % TWO32;
      column.i32[row * 2 + 1] = Math.floor(value / TWO32);
      return true;
    case 2:
      column.i16[row] = value;
      return column.i16[row] === value || value === 0;
    case 1:
      column.bytes[row] = value;
      return column.column.type.kind === 'uint8' ? value >= 0 && value <= 255 : value >= -128 && value <= 127;
    default:
      column.i32[row * 4] = value % TWO32;
      column.i32[row * 4 + 1] = Math.floor(value / TWO32);
      column.i32[row * 4 + 2] = value < 0 ? -1 : 0;
      column.i32[row * 4 + 3] = value < 0 ? -1 : 0;
      return true;
  }
}

function readWideNumber(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  const quoted = buf[pos] === 0x22;
  const start = quoted ? pos + 1 : pos;
  const end = numberEnd(buf, start);
  if (quoted && buf[end] !== 0x22) return NO;
  const unscaled = decimalFromText(latin1(buf, start, end), column.scale);
  if (unscaled === undefined || !fits(unscaled, column)) return NO;
  if (column.width === 16) store128(column.i64, row, unscaled);
  else if (column.width === 8) column.i64[row] = unscaled;
  else if (!storeSafe(Number(unscaled), column, row)) return NO;
  return quoted ? end + 1 : end;
}

function fits(unscaled: bigint, column: ColumnBuffer): boolean {
  if (column.precision !== 0) {
    const bound = 10n ** BigInt(column.precision);
    return unscaled < bound && unscaled > -bound;
  }
  return BigInt.asIntN(64, unscaled) === unscaled && (column.width === 8 || Number.isSafeInteger(Number(unscaled)));
}

/**
 * A double or single, quoted or not, as the nearest value of the type; a number beyond it, or so small that it would become zero, does not fit.
 * OData writes the values that JSON numbers lack as the strings `NaN`, `INF` and `-INF`.
 */
export function readFloat(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  const quoted = buf[pos] === 0x22;
  const start = quoted ? pos + 1 : pos;
  const end = numberEnd(buf, start);
  if (quoted && buf[end] !== 0x22) return readSpecialFloat(buf, start, column, row);
  const text = latin1(buf, start, end);
  if (!JSON_NUMBER.test(text)) return NO;
  const value = column.width === 4 ? singleOf(text) : doubleOf(text);
  if (value === undefined) return NO;
  if (column.width === 4) column.f32[row] = value;
  else column.f64[row] = value;
  return quoted ? end + 1 : end;
}

function readSpecialFloat(buf: Uint8Array, start: number, column: ColumnBuffer, row: number): number {
  for (const [name, value] of SPECIAL_FLOATS) {
    const end = start + name.length;
    if (buf[end] !== 0x22 || latin1(buf, start, end) !== name) continue;
    if (column.width === 4) column.f32[row] = value;
    else column.f64[row] = value;
    return end + 1;
  }
  return NO;
}

const SPECIAL_FLOATS = [
  ['NaN', Number.NaN],
  ['INF', Number.POSITIVE_INFINITY],
  ['-INF', Number.NEGATIVE_INFINITY],
] as const;
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

export function readBoolean(view: DataView, pos: number, column: ColumnBuffer, row: number): number {
  const word = view.getUint32(pos, true);
  if (word === 0x65757274) {
    column.bytes[row] = 1;
    return pos + 4;
  }
  if (word === 0x736c6166 && view.getUint8(pos + 4) === 0x65) {
    column.bytes[row] = 0;
    return pos + 5;
  }
  return NO;
}

/** `YYYY-MM-DD`, years 0001 to 9999, as days since 1970. Some servers send a midnight instant for a date: only an exact midnight in UTC fits. */
export function readDate(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  if (buf[pos] !== 0x22) return NO;
  const days = daysAt(buf, pos + 1);
  if (Number.isNaN(days)) return NO;
  column.i32[row] = days;
  let at = pos + 11;
  if (buf[at] === 0x54) {
    at = readClock(buf, at + 1);
    if (at === NO || clockSeconds !== 0 || fractionMicros !== 0) return NO;
    if (buf[at] === 0x5a) at++;
    else if (offsetAt(buf, at) === 0) at += 6;
    else return NO;
  }
  return buf[at] === 0x22 ? at + 1 : NO;
}

/** The first and the last second of the years 1 to 9999 in UTC, which every format and database can hold. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;

/**
 * `YYYY-MM-DDThh:mm[:ss[.fffffff]](Z|±hh:mm)` as microseconds since 1970 in UTC. A seventh digit that is not 0 does not fit, nor does an
 * offset that leads out of the years 1 to 9999.
 */
export function readTimestamp(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  if (buf[pos] !== 0x22) return NO;
  const days = daysAt(buf, pos + 1);
  if (Number.isNaN(days) || buf[pos + 11] !== 0x54) return NO;
  let at = readClock(buf, pos + 12);
  if (at === NO) return NO;
  let offset = 0;
  if (buf[at] === 0x5a) {
    at++;
  } else {
    offset = offsetAt(buf, at);
    if (Number.isNaN(offset)) return NO;
    at += 6;
  }
  if (buf[at] !== 0x22) return NO;
  const seconds = days * 86_400 + clockSeconds - offset;
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND) return NO;
  storeMicros(seconds, fractionMicros, column.i32, row);
  return at + 1;
}

/** `hh:mm[:ss[.fffffff]]` as microseconds since midnight. */
export function readTime(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  if (buf[pos] !== 0x22) return NO;
  const at = readClock(buf, pos + 1);
  if (at === NO || buf[at] !== 0x22) return NO;
  storeMicros(clockSeconds, fractionMicros, column.i32, row);
  return at + 1;
}

/** What `readClock` read last: seconds since midnight. */
let clockSeconds = 0;

/** `hh:mm[:ss[.fffffff]]`: where it ends, or NO; fills `clockSeconds` and `fractionMicros`. Without seconds there is no fraction of one. */
function readClock(buf: Uint8Array, pos: number): number {
  const withSeconds = buf[pos + 5] === 0x3a;
  clockSeconds = clockAt(buf, pos, withSeconds);
  fractionMicros = 0;
  if (Number.isNaN(clockSeconds)) return NO;
  return withSeconds ? readFraction(buf, pos + 8) : pos + 5;
}

/** What `readFraction` read last, microseconds. Not returned: that would make garbage for every value. */
let fractionMicros = 0;

/** A fraction of a second, `.` and digits, or nothing. Where it ends, or NO where it has digits beyond microseconds that are not zero. */
function readFraction(buf: Uint8Array, pos: number): number {
  fractionMicros = 0;
  if (buf[pos] !== 0x2e) return pos;
  let at = pos + 1;
  let unit = 100_000;
  for (let digit = buf[at]! - 0x30; digit >= 0 && digit <= 9; digit = buf[++at]! - 0x30) {
    if (unit >= 1) fractionMicros += digit * unit;
    else if (digit !== 0) return NO;
    unit /= 10;
  }
  return at === pos + 1 ? NO : at;
}

/** seconds × 10^6 + micros as a 64-bit number, in steps that a double holds exactly (the product needs 59 bits). */
function storeMicros(seconds: number, micros: number, words: Int32Array, row: number): void {
  const high = Math.floor(seconds / 1048576);
  const low = seconds - high * 1048576;
  const million = high * 1_000_000;
  const top = Math.floor(million / 4096);
  const rest = (million - top * 4096) * 1048576 + low * 1_000_000 + micros;
  const carry = Math.floor(rest / TWO32);
  words[row * 2] = rest - carry * TWO32;
  words[row * 2 + 1] = top + carry;
}

/** Days since 1970 of the `YYYY-MM-DD` at `pos`, or NaN. Source: Howard Hinnant, "chrono-compatible low-level date algorithms". */
function daysAt(buf: Uint8Array, pos: number): number {
  const year = two(buf, pos) * 100 + two(buf, pos + 2);
  const month = two(buf, pos + 5);
  const day = two(buf, pos + 8);
  if (buf[pos + 4] !== 0x2d || buf[pos + 7] !== 0x2d) return Number.NaN;
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return Number.NaN;
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Seconds since midnight of the `hh:mm:ss` (or `hh:mm`) at `pos`, or NaN. */
function clockAt(buf: Uint8Array, pos: number, withSeconds: boolean): number {
  const hour = two(buf, pos);
  const minute = two(buf, pos + 3);
  const second = withSeconds ? two(buf, pos + 6) : 0;
  if (buf[pos + 2] !== 0x3a || (withSeconds && buf[pos + 5] !== 0x3a)) return Number.NaN;
  return hour <= 23 && minute <= 59 && second <= 59 ? hour * 3600 + minute * 60 + second : Number.NaN;
}

/** Seconds of the `±hh:mm` at `pos`, or NaN. */
function offsetAt(buf: Uint8Array, pos: number): number {
  const sign = buf[pos] === 0x2b ? 1 : buf[pos] === 0x2d ? -1 : Number.NaN;
  const hour = two(buf, pos + 1);
  const minute = two(buf, pos + 4);
  return buf[pos + 3] === 0x3a && hour <= 14 && minute <= 59 ? sign * (hour * 3600 + minute * 60) : Number.NaN;
}

/** The number of two digits at `pos`, or NaN. */
function two(buf: Uint8Array, pos: number): number {
  const tens = buf[pos]! - 0x30;
  const ones = buf[pos + 1]! - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Where the number's characters that begin at `pos` end. */
export function numberEnd(buf: Uint8Array, pos: number): number {
  let at = pos;
  for (;;) {
    const byte = buf[at]!;
    const isPart =
      (byte >= 0x30 && byte <= 0x39) ||
      byte === 0x2e ||
      byte === 0x2d ||
      byte === 0x2b ||
      byte === 0x65 ||
      byte === 0x45;
    if (!isPart) return at;
    at++;
  }
}

function latin1(buf: Uint8Array, start: number, end: number): string {
  return Buffer.from(buf.buffer, buf.byteOffset + start, end - start).toString('latin1');
}

function hexPairs(): Int16Array {
  const pairs = new Int16Array(65536).fill(-1);
  const digits = '0123456789abcdefABCDEF';
  for (const high of digits) {
    for (const low of digits) {
      pairs[high.charCodeAt(0) | (low.charCodeAt(0) << 8)] = Number.parseInt(high + low, 16);
    }
  }
  return pairs;
}
