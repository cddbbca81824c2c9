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
  ])('%s and %s: %s', (glob, name, matches) => {
    expect(globMatcher(glob)(name)).toBe(matches);
  });

  it('are separated by commas outside braces', () => {
    expect(splitGlobs(' Gen_* , Crm_{Customers,Orders},,X')).toEqual(['Gen_*', 'Crm_{Customers,Orders}', 'X']);
    expect(splitGlobs(' , ')).toEqual([]);
    expect(splitGlobs('a{b,c')).toEqual(['a{b', 'c']);
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
