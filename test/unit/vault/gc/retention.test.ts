import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRetention, type RetentionPolicy, type RetentionSnapshot } from '../../../../src/vault/gc/retention.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 21, 2);

function snapshot(sequence: number, finishedMs: number, values: Partial<RetentionSnapshot> = {}): RetentionSnapshot {
  const finishedAt = new Date(finishedMs).toISOString();
  const whole = { pipeline: 'p', database: 'd', complete: true, narrowed: false, missingParts: 0 };
  return { sequence, snapshot: `s${sequence}`, ...whole, finishedAt, pinned: false, ...values };
}

/** One each night for so many nights, the last tonight. */
const nightly = (nights: number): RetentionSnapshot[] =>
  Array.from({ length: nights }, (_, n) => snapshot(n + 1, NOW - (nights - 1 - n) * DAY));

const keptOf = (snapshots: readonly RetentionSnapshot[], policy: RetentionPolicy, nowMs = NOW) =>
  planRetention(snapshots, policy, nowMs).keep.map(({ snapshot: { sequence } }) => sequence);

describe('a retention policy', () => {
  it('that keeps nothing is refused', () => {
    for (const policy of [{}, { keepLast: 0 }, { keepWithinMs: 0 }, { keepLast: -1 }, { keepLast: 1.5 }]) {
      expect(() => planRetention(nightly(3), policy, NOW)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
  });

  it('keeps the last, and the newest of each day, week, month and year', () => {
    const nights = nightly(400);
    expect(keptOf(nights, { keepLast: 3 })).toEqual([398, 399, 400]);
    expect(keptOf(nights, { keepDaily: 2 })).toEqual([399, 400]);
    // 2026-11-21 is a Saturday: its week so far, then the Sundays before.
    expect(keptOf(nights, { keepWeekly: 3 })).toEqual([387, 394, 400]);
    expect(keptOf(nights, { keepMonthly: 3 })).toEqual([348, 379, 400]);
    expect(keptOf(nights, { keepYearly: 2 })).toEqual([75, 400]);
    expect(keptOf(nights, { keepWithinMs: 2 * DAY })).toEqual([398, 399, 400]);
  });

  it('counts days that have a snapshot, and one a day', () => {
    const twice = [0, 0.05, 30, 30.05, 60].map((day, n) => snapshot(5 - n, NOW - day * DAY)).reverse();
    expect(keptOf(twice, { keepDaily: 3 })).toEqual([1, 3, 5]);
  });

  it('counts complete snapshots alone, and keeps an incomplete one until a later one is complete', () => {
    const night = nightly(6).map((each) => ({ ...each, complete: ![2, 3, 6].includes(each.sequence) }));
    expect(keptOf(night, { keepLast: 2 })).toEqual([4, 5, 6]);
  });

  it('counts each pipeline by itself, and never retires what is pinned', () => {
    const two = nightly(8).map((each) => ({
      ...each,
      pipeline: each.sequence % 2 === 0 ? 'a' : 'b',
      pinned: each.sequence === 1,
    }));
    expect(keptOf(two, { keepLast: 1 })).toEqual([1, 7, 8]);
  });

  it('is not led astray by clocks that are years off', () => {
    const future = [...nightly(5), snapshot(6, NOW + 3650 * DAY)];
    expect(keptOf(future, { keepWithinMs: 2 * DAY })).toEqual([3, 4, 5, 6]);
    expect(keptOf(nightly(5), { keepWithinMs: 2 * DAY }, NOW + 3650 * DAY)).toEqual([3, 4, 5]);
    const past = [...nightly(5), snapshot(6, NOW - 3650 * DAY)];
    expect(keptOf(past, { keepLast: 1 })).toEqual([6]);
  });

  const anySnapshots = fc
    .array(
      fc.record({
        days: fc.integer({ min: -4000, max: 4000 }),
        pipeline: fc.constantFrom('a', 'b'),
        complete: fc.boolean(),
        pinned: fc.boolean(),
      }),
      { maxLength: 30 },
    )
    .map((all) => all.map(({ days, ...rest }, n) => snapshot(n + 1, NOW + days * DAY, rest)));
  const count = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined });
  const anyPolicy = fc
    .record({ keepLast: count, keepDaily: count, keepWeekly: count, keepMonthly: count, keepYearly: count })
    .filter((policy) => Object.values(policy).some((value) => (value ?? 0) > 0));

  it('parts the snapshots, keeps pins and the newest complete of each pipeline, and keeps more when told to', () => {
    fc.assert(
      fc.property(anySnapshots, anyPolicy, (snapshots, policy) => {
        const plan = planRetention(snapshots, policy, NOW);
        const kept = plan.keep.map((each) => each.snapshot.sequence);
        const all = [...kept, ...plan.retire.map(({ sequence }) => sequence)].sort((a, b) => a - b);
        expect(all).toEqual(snapshots.map(({ sequence }) => sequence));
        for (const pipeline of ['a', 'b']) {
          const newest = snapshots.findLast((each) => each.pipeline === pipeline && each.complete);
          if (newest !== undefined) expect(kept).toContain(newest.sequence);
        }
        for (const each of snapshots) if (each.pinned) expect(kept).toContain(each.sequence);
        const more = keptOf(snapshots, { ...policy, keepLast: (policy.keepLast ?? 0) + 1 });
        for (const sequence of kept) expect(more).toContain(sequence);
      }),
    );
  });

  it('retires nothing more when it is applied to what it kept', () => {
    fc.assert(
      fc.property(anySnapshots, anyPolicy, (snapshots, policy) => {
        const kept = planRetention(snapshots, policy, NOW).keep.map((each) => each.snapshot);
        expect(planRetention(kept, policy, NOW).retire).toEqual([]);
      }),
    );
  });
});
