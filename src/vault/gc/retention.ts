/** Retention: which snapshots a policy keeps. Pure. */
import { TablevaultError } from '../../core/errors.ts';
import { isWhole } from '../chain/catalog.ts';
import { distinctSeries, isSameSeries } from '../chain/series.ts';

/** What to keep. Counts are of complete snapshots of one series; several rules keep what any of them keeps. */
export interface RetentionPolicy {
  readonly keepLast?: number | undefined;
  readonly keepDaily?: number | undefined;
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
  /** Everything that is not older than this against the newest complete snapshot, milliseconds. */
  readonly keepWithinMs?: number | undefined;
}

export interface RetentionSnapshot {
  readonly sequence: number;
  readonly snapshot: string;
  /** Snapshots are counted for each series by itself. */
  readonly pipeline: string;
  readonly database: string;
  readonly complete: boolean;
  /** Of some of the pipeline's tables: it never counts as a complete one. */
  readonly narrowed: boolean;
  /** Parts that it is known to lack: then it does not count either. */
  readonly missingParts: number;
  readonly finishedAt: string;
  readonly pinned: boolean;
}

export interface Kept {
  readonly snapshot: RetentionSnapshot;
  /** Why, for people: `newest complete`, `last 3`, `daily 2026-11-21`, `pinned` … */
  readonly reasons: readonly string[];
}

export interface RetentionPlan {
  readonly keep: readonly Kept[];
  readonly retire: readonly RetentionSnapshot[];
}

/** A rule and the name of the time span a snapshot falls into; the newest of each span is kept, as many spans as the rule counts. */
const SPANS = [
  ['daily', 'keepDaily', (at: Date) => at.toISOString().slice(0, 10)],
  ['weekly', 'keepWeekly', isoWeek],
  ['monthly', 'keepMonthly', (at: Date) => at.toISOString().slice(0, 7)],
  ['yearly', 'keepYearly', (at: Date) => at.toISOString().slice(0, 4)],
] as const;

/**
 * Decides which snapshots to keep. Days, weeks (ISO 8601), months and years are those of UTC.
 *
 * Only whole snapshots count (complete, not narrowed, no part known to be missing), and "newest" is by sequence, never by a clock. The newest of
 * them of each series stays whatever the policy says. Any other stays as long as no later one of its series counts, or `keepWithinMs` covers it.
 *
 * @param nowMs the store's time: a snapshot dated later than that makes no other one old.
 * @throws TablevaultError `USAGE` for a policy that keeps nothing.
 */
export function planRetention(
  snapshots: readonly RetentionSnapshot[],
  policy: RetentionPolicy,
  nowMs: number,
): RetentionPlan {
  checkPolicy(policy);
  const keep = new Map<number, string[]>();
  const add = (snapshot: RetentionSnapshot, reason: string) => {
    keep.set(snapshot.sequence, [...(keep.get(snapshot.sequence) ?? []), reason]);
  };
  for (const snapshot of snapshots) if (snapshot.pinned) add(snapshot, 'pinned');
  for (const series of distinctSeries(snapshots)) {
    const own = snapshots.filter((each) => isSameSeries(each, series)).sort((a, b) => b.sequence - a.sequence);
    keepOfSeries(own, policy, nowMs, add);
  }
  const ascending = snapshots.toSorted((a, b) => a.sequence - b.sequence);
  return {
    keep: ascending
      .filter(({ sequence }) => keep.has(sequence))
      .map((snapshot) => ({ snapshot, reasons: keep.get(snapshot.sequence) ?? [] })),
    retire: ascending.filter(({ sequence }) => !keep.has(sequence)),
  };
}

function keepOfSeries(
  newestFirst: readonly RetentionSnapshot[],
  policy: RetentionPolicy,
  nowMs: number,
  add: (snapshot: RetentionSnapshot, reason: string) => void,
): void {
  const complete = newestFirst.filter(isWhole);
  const [newest] = complete;
  if (newest !== undefined) add(newest, 'newest complete');
  for (const each of newestFirst) {
    if (!isWhole(each) && each.sequence > (newest?.sequence ?? 0)) add(each, 'no later one is complete');
  }
  complete.slice(0, policy.keepLast ?? 0).forEach((each, index) => {
    add(each, `last ${index + 1}`);
  });
  for (const [name, rule, spanOf] of SPANS) {
    const wanted = policy[rule] ?? 0;
    const spans = new Set<string>();
    for (const each of complete) {
      const span = spanOf(new Date(each.finishedAt));
      if (spans.size >= wanted || spans.has(span)) continue;
      spans.add(span);
      add(each, `${name} ${span}`);
    }
  }
  const { keepWithinMs } = policy;
  if (keepWithinMs === undefined || newest === undefined) return;
  // Neither a store's clock that is ahead nor a snapshot dated in the future makes the others old.
  const reference = Math.min(nowMs, Date.parse(newest.finishedAt));
  for (const each of newestFirst) {
    if (reference - Date.parse(each.finishedAt) <= keepWithinMs) add(each, 'within the time to keep');
  }
}

function checkPolicy(policy: RetentionPolicy): void {
  const counts = [policy.keepLast, policy.keepDaily, policy.keepWeekly, policy.keepMonthly, policy.keepYearly];
  const wrong = [...counts, policy.keepWithinMs].some(
    (value) => value !== undefined && (!Number.isSafeInteger(value) || value < 0),
  );
  const some = counts.some((value) => (value ?? 0) > 0) || (policy.keepWithinMs ?? 0) > 0;
  if (some && !wrong) return;
  throw new TablevaultError('USAGE', 'the retention policy keeps nothing', {
    hint: 'Say what to keep, e.g. --keep-last 3 --keep-daily 7 --keep-weekly 5 --keep-monthly 12.',
  });
}

/** `2026-W47`: the week belongs to the year of its Thursday. */
function isoWeek(at: Date): string {
  const thursday = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  const week = Math.ceil(((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7);
  return `${year}-W${String(week).padStart(2, '0')}`;
}
