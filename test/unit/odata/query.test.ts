import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ColumnType, TableSchema } from '../../../src/core/schema.ts';
import { allOf, compileFilter, type FilterValue, hasOuterOr } from '../../../src/odata/filters.ts';
import { compileQuery } from '../../../src/odata/query.ts';

const types: Readonly<Record<string, ColumnType>> = {
  Id: { kind: 'guid' },
  Name: { kind: 'text' },
  Void: { kind: 'boolean' },
  Count: { kind: 'int64' },
  Amount: { kind: 'decimal', precision: 38, scale: 2 },
  Rate: { kind: 'float64' },
  At: { kind: 'timestamp' },
  Day: { kind: 'date' },
  Time: { kind: 'time' },
  Version: { kind: 'binary' },
  Shape: { kind: 'json' },
};
const table: TableSchema = {
  name: 'Gen_Documents',
  key: ['Id'],
  navigations: [],
  columns: Object.entries(types).map(([name, type]) => ({ name, type, edmType: '', nullable: true, sensitive: false })),
};
const GUID = '0A1B2C3D-0000-e311-81cb-00155d001f00';
const eq = (column: string, value: FilterValue | null) => compileFilter({ op: 'eq', column, value }, table);

describe('literals', () => {
  it.each<[string, FilterValue | null, string]>([
    ['Id', GUID, `Id eq ${GUID.toLowerCase()}`],
    ['Name', "O'Brien", "Name eq 'O''Brien'"],
    ['Name', null, 'Name eq null'],
    ['Void', false, 'Void eq false'],
    ['Count', 9223372036854775807n, 'Count eq 9223372036854775807'],
    ['Count', '-5', 'Count eq -5'],
    ['Amount', '12345678901234567890123456789012345678.90', 'Amount eq 12345678901234567890123456789012345678.90'],
    ['Rate', 0.1, 'Rate eq 0.1'],
    ['At', '2023-01-31T23:59:59Z', 'At eq 2023-01-31T23:59:59Z'],
    ['At', '2023-01-31T23:59:59.000000Z', 'At eq 2023-01-31T23:59:59Z'],
    ['At', 1_675_209_599_000_000n, 'At eq 2023-01-31T23:59:59Z'],
    ['At', -1n, 'At eq 1969-12-31T23:59:59.999999Z'],
    ['At', 1_000_001n, 'At eq 1970-01-01T00:00:01.000001Z'],
    ['Day', '9999-12-31', 'Day eq 9999-12-31'],
    ['Time', '23:59:59.999', 'Time eq 23:59:59.999'],
    ['Version', 'AAAAAAAAB9E=', "Version eq binary'AAAAAAAAB9E'"],
    ['Document_Reference/State', 30, 'Document_Reference/State eq 30'],
    ['A_Reference/B_Reference/Day', '2023-01-31T23:59:59Z', 'A_Reference/B_Reference/Day eq 2023-01-31T23:59:59Z'],
  ])('of %s for %s', (column, value, text) => {
    expect(eq(column, value)).toBe(text);
  });

  it.each<[string, FilterValue]>([
    ['Id', 'x'],
    ['Id', `${GUID}' or 1`],
    ['Count', 1.5],
    ['Count', 2 ** 60],
    ['Count', '1 or 1 eq 1'],
    ['Amount', 0.1],
    ['Rate', Number.NaN],
    ['At', '31.01.2023'],
    ['Shape', '{}'],
    ['Unknown', 1],
  ])('of %s cannot be %s', (column, value) => {
    expect(() => eq(column, value)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('filters', () => {
  it('compile every documented form', () => {
    const range = allOf({ op: 'ge', column: 'Count', value: 1 }, undefined, { op: 'le', column: 'Count', value: 5 });
    expect(compileFilter(range!, table)).toBe('Count ge 1 and Count le 5');
    expect(compileFilter({ op: 'in', column: 'Count', values: [1, 2] }, table)).toBe('Count in (1,2)');
    expect(compileFilter({ op: 'like', column: 'Name', pattern: "%'%" }, table)).toBe("Name like '%''%'");
    expect(compileFilter({ op: 'anyOf', column: 'Count', values: [1, null] }, table)).toBe(
      '(Count eq 1 or Count eq null)',
    );
  });

  it('put a text with an "or" of its own into parentheses beside other terms', () => {
    const key = { op: 'ge', column: 'Count', value: 1 } as const;
    expect(compileFilter(allOf({ op: 'text', text: 'A eq 1 or A eq 2' }, key)!, table)).toBe(
      '(A eq 1 or A eq 2) and Count ge 1',
    );
    expect(compileFilter(allOf({ op: 'text', text: 'Void eq false' }, key)!, table)).toBe(
      'Void eq false and Count ge 1',
    );
    expect(compileFilter({ op: 'text', text: 'A eq 1 or A eq 2' }, table)).toBe('A eq 1 or A eq 2');
  });

  it.each([
    ['a or b', true],
    ['(a or b) and c', false],
    ["Name eq 'x or y'", false],
    ["Name eq 'it''s or (' or b", true],
    ['Order eq 1', false],
    ['A eq 1 OR B eq 2', true],
    ['(a)or(b)', true],
  ])('find the outer "or" of %s', (text, outer) => {
    expect(hasOuterOr(text)).toBe(outer);
  });

  it('are never empty', () => {
    expect(() => compileFilter({ op: 'in', column: 'Count', values: [] }, table)).toThrow();
    expect(() => compileFilter({ op: 'anyOf', column: 'Count', values: [] }, table)).toThrow();
    expect(() => compileFilter({ op: 'and', terms: [] }, table)).toThrow();
    expect(allOf(undefined, undefined)).toBeUndefined();
  });
});

describe('queries', () => {
  it('are relative URLs with spaces as %20', () => {
    const url = compileQuery({
      table,
      select: ['Id', 'Name'],
      filter: { op: 'eq', column: 'Name', value: 'a+b & c=#' },
      top: 1000,
      count: true,
    });
    expect(url).toBe("Gen_Documents?$select=Id,Name&$filter=Name%20eq%20'a%2Bb%20%26%20c%3D%23'&$top=1000&$count=true");
  });

  it('name only what is asked for', () => {
    expect(compileQuery({ table, select: ['Id'] })).toBe('Gen_Documents?$select=Id');
  });

  it.each([-1, 1.5, 2 ** 31, Number.NaN])('refuse $top of %s', (top) => {
    expect(() => compileQuery({ table, select: ['Id'], top })).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('refuse to select nothing, which servers take for everything', () => {
    expect(() => compileQuery({ table, select: [] })).toThrow();
  });

  it('refuse half a surrogate pair', () => {
    expect(() => eqUrl('\ud800')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('carry any text so that a server reads the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const url = new URL(eqUrl(text), 'https://demodb.my.erp.net/tableapi/odata/');
        expect([...url.searchParams.keys()]).toEqual(['$select', '$filter']);
        expect(url.searchParams.get('$filter')).toBe(`Name eq '${text.replaceAll("'", "''")}'`);
        expect(url.hash).toBe('');
      }),
    );
  });
});

function eqUrl(value: string): string {
  return compileQuery({ table, select: ['Id'], filter: { op: 'eq', column: 'Name', value } });
}
