import { describe, expect, test } from 'vitest';
import { compareGuidsAsSqlServer } from '../../../src/core/guid.ts';
import { createDatabase } from '../../../src/demo/database.ts';
import { bindFilter } from '../../../src/demo/filter-eval.ts';
import { parseFilter } from '../../../src/demo/filter-parse.ts';
import type { Value } from '../../../src/demo/model.ts';
import { scaledDecimal } from '../../../src/demo/order.ts';
import { DEFAULT_PERSONALITY, type Personality } from '../../../src/demo/personality.ts';

const db = createDatabase({ rows: 0.02 });

/** Rows of a table that a filter lets through. */
function pass(table: string, filter: string, how: Partial<Personality> = {}) {
  const data = db.table(table);
  const { test: passes } = bindFilter(db, data, filter === '' ? [] : parseFilter(filter), {
    ...DEFAULT_PERSONALITY,
    ...how,
  });
  const names = data.columns.map((column) => column.name);
  return Array.from({ length: data.size }, (_, i) => data.rowOf(i)!)
    .filter((row) => passes === null || passes(row))
    .map((row) => Object.fromEntries(names.map((name, i) => [name, data.value(row, i)])));
}
const all = (table: string) => [...db.rows(table)];
const at = (row: Readonly<Record<string, Value>>, name: string) => String(row[name]);

describe('the filter grammar', () => {
  test.each([
    'State eq 30',
    'State ge 10 and State le 30',
    "Document_No like '00%'",
    "Creation_User eq 'O''Brien'",
    'Id in (a3c5b5f0-0000-0000-0000-000000000001)',
    'State in (10,20, 30)',
    '(State eq 10 or State eq 20)',
    '(State eq 10)',
    'Notes eq null',
    'Document_Reference/State ge 30 and (Void eq false)',
  ])('takes %s', (filter) => {
    expect(parseFilter(filter).length).toBeGreaterThan(0);
  });

  test.each([
    '',
    'State',
    'State lt 30',
    'State gt 30',
    'State ne 30',
    'not State eq 30',
    'State eq 10 or State eq 20',
    '(State eq 10 or Void eq true)',
    '(State ge 10 or State le 20)',
    '(State eq 10 and Void eq true)',
    "contains(Document_No,'1')",
    'State eq 10 AND Void eq true',
    'State in ()',
    'State in (10',
    "Document_No eq 'open",
    'State eq 30 garbage',
    'State eq (30)',
    '((State eq 10))',
  ])('refuses %s', (filter) => {
    expect(() => parseFilter(filter)).toThrow(expect.objectContaining({ name: 'Refusal' }));
  });
});

