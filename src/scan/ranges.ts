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

/**
 * `count - 1` boundaries at even steps through a sample of keys, in SQL Server's order, each once.
 *
 * @param sample keys in any order, evenly drawn
 */
export function pickBoundaries(sample: readonly Guid[], count: number): readonly Guid[] {
  const sorted = [...new Set(sample)].sort(compareGuidsAsSqlServer);
  const picked = Array.from(
    { length: Math.max(0, count - 1) },
    (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / count)],
  );
  // The first key of all makes an empty range before it.
  return [...new Set(picked)].filter((key): key is Guid => key !== undefined && key !== sorted[0]);
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
