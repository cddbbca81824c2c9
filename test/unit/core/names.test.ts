import { describe, expect, it } from 'vitest';
import { caseTwin, printableName, tableNameProblem } from '../../../src/core/names.ts';

describe('table names', () => {
  it.each(['Gen_Documents', '_x', 'Таблица', 'A1', 'Console'])('%s is a name', (name) => {
    expect(tableNameProblem(name)).toBeUndefined();
  });

  it.each([
    '',
    '../x',
    '..',
    'a/b',
    'a\\b',
    'a b',
    'a.b',
    'CON',
    'con',
    'NUL',
    'Lpt1',
    '__proto__',
    'x'.repeat(300),
    'Я'.repeat(120),
    'a\u0000b',
    'a\u202eb',
    '1a',
    "a'b",
    'a\nb',
    'e\u0301',
  ])('%j is refused', (name) => {
    expect(tableNameProblem(name)).toBeTypeOf('string');
  });

  it('that differ by case alone are twins', () => {
    expect(caseTwin('Gen_Docs', ['Gen_Docs', 'GEN_docs'])).toBe('GEN_docs');
    expect(caseTwin('Gen_Docs', ['Gen_Docs', 'Gen_Doc'])).toBeUndefined();
  });

  it('are printed without control characters and cut', () => {
    expect(printableName('a\u001b[31m\u202e')).toBe('a\\u{1b}[31m\\u{202e}');
    expect(printableName('x'.repeat(300))).toHaveLength(78);
  });
});
