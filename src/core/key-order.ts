/** Keys as text, and the orders in which a server may compare them. Pure. */
import { compareGuidsAsSqlServer } from './guid.ts';
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

/** What was seen of the keys of rows, in the order they came; of a composite key, of its leading column. */
export interface KeysSeen {
  readonly rows: number;
  readonly first: Key | null;
  readonly last: Key | null;
  /** In SQL Server's order for GUIDs; of other types, the first and the last. */
  readonly least: Key | null;
  readonly greatest: Key | null;
  /** The orders that every key kept to. A key that came twice keeps to none. */
  readonly orders: readonly KeyOrder[];
  /** Rows of the task that are known to have the last key: 1, or more where the key has further columns. */
  readonly tail: number;
  /** The last key but the one that came last, and the rows up to it: of the last one, more may follow. Null where all are one. */
  readonly prior: { readonly key: Key; readonly rows: number } | null;
  /** Of each order that was not kept to, the first two keys against it. */
  readonly against: readonly Against[];
  /** Of all keys, in whatever order they came: by `addSums`. */
  readonly sum: number;
  /** What they are known again by, where that was asked for. */
  readonly remembered: RememberedKeys | null;
}

/** Keys of an answer, to be known again. */
export interface RememberedKeys {
  /** A hash of each key, of all of its columns. */
  readonly hashes: readonly number[];
  /** Some of them, about evenly drawn, in the order they came. */
  readonly sample: readonly Key[];
}

export const NO_KEYS: KeysSeen = {
  rows: 0,
  first: null,
  last: null,
  least: null,
  greatest: null,
  orders: [],
  tail: 0,
  prior: null,
  against: [],
  sum: 0,
  remembered: null,
};

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

/** The least key of a type: `ge` it is a filter that every row passes. Undefined where servers differ on which that is, or on what it is, as on an empty text. */
export function leastKey({ kind }: ColumnType): Key | undefined {
  return LEAST[kind];
}

const LEAST: Readonly<Partial<Record<ColumnType['kind'], Key>>> = {
  guid: '00000000-0000-0000-0000-000000000000',
  int8: '-128',
  uint8: '0',
  int16: '-32768',
  int32: '-2147483648',
  int64: '-9223372036854775808',
};
