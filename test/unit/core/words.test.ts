import { describe, expect, it } from 'vitest';
import { count, plural, shareOf } from '../../../src/core/words.ts';

describe('numbers in messages', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1234567, '1,234,567'],
    [9007199254740993n, '9,007,199,254,740,993'],
  ])('%s is written %s', (value, text) => {
    expect(count(value)).toBe(text);
  });

  it('agree with their nouns', () => {
    const said = [plural(0, 'table'), plural(1, 'table'), plural(1n, 'row'), plural(4000, 'row')];
    expect(said).toEqual(['0 tables', '1 table', '1 row', '4,000 rows']);
  });

  it('of a part and its whole agree with the whole', () => {
    expect([shareOf(1, 1, 'table'), shareOf(1, 40, 'table')]).toEqual(['1 of 1 table', '1 of 40 tables']);
  });
});
