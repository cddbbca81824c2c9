/** JSON strings to values of any length: text, base64, and values kept as text. Same conventions as scalars.ts. */
import type { ColumnBuffer } from './columns.ts';
import { NO, numberEnd } from './scalars.ts';
import { skipValue } from './skip.ts';

/** A JSON string as UTF-8. Bytes beyond ASCII are copied as they are; the decoder checks them once a batch. */
export function readText(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  if (buf[pos] !== 0x22) return NO;
  let at = pos + 1;
  let out = column.offsets[row]!;
  let data = column.data;
  let room = data.length;
  let high = 0;
  if ((buf[at]! & 0xc0) === 0x80) return NO;
  for (;;) {
    const byte = buf[at]!;
    if (byte === 0x22) break;
    if (byte < 0x20) return NO;
    if (out + 4 > room) {
      column.reserve(out, Math.max(room, 64));
      data = column.data;
      room = data.length;
    }
    if (byte !== 0x5c) {
      high |= byte;
      data[out++] = byte;
      at++;
      continue;
    }
    const simple = ESCAPES[buf[at + 1]!]!;
    if (simple !== 0) {
      data[out++] = simple;
      at += 2;
      continue;
    }
    if (buf[at + 1] !== 0x75) return NO;
    let code = hex4(buf, at + 2);
    at += 6;
    if (code >= 0xd800 && code <= 0xdbff && buf[at] === 0x5c && buf[at + 1] === 0x75) {
      const low = hex4(buf, at + 2);
      if (low < 0xdc00 || low > 0xdfff) return NO;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      at += 6;
    }
    if (code < 0 || (code >= 0xd800 && code <= 0xdfff)) return NO;
    out = writeUtf8(data, out, code);
    if (code >= 0x80) high = 0xff;
  }
  if (high >= 0x80) column.wide = true;
  column.offsets[row + 1] = out;
  return at + 1;
}

/** Base64 or base64url, padded or not (OData JSON 4.01 §7.1 asks for base64url; servers differ). */
export function readBinary(buf: Uint8Array, pos: number, column: ColumnBuffer, row: number): number {
  if (buf[pos] !== 0x22) return NO;
  let at = pos + 1;
  let out = column.offsets[row]!;
  for (;;) {
    if (out + 3 > column.data.length) column.reserve(out, Math.max(column.data.length, 64));
    const data = column.data;
    const a = SIXTY_FOUR[buf[at]!]!;
    if (a < 0) break;
    const b = SIXTY_FOUR[buf[at + 1]!]!;
    if (b < 0) return NO;
    const c = SIXTY_FOUR[buf[at + 2]!]!;
    const d = c < 0 ? -1 : SIXTY_FOUR[buf[at + 3]!]!;
    data[out++] = (a << 2) | (b >> 4);
    if (c < 0) {
      if ((b & 15) !== 0) return NO;
      at = skipPadding(buf, at + 2, 2);
      break;
    }
    data[out++] = (b << 4) | (c >> 2);
    if (d < 0) {
      if ((c & 3) !== 0) return NO;
      at = skipPadding(buf, at + 3, 1);
      break;
    }
    data[out++] = (c << 6) | d;
    at += 4;
  }
  if (at < 0 || buf[at] !== 0x22) return NO;
  column.offsets[row + 1] = out;
  return at + 1;
}

/** `count` signs of padding, or none at all. */
function skipPadding(buf: Uint8Array, pos: number, count: number): number {
  if (buf[pos] !== 0x3d) return pos;
  for (let i = 0; i < count; i++) if (buf[pos + i] !== 0x3d) return NO;
  return pos + count;
}

/** A JSON number's own digits, quoted or not. */
export function readDecimalText(buf: Uint8Array, pos: number, end: number, column: ColumnBuffer, row: number): number {
  const quoted = buf[pos] === 0x22;
  const start = quoted ? pos + 1 : pos;
  const stop = numberEnd(buf, start);
  if (skipValue(buf, start, end) !== stop) return NO;
  if (quoted && buf[stop] !== 0x22) return NO;
  copyRaw(buf, start, stop, column, row);
  return quoted ? stop + 1 : stop;
}