describe('a filter', () => {
  test('by ge and le on a key takes the order of SQL Server, both ends included', () => {
    const ids = all('Gen_Parties').map((row) => at(row, 'Id'));
    const [low, high] = [ids[40]!, ids[120]!];
    expect(pass('Gen_Parties', `Id ge ${low} and Id le ${high}`).map((row) => at(row, 'Id'))).toEqual(
      ids.filter((id) => compareGuidsAsSqlServer(id, low) >= 0 && compareGuidsAsSqlServer(id, high) <= 0),
    );
    const byText = pass('Gen_Parties', `Id ge ${low}`, { guidOrder: 'text' }).map((row) => at(row, 'Id'));
    expect(byText).toEqual(ids.filter((id) => id >= low));
  });

  test('that includes nulls lets rows through where the column is null', () => {
    const party = at(all('Gen_Parties')[3]!, 'Id');
    const rows = pass('Gen_Documents', `To_Party_Id eq ${party}`);
    expect(rows.map((row) => row['Id'])).toEqual(
      all('Gen_Documents')
        .filter((row) => row['To_Party_Id'] === null || row['To_Party_Id'] === party)
        .map((row) => row['Id']),
    );
    expect(rows.some((row) => row['To_Party_Id'] === null)).toBe(true);
  });

  test('eq null gives the nulls alone, ge null is refused', () => {
    const rows = pass('Gen_Documents', 'To_Party_Id eq null');
    expect(rows.length).toBe(all('Gen_Documents').filter((row) => row['To_Party_Id'] === null).length);
    expect(rows.length).toBeGreaterThan(0);
    expect(() => pass('Gen_Documents', 'State ge null')).toThrow(expect.objectContaining({ type: 'InvalidFilter' }));
  });

  test('compares decimals exactly, beyond what a float can hold', () => {
    expect(
      scaledDecimal('99999999999999999999999999999999999.999', 3) -
        scaledDecimal('99999999999999999999999999999999999.998', 3),
    ).toBe(1n);
    expect(scaledDecimal('-0.05', 2)).toBe(-5n);
    const quantities = pass('Crm_Sales_Order_Lines', 'Quantity ge 50000.5').map((row) => Number(row['Quantity']));
    expect(quantities.length).toBeGreaterThan(0);
    expect(quantities.every((quantity) => quantity >= 50000.5)).toBe(true);
  });

  test('by text does not mind case; like takes % and _', () => {
    const user = at(all('Sec_Users')[2]!, 'Login');
    expect(pass('Sec_Users', `Login eq '${user.toUpperCase()}'`).map((row) => row['Login'])).toContain(user);
    expect(pass('Sec_Users', `Login like '${user[0]}_${user.slice(2, 4)}%'`).map((row) => row['Login'])).toContain(
      user,
    );
    expect(pass('Sec_Users', "Login like 'q%'")).toEqual([]);
  });

  test('over references gives the rows whose document has the state', () => {
    const states = new Map(all('Gen_Documents').map((row) => [row['Id'], row['State']]));
    const orders = new Map(all('Crm_Sales_Orders').map((row) => [row['Sales_Order_Id'], row['Document_Id']]));
    const rows = pass('Crm_Sales_Order_Lines', 'Sales_Order_Reference/Document_Reference/State ge 40');
    const expected = all('Crm_Sales_Order_Lines').filter(
      (row) => Number(states.get(orders.get(row['Sales_Order_Id']!)!)) >= 40,
    );
    expect(rows).toEqual(expected);
    expect(rows.length).toBeGreaterThan(0);
  });

  test('over a reference that is no owner is a matter of personality', () => {
    const filter = `Product_Reference/Product_Group_Id eq ${at(all('Gen_Product_Groups')[0]!, 'Id')}`;
    expect(pass('Crm_Sales_Order_Lines', filter, { filterReferences: 'all' })).toBeInstanceOf(Array);
    expect(() => pass('Crm_Sales_Order_Lines', filter, { filterReferences: 'owners' })).toThrow(/may not follow/);
  });

  test('keeps or cuts times in date literals', () => {
    const row = all('Gen_Documents').find((document) => at(document, 'Creation_Time').slice(11) > '12:00:00')!;
    const day = at(row, 'Creation_Time').slice(0, 10);
    const ids = (how: Partial<Personality>) =>
      pass('Gen_Documents', `Creation_Time le ${day}T23:59:59Z`, how).map((found) => found['Id']);
    expect(ids({ dateLiterals: 'kept' })).toContain(row['Id']);
    expect(ids({ dateLiterals: 'cut' })).not.toContain(row['Id']);
  });

  test('by default values is in force only when the personality says so and the column is not named', () => {
    const voids = (filter: string, defaultFilters: boolean) =>
      new Set(pass('Gen_Documents', filter, { defaultFilters }).map((row) => row['Void']));
    expect(voids('', false)).toEqual(new Set([true, false]));
    expect(voids('', true)).toEqual(new Set([false]));
    expect(voids('Void eq true', true)).toEqual(new Set([true]));
  });

  test.each([
    ['Gen_Documents', 'Notes eq null', /does not take/],
    ['Gen_Documents', 'Row_Version ge 1', /does not take/],
    ['Gen_Documents', 'Void in (true)', /does not take/],
    ['Gen_Documents', 'Nothing eq 1', /no column/],
    ['Gen_Documents', 'Nothing_Reference/State eq 1', /no reference/],
    ['Gen_Documents', "Id ge 'text'", /not a literal/],
    ['Gen_Documents', 'Id ge 12', /not a literal/],
    ['Gen_Documents', "State ge '30'", /not a literal/],
    ['Gen_Documents', 'Creation_Time ge 2023-01-31', /not a literal/],
    ['Gen_Documents', 'Creation_Time ge 2023-01-31T10:00:00', /not a literal/],
    ['Sec_Users', 'Login like 5', /text in quotes/],
  ])('on %s: %s is refused', (table, filter, message) => {
    expect(() => pass(table, filter)).toThrow(message);
  });

  test('by key is refused where the personality has no key filter', () => {
    const filter = `Id ge ${at(all('Gen_Parties')[0]!, 'Id')}`;
    expect(() => pass('Gen_Parties', filter, { keyFilter: false })).toThrow(/does not take/);
  });
});
