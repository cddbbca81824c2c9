import { describe, expect, it } from 'vitest';
import { bytes } from '../../../src/cli/format.ts';
import { duration } from '../../../src/core/duration.ts';

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [99_949, '99.9 kB'],
    [99_960, '100 kB'],
    [999_600, '1.0 MB'],
    [1_500_000_000, '1.5 GB'],
  ])('%d bytes are %s', (value, text) => {
    expect(bytes(value)).toBe(text);
  });

  it.each([
    [0, '0.0 s'],
    [9_900, '9.9 s'],
    [9_960, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [125_000, '2 min 5 s'],
    [7_800_000, '2 h 10 min'],
    [7_200_000, '2 h'],
  ])('%d milliseconds are %s', (value, text) => {
    expect(duration(value)).toBe(text);
  });
});
