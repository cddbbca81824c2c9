import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareGuidsAsSqlServer, type Guid } from '../../src/core/guid.ts';
import type { Key, KeyOrder } from '../../src/core/key-order.ts';
import { nextStep } from '../../src/scan/evidence.ts';
import type { Checks, ScanFacts } from '../../src/scan/facts.ts';
import { type AnswerFacts, hold, nothingHeld } from '../../src/scan/held.ts';
import { cutsOf } from '../../src/scan/plan.ts';
import {
  ALL_KEYS,
  type KeyRange,
  KeySampler,
  type PlacedKey,
  pickBoundaries,
  placeEvenly,
  splitAt,
} from '../../src/scan/ranges.ts';

type Compare = (a: string, b: string) => number;

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
/** GUIDs as found in databases: sequential ones that share their tail, and random ones; few enough to collide in groups. */
const guid = fc.oneof(
  fc
    .tuple(hex(2), fc.constantFrom('5c0d-e311-81cb-00155d001f00', '6a11-e511-9bcd-00155d002a01'))
    .map(([a, tail]) => `0000${a}00-${tail}` as Guid),
  fc.tuple(hex(8), hex(4), hex(4), hex(4), hex(12)).map((parts) => parts.join('-') as Guid),
);
const keys = fc.uniqueArray(guid, { maxLength: 60 });

const text: Compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const orders: fc.Arbitrary<{ name: string; compare: Compare }> = fc.oneof(
  fc.constant({ name: 'sql', compare: compareGuidsAsSqlServer }),
  fc.constant({ name: 'text', compare: text }),
  fc.constant({ name: 'reversed', compare: (a: string, b: string) => compareGuidsAsSqlServer(b, a) }),
  fc.integer().map((seed) => ({
    name: `random ${seed}`,
    compare: (a: string, b: string) => scramble(a, seed) - scramble(b, seed) || text(a, b),
  })),
);

function scramble(key: string, seed: number): number {
  let hash = seed | 0;
  for (const char of key) hash = (Math.imul(hash ^ char.charCodeAt(0), 0x01000193) + seed) | 0;
  return hash;
}

/** A server that holds `keys`, compares as it likes, and gives at most `cap` rows of an answer, without saying so. */
function serve(table: readonly Guid[], compare: Compare, cap: number) {
  return (asked: KeyRange): readonly Guid[] =>
    table
      .filter(
        (key) =>
          (asked.ge === null || compare(key, asked.ge) >= 0) && (asked.le === null || compare(key, asked.le) <= 0),
      )
      .sort(compare)
      .slice(0, cap);
}

function answerOf(
  asked: KeyRange,
  exclude: Key | null,
  came: readonly Guid[],
): { answer: AnswerFacts; kept: readonly Guid[] } {
  const kept = came.filter((key) => key !== exclude);
  const sorted = [...kept].sort(compareGuidsAsSqlServer);
  const ascending = (compare: Compare) => kept.every((key, i) => i === 0 || compare(kept[i - 1]!, key) < 0);
  const orders: KeyOrder[] = [];
  if (ascending(compareGuidsAsSqlServer)) orders.push('sql');
  if (ascending(text)) orders.push('text');
  return {
    kept,
    answer: {
      asked,
      exclude,
      excluded: came.length - kept.length,
      rows: kept.length,
      bytes: came.length * 100,
      first: kept[0] ?? null,
      last: kept.at(-1) ?? null,
      least: sorted[0] ?? null,
      greatest: sorted.at(-1) ?? null,
      orders,
      tail: Math.min(1, kept.length),
      prior: null,
      against: [],
      sum: sumOf(kept),
      more: false,
      linked: false,
      skipped: false,
      count: null,
    },
  };
}

/** Stands in for the sum of hashes. */
function sumOf(keys: readonly Guid[]): number {
  return keys.reduce((sum, key) => sum + scramble(key, 7), 0);
}

