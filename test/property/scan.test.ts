import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '../../src/core/errors.ts';
import { compareGuidsAsSqlServer, type Guid } from '../../src/core/guid.ts';
import { KeySampler } from '../../src/core/key-sample.ts';
import type { TableSchema } from '../../src/core/schema.ts';
import type { Batch } from '../../src/decode/columns.ts';
import { valueAt } from '../../src/decode/values.ts';
import { BatchSink } from '../../src/read/batch-sink.ts';
import { CountKnowledge } from '../../src/read/counts.ts';
import { scanRange } from '../../src/read/scan.ts';
import type { ScanKey } from '../../src/scan/key.ts';
import { cutsOf, type TablePlan } from '../../src/scan/plan.ts';
import {
  ALL_KEYS,
  type KeyRange,
  type PlacedKey,
  pickBoundaries,
  placeEvenly,
  splitAt,
} from '../../src/scan/ranges.ts';
import { column } from '../support/decode.ts';
import { fakeInstance } from '../support/odata.ts';

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

const NEVER = new AbortController().signal;
const SCHEMA: TableSchema = {
  name: 'T',
  key: ['Id'],
  navigations: [],
  columns: [column('Id', { kind: 'guid' }, false)],
};

type Ask = (asked: KeyRange) => readonly Guid[];

/** Reads a range as the product does, without counts; undefined when its end could not be proven. */
async function readRange(range: KeyRange, ask: Ask): Promise<readonly Guid[] | undefined> {
  const { instance } = fakeInstance([{ schema: SCHEMA, rows: [] }], ({ filter, count }) => {
    const bound = (op: string) => new RegExp(`Id ${op} ([0-9a-f-]{36})`).exec(filter)?.[1] ?? null;
    return count ? { status: 400 } : { rows: ask({ ge: bound('ge'), le: bound('le') }).map((Id) => ({ Id })) };
  });
  const rows: Guid[] = [];
  const take = async (batch: Batch) => {
    for (let row = 0; row < batch.rows; row++) rows.push(String(valueAt(batch.columns[0]!, row)) as Guid);
  };
  const spec = { table: 'T', columns: SCHEMA.columns, key: ['Id'], absentIsNull: false, maxRowBytes: 1e6 };
  const sink = new BatchSink({ spec, hooks: {}, eager: false, take });
  const isWhole = range.ge === null && range.le === null;
  const key: ScanKey = {
    column: 'Id',
    type: { kind: 'guid' },
    composite: false,
    leads: true,
    order: isWhole ? null : 'sql',
  };
  const plan: TablePlan = {
    table: SCHEMA,
    columns: SCHEMA.columns,
    filter: undefined,
    strategy: isWhole ? 'stream' : 'ranges',
    ranges: isWhole ? [ALL_KEYS] : [range, range],
    key,
    pageRows: null,
    estimate: null,
    reason: '',
  };
  const nothing = () => {};
  const request = {
    plan,
    range,
    sink,
    unproven: 0,
    seen: 0,
    counted: null,
    onCounted: nothing,
    onBytes: nothing,
    onRows: nothing,
  };
  const clock = { now: () => 0, sleep: async () => {} };
  try {
    await scanRange(request, { instance, clock, signal: NEVER, counts: new CountKnowledge(false) });
    return rows;
  } catch (thrown) {
    if (hasCode(thrown, 'END_UNPROVEN', 'ORDER_DISPROVED')) return undefined;
    throw thrown;
  }
}

async function readTable(
  table: readonly Guid[],
  ranges: readonly KeyRange[],
  compare: Compare,
  cap: number,
): Promise<readonly Guid[] | undefined> {
  const ask = serve(table, compare, cap);
  const parts = await Promise.all(ranges.map((range) => readRange(range, ask)));
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

  test('in the order of SQL Server give each row exactly once, also where every answer is cut short', async () => {
    await fc.assert(
      fc.asyncProperty(sampled, shares, fc.integer({ min: 2, max: 80 }), async ({ table, sample }, at, cap) => {
        const cuts = pickBoundaries(sample, at, compareGuidsAsSqlServer);
        expect(sorted((await readTable(table, splitAt(cuts), compareGuidsAsSqlServer, cap)) ?? [])).toEqual(
          sorted(table),
        );
      }),
    );
  });

  test('in any other order give each row exactly once or say that they cannot', async () => {
    await fc.assert(
      fc.asyncProperty(sampled, shares, orders, async ({ table, sample }, at, { compare }) => {
        const rows = await readTable(
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
  test('gives each row exactly once or says that it cannot, in any order, however short the answers are cut', async () => {
    await fc.assert(
      fc.asyncProperty(keys, orders, fc.integer({ min: 2, max: 80 }), async (table, { compare }, cap) => {
        const rows = await readTable(table, [ALL_KEYS], compare, cap);
        if (rows !== undefined) expect(sorted(rows)).toEqual(sorted(table));
      }),
      { numRuns: 1000 },
    );
  });

  test('is whole or refused where answers come empty, as long as no two do so one after the other', () => {
    const lost = fc.array(fc.boolean(), { maxLength: 12 });
    fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 2, max: 80 }), lost, async (table, cap, losses) => {
        const ask = serve(table, compareGuidsAsSqlServer, cap);
        let asked = 0;
        const rows = await readRange(ALL_KEYS, (range) => {
          const n = asked++;
          return losses[n] === true && losses[n - 1] !== true ? [] : ask(range);
        });
        if (rows !== undefined) expect(sorted(rows)).toEqual(sorted(table));
      }),
      { numRuns: 500 },
    );
  });

  test('is not taken for whole where the greatest row vanished before the end was proven', async () => {
    await fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 2, max: 80 }), async (table, cap) => {
        fc.pre(table.length > 0);
        const greatest = [...table].sort(compareGuidsAsSqlServer).at(-1);
        const before = serve(table, compareGuidsAsSqlServer, cap);
        const after = serve(
          table.filter((key) => key !== greatest),
          compareGuidsAsSqlServer,
          cap,
        );
        const rows = await readRange(ALL_KEYS, (range) => (range.ge === greatest ? after(range) : before(range)));
        expect(rows).toBeUndefined();
      }),
    );
  });

  test('is proven whole in the orders of SQL Server and of text', async () => {
    await fc.assert(
      fc.asyncProperty(keys, fc.constantFrom(compareGuidsAsSqlServer, text), async (table, compare) => {
        expect(sorted((await readTable(table, [ALL_KEYS], compare, Number.POSITIVE_INFINITY)) ?? [])).toEqual(
          sorted(table),
        );
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
