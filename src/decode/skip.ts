/**
 * A strict JSON reader that keeps nothing: finds where a value ends, or what is wrong with it. Used off the fast path: for values kept
 * as text, for properties nobody asked for, and to tell why a row could not be decoded.
 * Source: RFC 8259.
 */

/** The input ended inside the value. */
export const UNDERRUN = -1;
/** Depth of nesting at most; deeper input is refused. */
const MAX_DEPTH = 200;

export interface JsonFault {
  readonly offset: number;
  readonly reason: string;
}

/** Where the value that begins at `pos` ends, `UNDERRUN`, or what is wrong. `buf` may be longer than `end`. */
export function skipValue(buf: Uint8Array, pos: number, end: number, depth = 0): number | JsonFault {
  const at = skipSpace(buf, pos, end);
  if (at >= end) return UNDERRUN;
  const byte = buf[at];
  switch (byte) {
    case 0x22:
      return skipString(buf, at, end);
    case 0x7b:
      return depth >= MAX_DEPTH ? fault(at, 'nested too deeply') : skipMembers(buf, at, end, depth, 0x7d);
    case 0x5b:
      return depth >= MAX_DEPTH ? fault(at, 'nested too deeply') : skipMembers(buf, at, end, depth, 0x5d);
    case 0x74:
      return skipWord(buf, at, end, TRUE);
    case 0x66:
      return skipWord(buf, at, end, FALSE);
    case 0x6e:
      return skipWord(buf, at, end, NULL);
    default:
      return skipNumber(buf, at, end);
  }
}

export function skipSpace(buf: Uint8Array, pos: number, end: number): number {
  let at = pos;
  while (at < end) {
    const byte = buf[at]!;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
  return at;
}

/** The end of the string whose opening quote is at `pos`. */
export function skipString(buf: Uint8Array, pos: number, end: number): number | JsonFault {
  let at = pos + 1;
  while (at < end) {
    const byte = buf[at]!;
    if (byte === 0x22) return at + 1;
    if (byte < 0x20) return fault(at, 'a control character inside a string');
    if (byte !== 0x5c) {
      at++;
      continue;
    }
    if (at + 1 >= end) return UNDERRUN;
    const escaped = buf[at + 1]!;
    if (escaped === 0x75) {
      for (let i = 2; i < 6; i++) {
        if (at + i >= end) return UNDERRUN;
        if (!isHex(buf[at + i]!)) return fault(at + i, 'a \\u escape that is not four hexadecimal digits');
      }
      at += 6;
    } else if (SIMPLE_ESCAPES.has(escaped)) {
      at += 2;
    } else {
      return fault(at + 1, 'an unknown escape');
    }
  }
  return UNDERRUN;
}

function skipMembers(buf: Uint8Array, pos: number, end: number, depth: number, close: number): number | JsonFault {
  const isObject = close === 0x7d;
  let at = skipSpace(buf, pos + 1, end);
  if (at >= end) return UNDERRUN;
  if (buf[at] === close) return at + 1;
  for (;;) {
    if (isObject) {
      at = skipSpace(buf, at, end);
      if (at >= end) return UNDERRUN;
      if (buf[at] !== 0x22) return fault(at, 'a property name was expected');
      const name = skipString(buf, at, end);
      if (typeof name !== 'number' || name === UNDERRUN) return name;
      at = skipSpace(buf, name, end);
      if (at >= end) return UNDERRUN;
      if (buf[at] !== 0x3a) return fault(at, "':' was expected");
      at++;
    }
    const value = skipValue(buf, at, end, depth + 1);
    if (typeof value !== 'number' || value === UNDERRUN) return value;
    at = skipSpace(buf, value, end);
    if (at >= end) return UNDERRUN;
    if (buf[at] === close) return at + 1;
    if (buf[at] !== 0x2c) return fault(at, `',' or '${String.fromCharCode(close)}' was expected`);
    at++;
  }
}

function skipWord(buf: Uint8Array, pos: number, end: number, word: Uint8Array): number | JsonFault {
  for (let i = 0; i < word.length; i++) {
    if (pos + i >= end) return UNDERRUN;
    if (buf[pos + i] !== word[i]) return fault(pos + i, 'neither true, false nor null');
  }
  return pos + word.length;
}

/** A number needs a byte after it to be known complete, so one that touches the end is an underrun. */
function skipNumber(buf: Uint8Array, pos: number, end: number): number | JsonFault {
  let at = pos;
  if (buf[at] === 0x2d) at++;
  if (at >= end) return UNDERRUN;
  if (buf[at] === 0x30) at++;
  else {
    const digits = skipDigits(buf, at, end);
    if (digits === at) return fault(at, 'a value was expected');
    at = digits;
  }
  if (at < end && buf[at] === 0x2e) {
    const digits = skipDigits(buf, at + 1, end);
    if (digits === at + 1 && digits < end) return fault(digits, 'a digit was expected');
    at = digits;
  }
  if (at < end && (buf[at] === 0x65 || buf[at] === 0x45)) {
    at++;
    if (at < end && (buf[at] === 0x2b || buf[at] === 0x2d)) at++;
    const digits = skipDigits(buf, at, end);
    if (digits === at && digits < end) return fault(digits, 'a digit was expected');
    at = digits;
  }
  return at >= end ? UNDERRUN : at;
}

function skipDigits(buf: Uint8Array, pos: number, end: number): number {
  let at = pos;
  while (at < end && buf[at]! >= 0x30 && buf[at]! <= 0x39) at++;
  return at;
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

function fault(offset: number, reason: string): JsonFault {
  return { offset, reason };
}

const SIMPLE_ESCAPES = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);
const TRUE = new TextEncoder().encode('true');
const FALSE = new TextEncoder().encode('false');
const NULL = new TextEncoder().encode('null');
