/** Orders of keys: SQL Server's, and the plain text order of GUIDs that an instance must not be assumed to have. */
import { compareGuidsAsSqlServer } from '../core/guid.ts';
import type { Value } from './model.ts';

export type GuidOrder = 'sql' | 'text';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Base positions to ordinals. */
export type Order = Uint32Array;

/** Compares two keys component by component. */
export function compareKeys(a: readonly Value[], b: readonly Value[], by: GuidOrder): number {
  for (let i = 0; i < a.length; i++) {
    const compared = compareValues(a[i] ?? null, b[i] ?? null, by);
    if (compared !== 0) return compared;
  }
  return 0;
}

/** Compares two key values of one type; nulls come first. */
export function compareValues(a: Value, b: Value, by: GuidOrder): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (by === 'sql' && typeof a === 'string' && typeof b === 'string' && GUID.test(a) && GUID.test(b)) {
    return compareGuidsAsSqlServer(a, b);
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The ordinals of all base rows in the text order of their keys. */
export function textOrder(size: number, keyOf: (ordinal: number) => readonly Value[]): Order {
  const keys = Array.from({ length: size }, (_, ordinal) => keyOf(ordinal));
  return Uint32Array.from(keys.keys()).sort((a, b) => compareKeys(keys[a]!, keys[b]!, 'text'));
}
