import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutEnd, cutMiddle, plainText, widthOf, wrap } from '../../../src/cli/text.ts';

const CHARACTERS = ['a', 'b', ' ', '_', 'Ж', 'é', 'e\u0301', '日', '한', '👍', '👨‍👩‍👧', '🇧🇬', '…', '█'];
const text = fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 40 }).map((all) => all.join(''));

describe('the width of text', () => {
  it.each([
    ['Gen_Documents', 13],
    ['Документи', 9],
    ['日本語', 6],
    ['e\u0301', 1],
    ['👨‍👩‍👧', 2],
    ['\u001b[31mred\u001b[39m', 3],
    ['a\u200bb\ufeff', 2],
  ])('%j is %i cells', (value, cells) => {
    expect(widthOf(value)).toBe(cells);
  });
});

describe('text that is cut', () => {
  it('says where something is missing', () => {
    expect(cutEnd('Gen_Documents', 6)).toBe('Gen_D…');
    expect(cutMiddle('Crm_Sales_Order_Lines', 12)).toBe('Crm_Sa…Lines');
    expect(cutEnd('日本語テキスト', 6)).toBe('日本…');
    expect(cutEnd('Марица Бетон 1', 4)).toBe('Мар…');
    expect(cutMiddle('short', 5)).toBe('short');
  });

  it('is never wider than asked, and is only cut where it must be', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 30 }), (value, cells) => {
        for (const cut of [cutEnd(value, cells), cutMiddle(value, cells)]) {
          expect(widthOf(cut)).toBeLessThanOrEqual(cells);
          if (widthOf(value) <= cells) expect(cut).toBe(value);
          else expect(cut).toContain('…');
        }
      }),
    );
  });
});

describe('text that is wrapped', () => {
  it('breaks between words, and keeps a number with its noun', () => {
    expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrap('it holds 40 tables', 11)).toEqual(['it holds', '40 tables']);
    expect(wrap('1 2 3 4 5 6', 4)).toEqual(['1 2', '3 4', '5 6']);
  });

  it('goes on below its own beginning', () => {
    expect(wrap('  one two three', 9)).toEqual(['  one two', '  three']);
    expect(wrap('a b c', 3, { indent: 1 })).toEqual(['a b', ' c']);
  });

  it('leaves a long word whole, so that it can be copied, unless it shall be broken', () => {
    expect(wrap('see /a/very/long/path now', 8)).toEqual(['see', '/a/very/long/path', 'now']);
    expect(wrap('abcdefghij', 4, { hard: true })).toEqual(['abcd', 'efgh', 'ij']);
  });

  it('is left as it is where there is no terminal', () => {
    expect(wrap('a long line that nobody cuts', undefined)).toEqual(['a long line that nobody cuts']);
  });

  it('loses nothing, and with hard breaks no line is too wide', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 4, max: 30 }), (value, cells) => {
        const lines = wrap(value, cells, { hard: true, indent: 0 });
        expect(lines.join('').replaceAll(' ', '')).toBe(value.replaceAll(' ', ''));
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(cells);
      }),
    );
  });
});

it('what a server says cannot drive a terminal', () => {
  expect(plainText('a\u001b[31mred\r\nb\u009bc')).toBe('a [31mred b c');
});