/**
 * A value kept as text: a JSON string's content, any other JSON value's text as it came.
 *
 * A string with half a surrogate pair (`\ud800` alone), which UTF-8 cannot hold, is kept as its JSON text instead, quotation marks and escapes
 * and all; so is a string whose content looks like such a text. What begins and ends with a quotation mark and holds the escape of a
 * surrogate is thus always the JSON text.
 */
export function readJson(buf: Uint8Array, pos: number, end: number, column: ColumnBuffer, row: number): number {
  const isString = buf[pos] === 0x22;
  if (isString) {
    const after = readText(buf, pos, column, row);
    if (after >= 0 && !looksLikeJsonText(column, row)) return after;
  } else if (buf[pos] === 0x20 || buf[pos]! < 0x20) {
    // White space: the caller knows where the value begins, and the row before had none here.
    return NO;
  }
  const stop = skipValue(buf, pos, end);
  if (typeof stop !== 'number' || stop < 0) return NO;
  copyRaw(buf, pos, stop, column, row);
  column.wide = true;
  return stop;
}

function looksLikeJsonText({ data, offsets }: ColumnBuffer, row: number): boolean {
  const start = offsets[row]!;
  const end = offsets[row + 1]!;
  if (data[start] !== 0x22 || data[end - 1] !== 0x22) return false;
  return /\\u[dD][89a-fA-F]/.test(Buffer.from(data.subarray(start, end)).toString('latin1'));
}

function copyRaw(buf: Uint8Array, start: number, stop: number, column: ColumnBuffer, row: number): void {
  const out = column.offsets[row]!;
  column.reserve(out, stop - start);
  column.data.set(buf.subarray(start, stop), out);
  column.offsets[row + 1] = out + stop - start;
}

/** The number of four hexadecimal digits, or a negative number. */
function hex4(buf: Uint8Array, pos: number): number {
  let code = 0;
  for (let i = 0; i < 4; i++) {
    const digit = HEX[buf[pos + i]!]!;
    if (digit < 0) return -1;
    code = (code << 4) | digit;
  }
  return code;
}

function writeUtf8(data: Uint8Array, pos: number, code: number): number {
  let out = pos;
  if (code < 0x80) {
    data[out++] = code;
  } else if (code < 0x800) {
    data[out++] = 0xc0 | (code >> 6);
    data[out++] = 0x80 | (code & 63);
  } else if (code < 0x10000) {
    data[out++] = 0xe0 | (code >> 12);
    data[out++] = 0x80 | ((code >> 6) & 63);
    data[out++] = 0x80 | (code & 63);
  } else {
    data[out++] = 0xf0 | (code >> 18);
    data[out++] = 0x80 | ((code >> 12) & 63);
    data[out++] = 0x80 | ((code >> 6) & 63);
    data[out++] = 0x80 | (code & 63);
  }
  return out;
}

const ESCAPES = table(0, { '"': 0x22, '\\': 0x5c, '/': 0x2f, b: 8, f: 12, n: 10, r: 13, t: 9 });
const HEX = table(-1, digitsOf('0123456789abcdef', 'ABCDEF'));
const SIXTY_FOUR = table(-1, {
  ...digitsOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', ''),
  '-': 62,
  _: 63,
});

function digitsOf(digits: string, capitals: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [index, char] of [...digits].entries()) values[char] = index;
  for (const [index, char] of [...capitals].entries()) values[char] = index + 10;
  return values;
}

function table(missing: number, values: Readonly<Record<string, number>>): Int8Array {
  const cells = new Int8Array(256).fill(missing);
  for (const [char, value] of Object.entries(values)) cells[char.charCodeAt(0)] = value;
  return cells;
}
