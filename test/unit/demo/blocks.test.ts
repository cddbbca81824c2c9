import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBlockCache } from '../../../src/demo/blocks.ts';
import { createDatabase } from '../../../src/demo/database.ts';
import { compileEncoder, type JsonForm } from '../../../src/demo/encode.ts';
import { DEFAULT_PERSONALITY } from '../../../src/demo/personality.ts';
import { DEFAULT_RIGHTS } from '../../../src/demo/rights.ts';

const form = (change: Partial<JsonForm> = {}): JsonForm => ({
  ...DEFAULT_PERSONALITY,
  ieee754: false,
  language: null,
  ...change,
});

const forms = fc.constantFrom<Partial<JsonForm>>(
  {},
  { json: 'pretty' },
  { guidCase: 'upper' },
  { binaries: 'base64url' },
  { properties: 'shuffled' },
  { extraProperties: ['etag'] },
  { nulls: 'omitted', decimals: 'strings' },
);

test.each(['Inv_Lots', 'Gen_Calendar', 'Gen_Document_Links'])(
  'slices of %s, from a template or not, are the rows encoded one by one, also after writes',
  (name) => {
    fc.assert(
      fc.property(
        forms,
        fc.boolean(),
        fc.nat(2199),
        fc.nat(600),
        fc.subarray([0, 1, 2, 3]),
        (change, template, start, length, some) => {
          const db = createDatabase({ tables: [name], tableRows: { [name]: 2200 }, template });
          const table = db.table(name);
          const columns = [...table.columns.keys()].filter(
            (i) => some.length === 0 || some.includes(i) || table.columns[i]!.pk > 0,
          );
          const encoder = compileEncoder({ table, columns, form: form(change), rights: DEFAULT_RIGHTS });
          // The block of the template itself is written to: that must not show in other rows.
          table.update(3, 9000);
          table.remove(4);
          const from = Math.max(1000, start);
          const to = Math.min(from + length, Math.min((Math.floor(from / 1000) + 1) * 1000, 2200));
          const expected = Array.from({ length: to - from }, (_, i) => encoder.encode(table.rowOf(from + i)!)).join('');
          expect(createBlockCache().slice(encoder, from, to).toString()).toBe(expected);
        },
      ),
      { numRuns: 40 },
    );
  },
);

test('a cache too small for two blocks gives the right bytes again and again', () => {
  const db = createDatabase({ tables: ['Inv_Lots'], tableRows: { Inv_Lots: 3000 } });
  const table = db.table('Inv_Lots');
  const encoder = compileEncoder({ table, columns: [0, 1, 2], form: form(), rights: DEFAULT_RIGHTS });
  const small = createBlockCache(10);
  const large = createBlockCache();
  for (const from of [0, 1000, 0, 2000, 1000, 0]) {
    expect(small.slice(encoder, from, from + 900).equals(large.slice(encoder, from, from + 900))).toBe(true);
  }
});

test('a value cannot be set in a table of template rows', () => {
  const values = [{ table: 'Inv_Lots', row: 0, column: 'Cost_Price', value: '1' }];
  expect(() => createDatabase({ tables: ['Inv_Lots'], template: true, values })).toThrow(/template rows/);
});