/** Reads a range as the product does, without counts; undefined when its end could not be proven. */
function readRange(range: KeyRange, ask: (asked: KeyRange) => readonly Guid[]): readonly Guid[] | undefined {
  const key = {
    column: 'Id',
    type: { kind: 'guid' },
    composite: false,
    leads: true,
    order: range.ge === null && range.le === null ? null : 'sql',
  } as const;
  let held = nothingHeld(key);
  const rows: Guid[] = [];
  let checks: Checks = {};
  let nothingFrom = null as ScanFacts['nothingFrom'];
  for (let reads = 0; reads < 1000; reads++) {
    const next = nextStep({
      range,
      key,
      held,
      checks,
      nothingFrom,
      countsTables: false,
      countAsked: true,
      seen: 0,
      known: null,
      extra: 0,
      mustCount: false,
      counted: null,
    });
    switch (next.do) {
      case 'proven':
        return rows;
      case 'read': {
        const { answer, kept } = answerOf(next.range, next.exclude, ask(next.range));
        held = hold(held, answer);
        rows.push(...kept);
        if (kept.length > 0) checks = {};
        break;
      }
      case 'split': {
        const whole = ask(next.range);
        const middle = whole.toSorted(compareGuidsAsSqlServer)[Math.floor(whole.length / 2)] ?? null;
        const [below, above] = [ask({ ge: next.range.ge, le: middle }), ask({ ge: middle, le: next.range.le })];
        const halves = below.length + above.length - above.filter((each) => each === middle).length;
        checks = { ...checks, split: { whole: whole.length, sum: sumOf(whole), halves } };
        break;
      }
      case 'up-to':
        checks = { ...checks, upTo: ask(next.range).length };
        break;
      case 'known': {
        const sorted = ask(ALL_KEYS).toSorted(compareGuidsAsSqlServer);
        const ends = [2, 3, 4, 8, 16].filter((length) => length <= sorted.length);
        const known = ends.every((length) => ask({ ge: sorted[0]!, le: sorted[length - 1]! }).length >= length);
        checks = { ...checks, known };
        break;
      }
      case 'as-asked': {
        const place = ask(next.range).indexOf(next.last as Guid);
        checks = { ...checks, asAsked: place < 0 ? null : place + 1 };
        break;
      }
      case 'last': {
        const came = ask(next.range);
        checks = { ...checks, last: { rows: came.length, next: came.find((each) => each !== next.last) ?? null } };
        break;
      }
      case 'between':
        checks = { ...checks, between: { ...checks.between, [next.order]: ask(next.range).length } };
        break;
      case 'further': {
        const further = ask({ ge: next.from, le: null }).length;
        checks = { ...checks, further: { from: next.from, rows: further } };
        nothingFrom =
          further === 0 ? { key: next.from, times: nothingFrom?.key === next.from ? nothingFrom.times + 1 : 1 } : null;
        break;
      }
      case 'beyond': {
        const came = ask(next.range);
        const compare = next.order === 'text' ? text : compareGuidsAsSqlServer;
        const isAfter = (each: Guid) => compare(each, next.greatest) > 0;
        checks = {
          ...checks,
          beyond: {
            ...checks.beyond,
            [next.order]: [
              { rows: came.length, greatest: came.includes(next.greatest as Guid), after: came.find(isAfter) ?? null },
            ],
          },
        };
        break;
      }
      case 'again':
        {
          const came = ask(next.range);
          checks = { ...checks, again: { found: came.includes(next.holds as Guid) } };
        }
        break;
      default:
        return undefined;
    }
  }
  throw new Error('the scan does not end');
}

function readTable(
  table: readonly Guid[],
  ranges: readonly KeyRange[],
  compare: Compare,
  cap: number,
): readonly Guid[] | undefined {
  const ask = serve(table, compare, cap);
  const parts = ranges.map((range) => readRange(range, ask));
  return parts.some((part) => part === undefined) ? undefined : parts.flatMap((part) => part ?? []);
}

const sorted = (rows: readonly Guid[]) => [...rows].sort();
const boundaries = fc.uniqueArray(guid, { maxLength: 6 });
const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
/** A sample of a table's keys at places that may be far from true. */
const sampled = keys.chain((table) =>
  fc
    .tuple(
      fc.subarray([...table]),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 60, maxLength: 60 }),
    )
    .map(([sample, places]) => ({
      table,
      sample: sample.map((key, index): PlacedKey => ({ key, at: places[index]! })),
    })),
);

