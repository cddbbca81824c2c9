import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseByGlobs, globMatcher, idleGlobs, splitGlobs } from '../../../src/core/globs.ts';

const errors = { none: 'no table of the pipeline', hint: '`tablevault tables` lists them.' };
const tables = ['Gen_Documents', 'Gen_Parties', 'Crm_Sales_Orders', '.Odd', '!Not'].map((name) => ({ name }));
const chosen = (...globs: string[]) => chooseByGlobs(tables, globs, errors).map(({ name }) => name);

describe('globs', () => {
  it.each([
    ['Gen_*', 'Gen_Documents', true],
    ['Documents', 'Gen_Documents', false],
    ['gen_*', 'Gen_Documents', false],
    ['Gen_Part?es', 'Gen_Parties', true],
    ['Gen_[DP]*', 'Gen_Parties', true],
    ['Gen_{Documents,Parties}', 'Gen_Parties', true],
    ['*', '.Odd', true],
    ['a[b', 'a[b', true],
    ['a[b]', 'a[b]', true],
    ['!Gen_*', 'Crm_Sales_Orders', false],
    ['!Not', '!Not', true],
    ['!(Gen_*)', 'Crm_Sales_Orders', false],
    ['+(a|b)', 'ab', false],
    ['a(b|c)', 'ab', false],
    ['{1..3}', '2', false],
    ['x{,y}', 'x', true],
    ['{a,{b,c}d}*', 'cd_1', true],
    ['{a,b', '{a,b', true],
    ['a}b*', 'a}b_1', true],
    ['[!a]x', 'bx', true],
    ['[a-c]x', 'dx', false],
    ['[]a]', ']', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['*', 'a/b', true],
    ['./Gen_A', 'Gen_A', false],
    ['a.b', 'axb', false],
    ['Gen_?', 'Gen_😀', true],
    ['*a', '\na', true],
    ['[z-a]', 'z', false],
    ['a'.repeat(70_000), 'a', false],
    [`{${Array.from({ length: 5_000 }, (_, n) => `Gen_Table_${n}`)}}`, 'Gen_Table_4999', true],
    [`${'{a,'.repeat(5_000)}b${'}'.repeat(5_000)}`, 'b', true],
  ])('%s and %s: %s', (glob, name, matches) => {
    expect(globMatcher(glob)(name)).toBe(matches);
  });

  it('match as the pieces that they are made of', () => {
    const letter = fc.constantFrom(...'abc');
    const piece: fc.Arbitrary<readonly [glob: string, pattern: string]> = fc.oneof(
      letter.map((char) => [char, char] as const),
      fc.constant(['*', '.*'] as const),
      fc.constant(['?', '.'] as const),
      fc.tuple(letter, letter).map(([one, other]) => [`[${one}${other}]`, `[${one}${other}]`] as const),
      fc.tuple(letter, letter, letter).map(([a, b, c]) => [`{${a}${b},${c}*,}`, `(?:${a}${b}|${c}.*|)`] as const),
    );
    const name = fc.string({ unit: letter, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 7 }), name, (pieces, text) => {
        const glob = pieces.map(([part]) => part).join('');
        const pattern = new RegExp(`^${pieces.map(([, part]) => part).join('')}$`);
        expect(globMatcher(glob)(text), `${glob} ${text}`).toBe(pattern.test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('take no time that grows with the ways to match', () => {
    const begun = performance.now();
    expect(globMatcher(`${'*a'.repeat(40)}*b`)('a'.repeat(400))).toBe(false);
    expect(globMatcher(`${'{a,aa}'.repeat(60)}b`)('a'.repeat(100))).toBe(false);
    for (const many of ['['.repeat(60_000), '{'.repeat(60_000), '[a'.repeat(30_000), '*'.repeat(60_000)]) {
      expect(splitGlobs(many).length).toBe(1);
      expect(globMatcher(many)('b')).toBe(many.startsWith('*'));
    }
    expect(performance.now() - begun).toBeLessThan(3_000);
  });

  it('are separated by commas outside braces', () => {
    expect(splitGlobs(' Gen_* , Crm_{Customers,Orders},,X')).toEqual(['Gen_*', 'Crm_{Customers,Orders}', 'X']);
    expect(splitGlobs(' , ')).toEqual([]);
    expect(splitGlobs('a{b,c')).toEqual(['a{b', 'c']);
    expect(splitGlobs('{a,{b,c},d},e')).toEqual(['{a,{b,c},d}', 'e']);
  });

  it('choose what any of them matches, once, in the order of the tables', () => {
    expect(chosen('Crm_*', 'Gen_Parties', 'Gen_P*')).toEqual(['Gen_Parties', 'Crm_Sales_Orders']);
  });

  it('that match nothing are told, and are an error with near names where tables are chosen', () => {
    expect(idleGlobs(['Gen_*', 'Xyz_*'], ['Gen_A'])).toEqual(['Xyz_*']);
    expect(() => chosen('Gen_*', 'Gen_Docments')).toThrow(
      expect.objectContaining({
        code: 'TABLE_UNKNOWN',
        message: 'no table of the pipeline matches "Gen_Docments"; near names: Gen_Documents',
        hint: errors.hint,
      }),
    );
  });
});
