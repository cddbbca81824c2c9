/** Ranges of keys: how they cover a table, and where it is cut. Pure. */
import { compareGuidsAsSqlServer, type Guid } from '../core/guid.ts';
import type { Filter } from '../odata/filters.ts';
import { allOf } from '../odata/filters.ts';

/** Keys from `ge` to `le`, both included; null is open. */
export interface KeyRange {
  readonly ge: Guid | null;
  readonly le: Guid | null;
}

export const ALL_KEYS: KeyRange = { ge: null, le: null };

/**
 * `le b1`, `ge b1 and le b2`, …, `ge bn`. Whatever total order the server compares keys in, every key is in one of these at least: the
 * union needs no knowledge of the order. Neighbours share their boundary.
 */
export function splitAt(boundaries: readonly Guid[]): readonly KeyRange[] {
  return [null, ...boundaries].map((ge, index) => ({ ge, le: boundaries[index] ?? null }));
}

/** The filter of a range on a key column; undefined for all keys. */
export function rangeFilter(column: string, range: KeyRange): Filter | undefined {
  return allOf(
    range.ge === null ? undefined : { op: 'ge', column, value: range.ge },
    range.le === null ? undefined : { op: 'le', column, value: range.le },
  );
}

/** Is `key` in the range by SQL Server's order? */
export function isInRange(key: Guid, range: KeyRange): boolean {
  return (
    (range.ge === null || compareGuidsAsSqlServer(key, range.ge) >= 0) &&
    (range.le === null || compareGuidsAsSqlServer(key, range.le) <= 0)
  );
}

/** A key of a table, and the share of the table's rows before it, 0 to 1; an estimate. */
export interface PlacedKey {
  readonly key: Guid;
  readonly at: number;
}

/** Keys drawn evenly from a table, in any order, with their places by SQL Server's order. */
export function placeEvenly(sample: readonly Guid[]): readonly PlacedKey[] {
  const sorted = [...new Set(sample)].sort(compareGuidsAsSqlServer);
  return sorted.map((key, index) => ({ key, at: index / sorted.length }));
}

/**
 * Boundaries in SQL Server's order, each once: for each cut, the sampled key that lies nearest to it.
 *
 * @param cuts shares of the table's rows, ascending
 */
export function pickBoundaries(sample: readonly PlacedKey[], cuts: readonly number[]): readonly Guid[] {
  const sorted = [...sample].sort((a, b) => compareGuidsAsSqlServer(a.key, b.key));
  const picked = cuts.map((cut) => nearest(sorted, cut));
  // The first key of all makes an empty range before it.
  const inner = picked.filter((key): key is Guid => key !== undefined && key !== sorted[0]?.key);
  return [...new Set(inner)].sort(compareGuidsAsSqlServer);
}

function nearest(sample: readonly PlacedKey[], cut: number): Guid | undefined {
  const distance = (placed: PlacedKey | undefined) => (placed === undefined ? Infinity : Math.abs(placed.at - cut));
  return sample.reduce<PlacedKey | undefined>(
    (best, each) => (distance(each) < distance(best) ? each : best),
    undefined,
  )?.key;
}

/** Draws evenly from a stream of keys of unknown length: every n-th, n doubling whenever the sample is full. */
export class KeySampler {
  private readonly most: number;
  private step = 1;
  private kept: Guid[] = [];
  count = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** Is the next key one to keep? Asked once for each key; spares making text of the others. */
  wants(): boolean {
    return this.count++ % this.step === 0;
  }

  add(key: Guid): void {
    this.kept.push(key);
    if (this.kept.length < this.most) return;
    this.kept = this.kept.filter((_, index) => index % 2 === 0);
    this.step *= 2;
  }

  sample(): readonly Guid[] {
    return this.kept;
  }
}
