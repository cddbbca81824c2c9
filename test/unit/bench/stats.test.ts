import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { machineSlug } from '../../../bench/lib/machine.ts';
import { interpolate, ratios, spread } from '../../../bench/lib/stats.ts';

describe('a spread of rounds', () => {
  it('has the middle value, or the mean of the two in the middle', () => {
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
    expect(spread([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 });
  });

  it('does not depend on the order of rounds', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 }), (drawn) => {
        // A sort leaves 0 and -0 in the order in which they came.
        const values = drawn.map((value) => value + 0);
        const { min, median, max } = spread(values);
        expect(spread(values.toReversed())).toEqual({ min, median, max });
        expect(min <= median && median <= max).toBe(true);
      }),
    );
  });

  it('refuses to make one of nothing', () => {
    expect(() => spread([])).toThrow(RangeError);
  });

  it('takes ratios within rounds, so that a slow machine in one round weighs on both sides', () => {
    expect(ratios([100, 10], [50, 5])).toEqual({ min: 2, median: 2, max: 2 });
    expect(() => ratios([1, 2], [1])).toThrow(RangeError);
  });
});

describe('samples over time', () => {
  const samples = [
    [100, 0],
    [200, 50],
    [300, 50],
  ] as const;

  it('are joined by straight lines', () => {
    expect(interpolate(samples, 150)).toBe(25);
    expect(interpolate(samples, 200)).toBe(50);
    expect(interpolate(samples, 250)).toBe(50);
  });

  it('stand for themselves before the first and after the last', () => {
    expect(interpolate(samples, 0)).toBe(0);
    expect(interpolate(samples, 999)).toBe(50);
    expect(() => interpolate([], 1)).toThrow(RangeError);
  });
});

describe('the name of a machine in a file name', () => {
  it('is its processor and cores, and nothing that a path could stumble over', () => {
    expect(machineSlug({ cpu: 'Intel(R) Xeon(R) CPU @ 2.20GHz', cores: 4 })).toBe('intel-xeon-cpu-2-20ghz-4-cores');
    expect(machineSlug({ cpu: '../..', cores: 2 })).toBe('unknown-2-cores');
  });
});
