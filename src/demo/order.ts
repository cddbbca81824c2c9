/** Orders of values: the database's own, and the plain text order of GUIDs that an instance must not be assumed to have. */
import { compareGuidsAsSqlServer } from '../core/guid.ts';
import type { SqlType, Value } from './model.ts';

export type GuidOrder = 'sql' | 'text';

/** Base positions to ordinals. */
export type Order = Uint32Array;

export type Compare<T> = (a: T, b: T) => number;

/** The order of values of one type; nulls come first. Texts compare as SQL Server's usual collations have it: without case. */
export function valueOrder(type: SqlType, by: GuidOrder): Compare<Value> {
  switch (type.kind) {
    case 'guid':
      return by === 'sql' ? nullsFirst((a, b) => compareGuidsAsSqlServer(String(a), String(b))) : comparePlain;
    case 'text': {
      const plain = (value: Value) => String(value).trimEnd().toLowerCase();
      return nullsFirst((a, b) => comparePlain(plain(a), plain(b)));
    }
    case 'decimal': {
      const scaled = (value: Value) => scaledDecimal(String(value), Math.max(type.scale, 20));
      return nullsFirst((a, b) => comparePlain(scaled(a), scaled(b)));
    }
    default:
      return comparePlain;
  }
}

function nullsFirst(compare: Compare<Value>): Compare<Value> {
  return (a, b) => (a === null || b === null ? comparePlain(a, b) : compare(a, b));
}

function comparePlain(a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The order of keys with columns of these types; without a column, that of plain numbers. */
export function keyOrder(types: readonly SqlType[], by: GuidOrder): Compare<readonly Value[]> {
  const orders = types.length === 0 ? [comparePlain] : types.map((type) => valueOrder(type, by));
  return (a, b) => {
    for (let i = 0; i < orders.length; i++) {
      const compared = orders[i]!(a[i] ?? null, b[i] ?? null);
      if (compared !== 0) return compared;
    }
    return 0;
  };
}

/** The ordinals of all base rows in another order of their keys. */
export function reordered(
  size: number,
  keyOf: (ordinal: number) => readonly Value[],
  compare: Compare<readonly Value[]>,
): Order {
  const keys = Array.from({ length: size }, (_, ordinal) => keyOf(ordinal));
  return Uint32Array.from(keys.keys()).sort((a, b) => compare(keys[a]!, keys[b]!));
}

/** A decimal text times 10^scale, for exact comparison. */
export function scaledDecimal(text: string, scale: number): bigint {
  const [left = '0', right = ''] = text.replace('-', '').split('.');
  const value = BigInt(left + right.padEnd(scale, '0').slice(0, scale));
  return text.startsWith('-') ? -value : value;
}
