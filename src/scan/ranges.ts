/** Ranges of keys: how they cover a table, and where it is cut. Pure. */
import type { CompareKeys, Key } from '../core/key-order.ts';
import type { Filter } from '../odata/filters.ts';
import { allOf } from '../odata/filters.ts';

/** Keys from `ge` to `le`, both included; null is open. */
export interface KeyRange {
  readonly ge: Key | null;
  readonly le: Key | null;
}

export const ALL_KEYS: KeyRange = { ge: null, le: null };

export function isBounded({ ge, le }: KeyRange): boolean {
  return ge !== null || le !== null;
}

/**
 * `le b1`, `ge b1 and le b2`, …, `ge bn`. Whatever total order the server compares keys in, every key is in one of these at least: the
 * union needs no knowledge of the order. Neighbours share their boundary.
 */
export function splitAt(boundaries: readonly Key[]): readonly KeyRange[] {
  return [null, ...boundaries].map((ge, index) => ({ ge, le: boundaries[index] ?? null }));
}

/** The filter of a range on a key column; undefined for all keys. */
export function rangeFilter(column: string, range: KeyRange): Filter | undefined {
  return allOf(
    range.ge === null ? undefined : { op: 'ge', column, value: range.ge },
    range.le === null ? undefined : { op: 'le', column, value: range.le },
  );
}

/** A key of a table, and the share of the table's rows before it, 0 to 1; an estimate. */
export interface PlacedKey {
  readonly key: Key;
  readonly at: number;
}

/** Keys drawn evenly from a table, as they came, with their places in an order. */
export function placeEvenly(sample: readonly Key[], compare: CompareKeys): readonly PlacedKey[] {
  const sorted = [...new Set(sample)].sort(compare);
  return sorted.map((key, index) => ({ key, at: index / sorted.length }));
}

/**
 * Boundaries in order, each once: for each cut, the sampled key that lies nearest to it.
 *
 * @param cuts shares of the table's rows, ascending
 */
export function pickBoundaries(
  sample: readonly PlacedKey[],
  cuts: readonly number[],
  compare: CompareKeys,
): readonly Key[] {
  const sorted = [...sample].sort((a, b) => compare(a.key, b.key));
  const picked = cuts.map((cut) => nearest(sorted, cut));
  // The first key of all makes an empty range before it.
  const inner = picked.filter((key): key is Key => key !== undefined && key !== sorted[0]?.key);
  return [...new Set(inner)].sort(compare);
}

function nearest(sample: readonly PlacedKey[], cut: number): Key | undefined {
  const distance = (placed: PlacedKey | undefined) => (placed === undefined ? Infinity : Math.abs(placed.at - cut));
  return sample.reduce<PlacedKey | undefined>(
    (best, each) => (distance(each) < distance(best) ? each : best),
    undefined,
  )?.key;
}
