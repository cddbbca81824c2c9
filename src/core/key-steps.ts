/** Keys counted on and back: the next one, the one before, and those further on. Pure. */
import { type Guid, guidOfSqlOrderKey, sqlOrderKey } from './guid.ts';
import { comparator, type Key, type KeyOrder } from './key-order.ts';
import type { ColumnType } from './schema.ts';

/** The keys of a type as whole numbers, in one of its orders: neighbours differ by 1, at the resolution that is stored. */
interface Line {
  readonly of: (key: Key) => bigint;
  readonly key: (place: bigint) => Key;
  readonly least: bigint;
  readonly greatest: bigint;
}

const DAY_MICROS = 86_400_000_000n;
/** Days of 0001-01-01 and 9999-12-31 since 1970. */
const FIRST_DAY = -719_162n;
const LAST_DAY = 2_932_896n;
const LAST_GUID = 2n ** 128n - 1n;
/** More digits than any decimal column has. */
const LAST_DECIMAL = 10n ** 80n;

const INTEGER_BITS: Readonly<Partial<Record<ColumnType['kind'], bigint>>> = {
  int8: 8n,
  int16: 16n,
  int32: 32n,
  int64: 64n,
};

/** Undefined for text: its order is the server's own. */
function lineOf({ kind }: ColumnType, order: KeyOrder, scale: number): Line | undefined {
  const bits = INTEGER_BITS[kind];
  if (bits !== undefined)
    return { of: BigInt, key: String, least: -(2n ** (bits - 1n)), greatest: 2n ** (bits - 1n) - 1n };
  switch (kind) {
    case 'uint8':
      return { of: BigInt, key: String, least: 0n, greatest: 255n };
    case 'guid':
      return order === 'sql'
        ? {
            of: (key) => hexNumber(sqlOrderKey(key)),
            key: (at) => guidOfSqlOrderKey(hexDigits(at)),
            least: 0n,
            greatest: LAST_GUID,
          }
        : {
            of: (key) => hexNumber(key.replaceAll('-', '')),
            key: (at) => guidOfHex(hexDigits(at)),
            least: 0n,
            greatest: LAST_GUID,
          };
    case 'date':
      return { of: dayOf, key: dateOf, least: FIRST_DAY, greatest: LAST_DAY };
    case 'timestamp':
      return {
        of: (key) => dayOf(key.slice(0, 10)) * DAY_MICROS + microsOf(key.slice(11, -1)),
        key: (at) => `${dateOf(floorDiv(at, DAY_MICROS))}T${timeOf(at - floorDiv(at, DAY_MICROS) * DAY_MICROS)}Z`,
        least: FIRST_DAY * DAY_MICROS,
        greatest: (LAST_DAY + 1n) * DAY_MICROS - 1n,
      };
    case 'time':
      return { of: microsOf, key: timeOf, least: 0n, greatest: DAY_MICROS - 1n };
    case 'decimal':
      return {
        of: (key) => BigInt(key.replace('.', '')),
        key: (at) => decimalOf(at, scale),
        least: -LAST_DECIMAL,
        greatest: LAST_DECIMAL,
      };
    default:
      return undefined;
  }
}

function moved(
  type: ColumnType,
  key: Key,
  order: KeyOrder,
  by: (place: bigint, line: Line) => bigint,
): Key | undefined {
  const line = lineOf(type, order, scaleOf(key));
  if (line === undefined) return undefined;
  const place = by(line.of(key), line);
  return place < line.least || place > line.greatest ? undefined : line.key(place);
}

/** The least key after `key`, at the resolution that is stored. Undefined for text, and for the greatest key of a type. */
export function keyAfter(type: ColumnType, key: Key, order: KeyOrder): Key | undefined {
  return moved(type, key, order, (place) => place + 1n);
}

/** The greatest key before `key`. Undefined for text, and for the least key of a type. */
export function keyBefore(type: ColumnType, key: Key, order: KeyOrder): Key | undefined {
  return moved(type, key, order, (place) => place - 1n);
}

/** A key after the one it was made for. */
export interface LaterKey {
  readonly key: Key;
  /** Can no other key lie between the two? */
  readonly next: boolean;
}

/** Microseconds at which servers cut the instants of a filter: to the millisecond, and to the second. */
const TICKS = [1_000n, 1_000_000n];

/**
 * Keys after `key`, the nearest first: what is asked for to see that nothing follows. A server that cuts instants in filters answers the
 * nearest with `key` itself, which says nothing; one of the others it understands. Of text no next key is known that every collation agrees
 * on: a later one has a greater last letter.
 */
