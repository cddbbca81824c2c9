import { describe, expect, it } from 'vitest';
import { csvField } from '../../../src/core/csv.ts';

describe('a field of CSV', () => {
  it.each([
    ['plain', 'plain'],
    ['', '""'],
    ['a,b', '"a,b"'],
    ['say "no"', '"say ""no"""'],
    ['two\nlines', '"two\nlines"'],
    ['two\r', '"two\r"'],
    [' kept ', ' kept '],
    ['NULL', 'NULL'],
  ])('%j is written %s', (text, written) => expect(csvField(text)).toBe(written));
});
