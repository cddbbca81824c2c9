import { describe, expect, it } from 'vitest';
import type { TableSchema } from '../../../../src/core/schema.ts';
import { forecast, ratesOf, requestsOf, seatMinutes } from '../../../../src/run/plan/rates.ts';
import type { TablePlan } from '../../../../src/scan/plan.ts';
import { ALL_KEYS } from '../../../../src/scan/ranges.ts';
import type { Manifest } from '../../../../src/vault/chain/manifest.ts';

const window = { from: '2026-11-28T02:15:01.000Z', to: '2026-11-28T02:15:09.000Z' };
const manifest = {
  snapshot: 'one',
  startedAt: '2026-11-28T02:15:00.000Z',
  durationMs: 10_000,
  bytesReceived: 400_000,
  totals: { tables: 2, rows: 1_000, bytes: 100_000, parts: 2 },
  tables: [
    { name: 'Large', rows: 900, bytes: 90_000, window },
    { name: 'Other', rows: 100, bytes: 10_000, window },
    { name: 'Empty', rows: 0, bytes: 0, window },
  ],
} as unknown as Manifest;

describe('rates', () => {
  it('are those of the whole run', () => {
    expect(ratesOf(manifest)).toEqual({ snapshot: 'one', rowsPerSecond: 100, bytesPerSecond: 10_000, wirePerByte: 4 });
  });

  it('are unknown without a snapshot, and after one that read nothing', () => {
    expect(ratesOf(undefined)).toBeNull();
    expect(ratesOf({ ...manifest, tables: [] })).toBeNull();
    expect(ratesOf({ ...manifest, durationMs: 0 })).toBeNull();
  });

  it('leave out the tables that a run before had read', () => {
    const [large, other] = manifest.tables;
    const kept = { ...large!, window: { ...window, from: '2026-11-27T23:00:00.000Z' } };
    expect(ratesOf({ ...manifest, tables: [kept, other!] })).toMatchObject({ rowsPerSecond: 10, wirePerByte: 40 });
    expect(ratesOf({ ...manifest, tables: [kept] })).toBeNull();
  });

  it('make a table that has doubled take twice as long', () => {
    const rates = ratesOf(manifest);
    expect(forecast('Large', 1_800, rates, manifest)).toEqual({
      parquetBytes: 180_000,
      bytesReceived: 720_000,
      durationMs: 18_000,
    });
    expect(forecast('Empty', 0, rates, manifest)).toMatchObject({ durationMs: 0 });
  });

  it('say nothing of a table that was not measured, or whose rows are unknown', () => {
    const rates = ratesOf(manifest);
    for (const [table, rows] of [
      ['New', 10],
      ['Large', null],
      ['Empty', 10],
    ] as const) {
      expect(forecast(table, rows, rates, manifest)).toEqual({
        parquetBytes: null,
        bytesReceived: null,
        durationMs: null,
      });
    }
  });
});

describe('seat-minutes', () => {
  it.each([
    [0, 20],
    [30 * 60_000, 50],
    [90 * 60_000, 130],
    [150 * 60_000, 210],
  ])('of a run of %i ms are %i: its minutes, the idle end, and a second seat after each renewal', (ms, minutes) => {
    expect(seatMinutes(ms)).toBe(minutes);
  });
});

describe('requests', () => {
  const plan = (more: Partial<TablePlan>): TablePlan => ({
    table: {} as TableSchema,
    columns: [],
    filter: undefined,
    strategy: 'stream',
    ranges: [ALL_KEYS],
    pageRows: null,
    estimate: null,
    key: null,
    reason: '',
    ...more,
  });
  const key: TablePlan['key'] = { column: 'Id', type: { kind: 'guid' }, composite: false, leads: true, order: null };

  it('of a keyed table are one for each range, one that closes, and one more where the instance gives no count', () => {
    const ranges = plan({ key, strategy: 'ranges', ranges: [ALL_KEYS, ALL_KEYS, ALL_KEYS] });
    expect(requestsOf(plan({ key }), true)).toBe(2);
    expect(requestsOf(ranges, true)).toBe(4);
    expect(requestsOf(ranges, false)).toBe(5);
  });

  it('of a table without a key are one: a count comes with it', () => {
    expect(requestsOf(plan({}), false)).toBe(1);
    expect(requestsOf(plan({}), true)).toBe(1);
  });

  it('of a chain follow from its rows, and are unknown without them', () => {
    const chain = { strategy: 'chain', pageRows: 1000 } as const;
    expect(requestsOf(plan({ ...chain, estimate: { rows: 2_500, source: '$count' } }), false)).toBe(3);
    expect(requestsOf(plan(chain), false)).toBeNull();
  });
});
