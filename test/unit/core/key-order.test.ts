import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { guidOfSqlOrderKey, sqlOrderKey } from '../../../src/core/guid.ts';
import { comparator, type Key, type KeyOrder, leastKey, ordersOf } from '../../../src/core/key-order.ts';
import { keyAfter, keyFurther, keysAfter } from '../../../src/core/key-steps.ts';
import type { ColumnType } from '../../../src/core/schema.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const guid = fc.tuple(hex(8), hex(4), hex(4), hex(4), hex(12)).map((groups) => groups.join('-'));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const day = fc
  .integer({ min: -700_000, max: 2_900_000 })
  .map((days) => new Date(days * 86_400_000).toISOString().slice(0, 10));

const instant = fc
  .tuple(day, fc.integer({ min: 0, max: 86_399 }), fc.integer({ min: 0, max: 999_999 }))
  .map(([date, seconds, micros]) => `${date}T${timeOf(seconds, micros)}Z`);
const time = fc
  .tuple(fc.integer({ min: 0, max: 86_399 }), fc.integer({ min: 0, max: 999_999 }))
  .map(([seconds, micros]) => timeOf(seconds, micros));

function timeOf(seconds: number, micros: number): string {
  const whole = new Date(seconds * 1000).toISOString().slice(11, 19);
  return micros === 0 ? whole : `${whole}.${String(micros).padStart(6, '0')}`;
}

const KINDS: readonly (readonly [ColumnType, fc.Arbitrary<Key>])[] = [
  [{ kind: 'guid' }, guid],
  [{ kind: 'int64' }, int64],
  [{ kind: 'date' }, day],
  [
    { kind: 'decimal', precision: 20, scale: 2 },
    fc
      .tuple(fc.integer(), fc.integer({ min: 0, max: 99 }))
      .map(([whole, rest]) => `${whole}.${String(rest).padStart(2, '0')}`),
  ],
  [{ kind: 'timestamp' }, instant],
  [{ kind: 'time' }, time],
  [{ kind: 'text' }, fc.string()],
];

describe.each(KINDS)('keys of %j', (type, keys) => {
  test.each(ordersOf(type))('are compared consistently by %s', (order: KeyOrder) => {
    const compare = comparator(type, order);
    fc.assert(
      fc.property(keys, keys, keys, (a, b, c) => {
        // Not toBe(0): of equal keys either sum may be -0, which is as good.
        expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a)) === 0).toBe(true);
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('have a next one, with none between, wherever there is one', () => {
    for (const order of ordersOf(type)) {
      const compare = comparator(type, order);
      fc.assert(
        fc.property(keys, keys, (key, other) => {
          const after = keyAfter(type, key, order);
          if (after === undefined) return;
          expect(compare(key, after)).toBeLessThan(0);
          if (compare(other, key) > 0) expect(compare(other, after)).toBeGreaterThanOrEqual(0);
        }),
      );
    }
  });

  test('have later ones: the next first, where there is one', () => {
    for (const order of ordersOf(type)) {
      if (order === 'collation' || order === 'nocase') continue;
      const compare = comparator(type, order);
      fc.assert(
        fc.property(keys, keys, (key, other) => {
          const later = keysAfter(type, key, order);
          for (const each of later) expect(compare(each.key, key)).toBeGreaterThan(0);
          if (later[0]?.next) expect(later[0].key).toBe(keyAfter(type, key, order));
          expect(later.slice(1).some(({ next }) => next)).toBe(false);
          const further = keyFurther(type, order, [other, key], 2);
          if (compare(other, key) >= 0) expect(further).toBeUndefined();
          else if (further !== undefined) expect(compare(further, key)).toBeGreaterThan(0);
        }),
      );
    }
  });

  test('are none before the least', () => {
    const least = leastKey(type);
    const [order] = ordersOf(type);
    if (least === undefined || order === undefined) return;
    fc.assert(fc.property(keys, (key) => comparator(type, order)(least, key) <= 0));
  });
});

test('instants with and without a fraction of a second are compared by time', () => {
  const compare = comparator({ kind: 'timestamp' }, 'value');
  expect(compare('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.5Z')).toBeLessThan(0);
  expect(compare('2026-01-01T00:00:01Z', '2026-01-01T00:00:00.5Z')).toBeGreaterThan(0);
});

test("SQL Server's order of a GUID can be turned back", () => {
  fc.assert(fc.property(guid, (each) => guidOfSqlOrderKey(sqlOrderKey(each)) === each));
});