describe('key ranges', () => {
  test('cover every key at least once in any total order, whatever the boundaries', () => {
    fc.assert(
      fc.property(keys, boundaries, orders, (table, cuts, { compare }) => {
        const ask = serve(table, compare, Number.POSITIVE_INFINITY);
        expect(new Set(splitAt(cuts).flatMap((range) => ask(range)))).toEqual(new Set(table));
      }),
    );
  });

  test('in the order of SQL Server give each row exactly once, also where every answer is cut short', () => {
    fc.assert(
      fc.property(sampled, shares, fc.integer({ min: 2, max: 80 }), ({ table, sample }, at, cap) => {
        const cuts = pickBoundaries(sample, at, compareGuidsAsSqlServer);
        expect(sorted(readTable(table, splitAt(cuts), compareGuidsAsSqlServer, cap) ?? [])).toEqual(sorted(table));
      }),
    );
  });

  test('in any other order give each row exactly once or say that they cannot', () => {
    fc.assert(
      fc.property(sampled, shares, orders, ({ table, sample }, at, { compare }) => {
        const rows = readTable(
          table,
          splitAt(pickBoundaries(sample, at, compareGuidsAsSqlServer)),
          compare,
          Number.POSITIVE_INFINITY,
        );
        if (rows !== undefined) expect(sorted(rows)).toEqual(sorted(table));
      }),
      { numRuns: 500 },
    );
  });

  test('picked from a sample are in order, inside the table, and no more than asked for', () => {
    fc.assert(
      fc.property(sampled, shares, ({ table, sample }, at) => {
        const cuts = pickBoundaries(sample, at, compareGuidsAsSqlServer);
        expect(cuts.length).toBeLessThanOrEqual(at.length);
        expect([...cuts].sort(compareGuidsAsSqlServer)).toEqual(cuts);
        for (const cut of cuts) expect(table).toContain(cut);
      }),
    );
  });

  test('picked from all keys hold the rows that were asked for', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 2, max: 8 }), (table, count) => {
        const at = Array.from({ length: count - 1 }, (_, i) => (i + 1) / count);
        const cuts = pickBoundaries(placeEvenly(table, compareGuidsAsSqlServer), at, compareGuidsAsSqlServer);
        const ask = serve(table, compareGuidsAsSqlServer, Number.POSITIVE_INFINITY);
        for (const range of splitAt(cuts)) expect(ask(range).length).toBeLessThanOrEqual(table.length / count + 2);
      }),
    );
  });

  test('are each a reader’s share of what is left, none long, none tiny', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000_000 }), fc.integer({ min: 1, max: 8 }), (rows, readers) => {
        const at = cutsOf(rows, readers);
        const ends = [...at, 1];
        const sizes = ends.map((end, i) => (end - (ends[i - 1] ?? 0)) * rows);
        if (rows < 50_000) expect(at).toEqual([]);
        else expect(Math.min(...sizes)).toBeGreaterThan(2_499);
        if (rows >= 50_000) expect(Math.max(...sizes)).toBeLessThan(202_501);
        // All but the last, which takes what is too little for a range of its own.
        const planned = sizes.slice(0, -1);
        expect(planned.map(Math.round)).toEqual(planned.map(Math.round).toSorted((a, b) => b - a));
      }),
    );
  });
});

describe('one stream', () => {
  test('gives each row exactly once or says that it cannot, in any order; in a known one however short the answers are cut', () => {
    fc.assert(
      fc.property(keys, orders, fc.integer({ min: 3, max: 80 }), (table, { name, compare }, cap) => {
        // Cut in an order that nobody knows, a handful of rows may suit a known one by chance.
        const known = name === 'sql' || name === 'text';
        const rows = readTable(table, [ALL_KEYS], compare, known ? cap : Number.POSITIVE_INFINITY);
        if (rows !== undefined) expect(sorted(rows)).toEqual(sorted(table));
      }),
      { numRuns: 1000 },
    );
  });

  test('is whole or refused where answers come empty, as long as no two do so one after the other', () => {
    const lost = fc.array(fc.boolean(), { maxLength: 12 });
    fc.assert(
      fc.property(keys, fc.integer({ min: 2, max: 80 }), lost, (table, cap, losses) => {
        const ask = serve(table, compareGuidsAsSqlServer, cap);
        let asked = 0;
        const rows = readRange(ALL_KEYS, (range) => {
          const n = asked++;
          return losses[n] === true && losses[n - 1] !== true ? [] : ask(range);
        });
        if (rows !== undefined) expect(sorted(rows)).toEqual(sorted(table));
      }),
      { numRuns: 500 },
    );
  });

  test('is not taken for whole where the greatest row vanished before the end was proven', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 2, max: 80 }), (table, cap) => {
        fc.pre(table.length > 0);
        const greatest = [...table].sort(compareGuidsAsSqlServer).at(-1);
        const before = serve(table, compareGuidsAsSqlServer, cap);
        const after = serve(
          table.filter((key) => key !== greatest),
          compareGuidsAsSqlServer,
          cap,
        );
        const rows = readRange(ALL_KEYS, (range) => (range.ge === greatest ? after(range) : before(range)));
        expect(rows).toBeUndefined();
      }),
    );
  });

  test('is proven whole in the orders of SQL Server and of text', () => {
    fc.assert(
      fc.property(keys, fc.constantFrom(compareGuidsAsSqlServer, text), (table, compare) => {
        expect(sorted(readTable(table, [ALL_KEYS], compare, Number.POSITIVE_INFINITY) ?? [])).toEqual(sorted(table));
      }),
    );
  });
});

describe('the key sampler', () => {
  test('keeps an even share of the keys, from the first on, and never more than it may', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 4, max: 64 }), (rows, most) => {
        const sampler = new KeySampler(most);
        for (let i = 0; i < rows; i++) if (sampler.wants()) sampler.add(String(i) as Guid);
        const sample = sampler.sample().map(Number);
        expect(sampler.count).toBe(rows);
        expect(sample.length).toBeLessThan(most);
        const steps = new Set(sample.slice(1).map((key, i) => key - sample[i]!));
        expect(steps.size).toBeLessThanOrEqual(1);
        if (rows > 0) expect(sample[0]).toBe(0);
      }),
    );
  });
});
