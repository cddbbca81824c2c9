/** The demo instance against FACTS: system views and the form of values, both ways. */
import { describe, expect, test } from 'vitest';
import type { Personality } from '../../src/demo/instance.ts';
import { conformanceClient } from '../unit/demo/conformance.ts';
import { type Num, plainRows, startClient } from '../unit/demo/support.ts';

const client = await conformanceClient();

const be = (personality: Partial<Personality>) => client.demo.configure({ personality });
const truth = (table: string) => [...client.demo.rows(table)];

describe('system views', () => {
  test('[T] Dmv_Table_Info tells how many rows each table holds, where the identity may read it', async () => {
    const own = await startClient({ tables: ['Dmv_Table_Info', 'Inv_Lots', 'Sec_Access_Keys'], rows: 0.01 });
    const counts = async () =>
      Object.fromEntries(
        (await own.page('Dmv_Table_Info')).rows.map((row) => [row['Table_Name'], (row['Row_Count'] as Num).text]),
      );
    expect(await counts()).toEqual({ Inv_Lots: '30', Sec_Access_Keys: '0' });
    own.demo.write({ inserts: 4, tables: ['Inv_Lots'] });
    expect(await counts()).toEqual({ Inv_Lots: '34', Sec_Access_Keys: '0' });
    own.demo.configure({ personality: { tableInfo: 'stale' } });
    expect(await counts()).toEqual({ Inv_Lots: '30', Sec_Access_Keys: '0' });
    own.demo.configure({ personality: { tableInfo: 'empty' } });
    expect(await counts()).toEqual({});
    own.demo.configure({ personality: { tableInfo: 'forbidden' } });
    expect((await own.get('Dmv_Table_Info')).status).toBe(403);
    await own.close();
  });
});

describe('the form of values', () => {
  const first = async (path: string) => (await client.page(path)).rows;

  test('[I] date and time columns come as dates and times, or as instants and durations', async () => {
    const columns = async () =>
      (await client.get('$metadata')).text.match(/Name="(Document_Date|Start_Time)" Type="[^"]+"/g);
    const values = async () => [
      (await first('Gen_Documents?$top=1&$select=Document_Date'))[0]!['Document_Date'],
      (await first('Gen_Work_Schedule_Working_Time?$top=1&$select=Start_Time'))[0]!['Start_Time'],
    ];
    expect(await columns()).toEqual(['Name="Document_Date" Type="Edm.Date"', 'Name="Start_Time" Type="Edm.TimeOfDay"']);
    expect(await values()).toEqual([
      expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      expect.stringMatching(/^\d\d:\d\d:\d\d/),
    ]);
    be({ dates: 'DateTimeOffset', times: 'Duration' });
    expect(await columns()).toEqual([
      'Name="Document_Date" Type="Edm.DateTimeOffset"',
      'Name="Start_Time" Type="Edm.Duration"',
    ]);
    expect(await values()).toEqual([expect.stringMatching(/T00:00:00Z$/), expect.stringMatching(/^PT\d+H\d+M/)]);
  });

  test('instants come in UTC, or with an offset and the same instant', async () => {
    const path = 'Gen_Documents?$select=Creation_Time';
    const utc = await first(path);
    be({ instants: 'offset' });
    const offset = await first(path);
    expect(offset.filter((row) => String(row['Creation_Time']).endsWith('+02:00')).length).toBeGreaterThan(700);
    expect(offset.map((row) => Date.parse(String(row['Creation_Time'])))).toEqual(
      utc.map((row) => Date.parse(String(row['Creation_Time']))),
    );
  });

  test('decimals come as numbers, trimmed, with exponents or as strings, with the same value', async () => {
    const path = 'Inv_Current_Balances?$select=Base_Cost';
    const plain = (await first(path)).map((row) => (row['Base_Cost'] as Num).text);
    const scaled = (text: string) => {
      const [mantissa = '', exponent = '0'] = text.split('E');
      const [left = '', right = ''] = mantissa.replace('-', '').split('.');
      const digits = BigInt((left + right).padEnd(left.length + Math.max(right.length, Number(exponent) + 6), '0'));
      const shift = Math.max(right.length, Number(exponent) + 6) - Number(exponent);
      return `${text.startsWith('-') && digits !== 0n ? '-' : ''}${digits * 10n ** BigInt(60 - shift)}`;
    };
    for (const decimals of ['trimmed', 'exponent', 'strings'] as const) {
      be({ decimals });
      const texts = (await first(path)).map((row) =>
        decimals === 'strings' ? String(row['Base_Cost']) : (row['Base_Cost'] as Num).text,
      );
      expect(texts, decimals).not.toEqual(decimals === 'strings' ? [] : plain);
      expect(texts.map(scaled), decimals).toEqual(plain.map(scaled));
    }
  });

  test('properties come in the order declared or shuffled, nulls written or left out, with extra ones, pretty, escaped', async () => {
    const expected = truth('Gen_Parties');
    const same = async () => plainRows(client, 'Gen_Parties', await first('Gen_Parties'));
    be({ properties: 'shuffled' });
    const orders = new Set((await first('Gen_Parties')).map((row) => Object.keys(row).join()));
    expect(orders.size).toBeGreaterThan(5);
    expect(await same()).toEqual(expected);
    be({ properties: 'declared', nulls: 'omitted' });
    expect((await first('Gen_Parties')).some((row) => !('GLN' in row))).toBe(true);
    be({ nulls: 'written', json: 'pretty', escapes: 'all' });
    expect((await client.get('Gen_Parties')).text).toMatch(/^\{\n {2}"@odata.context": /);
    expect((await client.get('Gen_Parties')).text).toMatch(/^[\n\x20-\x7e]*$/);
    expect(await same()).toEqual(expected);
    be({ json: 'compact', escapes: 'minimal', extraProperties: ['etag', 'unknown'] });
    expect(Object.keys((await first('Gen_Parties'))[0]!)).toEqual(
      expect.arrayContaining(['@odata.etag', 'Undeclared_Property']),
    );
  });

  test('binary comes as base64 or base64url, GUIDs in lower or upper case, bodies in odd chunks', async () => {
    be({ binaries: 'base64url', guidCase: 'upper', chunkBytes: 7 });
    const { rows } = await client.page('Gen_Property_Values?$top=200');
    const back = rows.map((row) => [
      String(row['Property_Value_Id']).toLowerCase(),
      row['Picture'] === null ? null : Buffer.from(String(row['Picture']), 'base64url').toString('base64'),
    ]);
    expect(back).toEqual(
      truth('Gen_Property_Values')
        .slice(0, 200)
        .map((row) => [row['Property_Value_Id'], row['Picture']]),
    );
    expect(rows.every((row) => /^[0-9A-F-]{36}$/.test(String(row['Property_Value_Id'])))).toBe(true);
  });

  test('[T] multi-language text is the same for everybody, or chosen by Accept-Language or culture', async () => {
    const name = async (language: string | undefined, query = '') =>
      (
        await client.page(`Gen_Parties?$top=1&$select=Party_Name${query}`, {
          'x-api-key': client.demo.credentials.referenceToken,
          ...(language === undefined ? {} : { 'accept-language': language }),
        })
      ).rows[0]!['Party_Name'];
    expect(await name('bg')).toBe(await name('en'));
    be({ multiLanguage: 'accept-language' });
    expect(await name('en')).toBe(truth('Gen_Parties')[0]!['Party_Name']);
    expect(await name('bg')).not.toBe(await name('en'));
    expect(await name('bg', '&culture=en')).toBe(await name('en'));
  });
});
