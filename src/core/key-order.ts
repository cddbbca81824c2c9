/** Keys as text, and the orders in which a server may compare them. Pure. */
import { compareGuidsAsSqlServer, type Guid, guidOfSqlOrderKey, sqlOrderKey } from './guid.ts';
import type { ColumnType } from './schema.ts';

/** A value of a key column as exact text: GUIDs in lower case, numbers in decimal, dates and instants in ISO 8601. */
export type Key = string;

/**
 * `sql`: SQL Server's order of GUIDs. `value`: of numbers, dates and times. `text`: by characters. `nocase` and `collation`: how databases
 * are often told to compare text; which of them a server uses shows only from rows that come in it.
 */
export type KeyOrder = 'sql' | 'value' | 'text' | 'nocase' | 'collation';

/** Two keys that came one after the other, against an order. */
export interface Against {
  readonly order: KeyOrder;
  readonly first: Key;
  readonly second: Key;
}

/** Two keys that came one after the other. */
export type Neighbours = Omit<Against, 'order'>;

/** The sum of hashes of keys, which does not depend on their order: two sets that differ have different sums, but by chance. */
export function addSums(a: number, b: number): number {
  return (a + b) % 2 ** 48;
}

const INTEGERS = new Set(['int8', 'uint8', 'int16', 'int32', 'int64']);

/** Orders in which rows with such a key may come, the likeliest first; none where the type has no order that filters keep to. */
export function ordersOf({ kind }: ColumnType): readonly KeyOrder[] {
  if (kind === 'guid') return ['sql', 'text'];
  if (kind === 'text') return ['text', 'nocase', 'collation'];
  const hasValue = INTEGERS.has(kind) || ['decimal', 'timestamp', 'date', 'time'].includes(kind);
  return hasValue ? ['value'] : [];
}

export type CompareKeys = (a: Key, b: Key) => number;

/** Negative, zero or positive: `a` before, equal to, after `b`. */
export function comparator({ kind }: ColumnType, order: KeyOrder): CompareKeys {
  switch (order) {
    case 'sql':
      return compareGuidsAsSqlServer;
    case 'value':
      if (INTEGERS.has(kind) || kind === 'decimal') return compareNumbers;
      // Without its Z, the text of an instant with a fraction is longer than, and after, that without.
      return kind === 'timestamp' ? (a, b) => compareText(a.slice(0, -1), b.slice(0, -1)) : compareText;
    case 'text':
      return compareText;
    case 'nocase':
      return (a, b) => compareText(a.toUpperCase(), b.toUpperCase());
    case 'collation':
      return collator.compare;
  }
}

const collator = new Intl.Collator('en');

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Decimal numbers of one scale. */
function compareNumbers(a: string, b: string): number {
  const [negative, other] = [a.startsWith('-'), b.startsWith('-')];
  if (negative !== other) return negative ? -1 : 1;
  const size = a.length - b.length || compareText(a, b);
  return negative ? -size : size;
}

/**
 * The least key after `key`, at the resolution that is stored: what is asked for to see that nothing follows. Undefined for text, which has
 * none that every collation agrees on, and for the greatest key of a type.
 */
export function keyAfter(type: ColumnType, key: Key, order: KeyOrder): Key | undefined {
  switch (type.kind) {
    case 'guid':
      return order === 'sql' ? mapDefined(hexAfter(sqlOrderKey(key)), guidOfSqlOrderKey) : guidAfterAsText(key);
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'int32':
    case 'int64': {
      const next = BigInt(key) + 1n;
      return next > (LEAST_AND_GREATEST[type.kind]?.[1] ?? 0n) ? undefined : String(next);
    }
    case 'date': {
      const next = new Date(Date.parse(`${key}T00:00:00Z`) + 86_400_000).toISOString();
      return next.startsWith('+') ? undefined : next.slice(0, 10);
    }
    case 'timestamp':
      return laterBy(key.slice(0, -1), 'Z');
    case 'time':
      return laterBy(key, '');
    case 'decimal':
      return decimalAfter(key);
    default:
      return undefined;
  }
}

/** The greatest key before `key`, of types that can tell: what is asked for to see that nothing lies before it. */
export function keyBefore(type: ColumnType, key: Key, order: KeyOrder): Key | undefined {
  switch (type.kind) {
    case 'guid':
      return order === 'sql'
        ? mapDefined(hexBefore(sqlOrderKey(key)), guidOfSqlOrderKey)
        : mapDefined(hexBefore(key.replaceAll('-', '')), guidOfHex);
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'int32':
    case 'int64': {
      const before = BigInt(key) - 1n;
      return before < (LEAST_AND_GREATEST[type.kind]?.[0] ?? 0n) ? undefined : String(before);
    }
    case 'date': {
      const before = new Date(Date.parse(`${key}T00:00:00Z`) - 86_400_000).toISOString();
      return key === '0001-01-01' ? undefined : before.slice(0, 10);
    }
    default:
      return undefined;
  }
}

/** A microsecond later than `YYYY-MM-DDThh:mm:ss[.f]` or `hh:mm:ss[.f]`. */
function laterBy(text: string, zone: string): Key | undefined {
  const [whole = '', fraction = ''] = text.split('.');
  const micros = Number(fraction.padEnd(6, '0')) + 1;
  if (micros < 1_000_000) return `${whole}.${String(micros).padStart(6, '0')}${zone}`;
  const day = whole.includes('T') ? whole : `2000-01-01T${whole}`;
  const next = new Date(Date.parse(`${day}Z`) + 1000).toISOString().slice(0, 19);
  if (whole.includes('T')) return next.length === 19 && !next.startsWith('+') ? `${next}${zone}` : undefined;
  return next.startsWith('2000-01-01') ? next.slice(11) : undefined;
}

function decimalAfter(key: Key): Key {
  const scale = key.includes('.') ? key.length - key.indexOf('.') - 1 : 0;
  const unscaled = BigInt(key.replace('.', '')) + 1n;
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

/** The least key of a type: `ge` it is a filter that every row passes. Undefined where servers differ on which that is, or on what it is, as on an empty text. */
export function leastKey({ kind }: ColumnType): Key | undefined {
  if (kind === 'guid') return '00000000-0000-0000-0000-000000000000' as Guid;
  return mapDefined(LEAST_AND_GREATEST[kind]?.[0], String);
}

const LEAST_AND_GREATEST: Readonly<Partial<Record<ColumnType['kind'], readonly [bigint, bigint]>>> = {
  int8: [-128n, 127n],
  uint8: [0n, 255n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};

function guidAfterAsText(guid: Key): Guid | undefined {
  return mapDefined(hexAfter(guid.replaceAll('-', '')), guidOfHex);
}

function guidOfHex(text: string): Guid {
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') as Guid;
}

/** 32 hexadecimal digits counted down by one. */
function hexBefore(hex: string): string | undefined {
  const number = BigInt(`0x${hex}`);
  return number === 0n ? undefined : (number - 1n).toString(16).padStart(32, '0');
}

/** 32 hexadecimal digits counted up by one. */
function hexAfter(hex: string): string | undefined {
  const next = (BigInt(`0x${hex}`) + 1n).toString(16).padStart(32, '0');
  return next.length > 32 ? undefined : next;
}

function mapDefined<A, B>(value: A | undefined, map: (value: A) => B): B | undefined {
  return value === undefined ? undefined : map(value);
}