export function keysAfter(type: ColumnType, key: Key, order: KeyOrder): readonly LaterKey[] {
  if (type.kind === 'text') {
    const later = laterText(key, key.length - 1);
    return later === undefined ? [] : [{ key: later, next: false }];
  }
  const isTime = type.kind === 'timestamp' || type.kind === 'time';
  const ticks = isTime
    ? TICKS.map((tick) => moved(type, key, order, (place) => (floorDiv(place, tick) + 1n) * tick))
    : [];
  const next = keyAfter(type, key, order);
  const later = ticks
    .filter((each) => each !== undefined && each !== next)
    .map((each) => ({ key: each!, next: false }));
  return next === undefined ? later : [{ key: next, next: true }, ...later];
}

/** The key as many times as far after `to` as that is after `from`; of text, some key in that direction. Undefined where there is none. */
export function keyFurther(
  type: ColumnType,
  order: KeyOrder,
  [from, to]: readonly [Key, Key],
  times: number,
): Key | undefined {
  if (comparator(type, order)(from, to) >= 0) return undefined;
  if (type.kind === 'text') return furtherText(from, to, order === 'text', times);
  return moved(type, to, order, (place, line) => place + (place - line.of(from)) * BigInt(times));
}

/** The text up to a place, where it has a letter that is one greater. */
function laterText(text: Key, place: number): Key | undefined {
  const code = text.charCodeAt(place);
  // Half of a pair, or none at all, has no letter after it.
  if (Number.isNaN(code) || (code >= 0xd7ff && code <= 0xe000) || code === 0xffff) return undefined;
  return text.slice(0, place) + String.fromCharCode(code + 1);
}

/** Texts grow by a number that they hold, or by the letter in which they differ first, as a number of base 26 does. */
function furtherText(from: Key, to: Key, byCase: boolean, times: number): Key | undefined {
  const letter = (text: Key, at: number) => (byCase ? (text[at] ?? '') : (text[at] ?? '').toUpperCase());
  let place = 0;
  while (place < to.length - 1 && letter(from, place) === letter(to, place)) place++;
  return (
    laterNumber(from, to, place, times) ??
    laterLetter(to, place, (letter(to, place).charCodeAt(0) - letter(from, place).charCodeAt(0)) * times)
  );
}

/** With the number at this place grown so much further; undefined where both have none, or it would need more digits. */
function laterNumber(from: Key, to: Key, place: number, times: number): Key | undefined {
  const before = /\d*$/.exec(to.slice(0, place))![0];
  const digits = before + /^\d*/.exec(to.slice(place))![0];
  const start = place - before.length;
  const earlier = from.slice(start, start + digits.length);
  if (!/\d/.test(to[place] ?? '') || !/^\d+$/.test(earlier)) return undefined;
  const written = String(BigInt(digits) + (BigInt(digits) - BigInt(earlier)) * BigInt(times)).padStart(
    digits.length,
    '0',
  );
  return written.length > digits.length ? undefined : to.slice(0, start) + written;
}

/** With the letter or digit at this place, or at one before it, so much greater, but still one. */
function laterLetter(text: Key, place: number, distance: number): Key | undefined {
  let by = distance > 0 && distance < 26 ? distance : 1;
  for (let at = place; at >= 0; at--) {
    const last = ['9', 'Z', 'z'].find((each) => each >= text[at]! && /[0-9A-Za-z]/.test(text[at]!));
    const code = text.charCodeAt(at) + by;
    if (last !== undefined && code <= last.charCodeAt(0)) return text.slice(0, at) + String.fromCharCode(code);
    by = 1;
  }
  return laterText(text, place);
}

function scaleOf(key: Key): number {
  return key.includes('.') ? key.length - key.indexOf('.') - 1 : 0;
}

function decimalOf(unscaled: bigint, scale: number): Key {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

function dayOf(date: string): bigint {
  return floorDiv(BigInt(Date.parse(`${date}T00:00:00Z`)), 86_400_000n);
}

function dateOf(day: bigint): string {
  return new Date(Number(day) * 86_400_000).toISOString().slice(0, 10);
}

/** Of `hh:mm:ss[.f]`. */
function microsOf(time: string): bigint {
  const [whole = '', fraction = ''] = time.split('.');
  const [hours = 0, minutes = 0, seconds = 0] = whole.split(':').map(Number);
  return BigInt((hours * 60 + minutes) * 60 + seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

function timeOf(micros: bigint): string {
  const whole = new Date(Number(micros / 1_000_000n) * 1000).toISOString().slice(11, 19);
  const fraction = micros % 1_000_000n;
  return fraction === 0n ? whole : `${whole}.${String(fraction).padStart(6, '0')}`;
}

function floorDiv(a: bigint, b: bigint): bigint {
  return a / b - (a % b < 0n ? 1n : 0n);
}

function hexNumber(hex: string): bigint {
  return BigInt(`0x${hex}`);
}

function hexDigits(number: bigint): string {
  return number.toString(16).padStart(32, '0');
}

function guidOfHex(text: string): Guid {
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') as Guid;
}
