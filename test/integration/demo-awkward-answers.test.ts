/** The awkward demo instance: answers that are cut, counts, pages and links, order, and the bytes of bodies. */
import { describe, expect, test } from 'vitest';
import { compareGuidsAsSqlServer } from '../../src/core/guid.ts';
import type { FaultAction, Personality } from '../../src/demo/instance.ts';
import { conformanceClient } from '../unit/demo/conformance.ts';
import { type Json, type Page, parseExact, plainRows, startClient } from '../unit/demo/support.ts';

const client = await conformanceClient();

const be = (personality: Partial<Personality>) => client.demo.configure({ personality });
const ids = (rows: readonly { [name: string]: Json }[]) => rows.map((row) => String(row['Id']));
const truth = [...client.demo.rows('Gen_Documents')].map((row) => String(row['Id']));
const read = async (query = '') => client.page(`Gen_Documents?$select=Id${query}`);
const count = (page: Page) => JSON.stringify(page.body['@odata.count'] ?? null).replace('{"text":"800"}', '800');
const rowsOf = async (query = '') => (await read(query)).rows.length;
/** Reads by links, at most so many pages. */
async function chain(query: string, most: number) {
  const pages = [await read(query)];
  while (typeof pages.at(-1)!.nextLink === 'string' && pages.at(-1)!.nextLink !== '' && pages.length < most)
    pages.push(await client.page(pages.at(-1)!.nextLink!));
  return pages;
}

describe('a silent cut', () => {
  test('at n rows ends every answer there, without a link, while counts tell the truth', async () => {
    be({ cut: { rows: 30 } });
    const page = await read('&$count=true');
    expect([ids(page.rows), page.nextLink, count(page)]).toEqual([truth.slice(0, 30), undefined, '800']);
    expect(await rowsOf(`&$filter=Id ge ${truth[100]}`)).toBe(30);
    expect(await rowsOf('&$top=29')).toBe(29);
    expect((await read('&$top=31')).nextLink).toBeUndefined();
    expect((await client.get('Gen_Documents/$count')).text).toBe('800');
  });

  test('at n bytes ends before the row that goes beyond them, after one row at least', async () => {
    be({ cut: { bytes: 1000 } });
    const page = await read();
    const bytes = Buffer.byteLength(page.text.slice(page.text.indexOf('[')));
    expect(page.rows.length).toBeGreaterThan(5);
    expect(bytes).toBeLessThan(1003);
    expect(ids(page.rows)).toEqual(truth.slice(0, page.rows.length));
    be({ cut: { bytes: 1 } });
    expect((await client.page('Gen_Documents')).rows.length).toBe(1);
  });

  test('at a random number of rows is drawn anew for each answer, between two bounds', async () => {
    be({ cut: { between: [20, 40] } });
    const found = new Set<number>();
    for (let i = 0; i < 30; i++) found.add(await rowsOf());
    expect(found.size).toBeGreaterThan(5);
    expect([...found].every((rows) => rows >= 20 && rows <= 40)).toBe(true);
  });

  test('to a share of the rows leaves less of what remains each time', async () => {
    be({ cut: { share: 0.5 } });
    expect(await rowsOf()).toBe(400);
    expect(await rowsOf(`&$filter=Id ge ${truth[400]}`)).toBe(200);
    expect(await rowsOf('&$top=10')).toBe(5);
    expect(await rowsOf(`&$filter=Id ge ${truth[799]}`)).toBe(0);
  });

  test.each(['sql', 'text'] as const)(
    'at a row of the table never sends what comes after it, in the %s order, in no read',
    async (guidOrder) => {
      be({ cut: { lastRow: 310 }, guidOrder });
      const order = [...truth].sort(guidOrder === 'sql' ? compareGuidsAsSqlServer : undefined);
      expect(ids((await read()).rows)).toEqual(order.slice(0, 310));
      expect(ids((await read(`&$filter=Id ge ${order[309]}`)).rows)).toEqual([order[309]]);
      expect(await rowsOf(`&$filter=Id ge ${order[310]}`)).toBe(0);
      expect(await rowsOf(`&$filter=Id in (${order[500]})`)).toBe(0);
      expect(count(await read('&$count=true'))).toBe('800');
      expect((await client.page('Inv_Current_Balances')).rows.length).toBe(80);
      be({ cut: { lastRow: 31 } });
      expect((await client.page('Inv_Current_Balances')).rows.length).toBe(31);
    },
  );
});

describe('counts', () => {
  const FILTER = '&$filter=Void eq false';

  test.each([400, 500, 501] as const)('are refused with %s', async (requestErrorStatus) => {
    be({ count: false, requestErrorStatus });
    expect((await client.get('Gen_Documents?$count=true&$top=1')).status).toBe(requestErrorStatus);
  });

  test('are ignored: the option is taken, the answer has none', async () => {
    be({ counts: 'ignored' });
    expect((await read('&$count=true')).body).not.toHaveProperty('@odata.count');
    expect((await client.get('Gen_Documents/$count')).status).toBe(404);
  });

  test('tell of the rows of the answer alone', async () => {
    be({ counts: 'page', cut: { rows: 30 } });
    expect(JSON.stringify((await read('&$count=true')).body['@odata.count'])).toBe('{"text":"30"}');
    expect(JSON.stringify((await read('&$top=7&$count=true')).body['@odata.count'])).toBe('{"text":"7"}');
    expect((await client.get('Gen_Documents/$count')).text).toBe('30');
  });

  test('are given to reads without a filter alone', async () => {
    be({ counts: 'unfiltered' });
    expect(count(await read('&$count=true'))).toBe('800');
    expect((await read(`&$count=true${FILTER}`)).body).not.toHaveProperty('@odata.count');
    expect((await client.get(`Gen_Documents/$count?${FILTER.slice(1)}`)).status).toBe(500);
  });

  test('come as text, and under the names of OData 4.01', async () => {
    be({ countForm: 'string', controlPrefix: '@' });
    const { body } = await read('&$count=true&$top=10');
    expect(body['@count']).toBe('800');
    expect(body['@nextLink']).toMatch(/^Gen_Documents\?/);
    expect(Object.keys(body).filter((name) => name.includes('odata'))).toEqual([]);
  });
});

describe('pages that the server makes by itself', () => {
  test.each(['skip', 'skiptoken'] as const)('are linked by $%s, and hold every row once', async (link) => {
    be({ serverPage: { rows: 250, link } });
    const pages = await chain('&$count=true', 10);
    expect(pages.map((page) => page.rows.length)).toEqual([250, 250, 250, 50]);
    expect(pages.flatMap((page) => ids(page.rows))).toEqual(truth);
    expect(pages.slice(0, 3).every((page) => page.nextLink!.includes(`$${link}=`))).toBe(true);
    const top = await chain('&$top=600', 10);
    expect(top.map((page) => page.rows.length)).toEqual([250, 250, 100]);
    expect(await rowsOf('&$top=40')).toBe(40);
    expect((await read('&$top=40')).nextLink).toBeUndefined();
    const last = await chain(`&$filter=Id ge ${truth[500]}`, 10);
    expect(last.flatMap((page) => ids(page.rows))).toEqual(truth.slice(500));
  });

  test('by $skip miss rows when earlier ones are deleted; by $skiptoken they miss none', async () => {
    for (const link of ['skip', 'skiptoken'] as const) {
      be({ serverPage: { rows: 100, link } });
      const first = await client.page('Gen_Property_Values?$select=Property_Value_Id');
      client.demo.write({ deletes: 10, where: 'first', tables: ['Gen_Property_Values'] });
      const second = await client.page(first.nextLink!);
      const seen = new Set(
        [...first.rows, ...second.rows].map((row) => String((row as Record<string, Json>)['Property_Value_Id'])),
      );
      const now = [...client.demo.rows('Gen_Property_Values')].map((row) => String(row['Property_Value_Id']));
      const missed = now.slice(0, 100).filter((id) => !seen.has(id)).length;
      expect(missed, link).toBe(link === 'skip' ? 10 : 0);
    }
  });

  test.each([
    ['null', null],
    ['empty', ''],
  ] as const)('end with a link that is %s', async (lastLink, value) => {
    be({ lastLink, serverPage: { rows: 500, link: 'skiptoken' } });
    const pages = await chain('', 3);
    expect(pages.map((page) => page.rows.length)).toEqual([500, 300]);
    expect(pages[1]!.body['@odata.nextLink']).toBe(value);
  });

  test.each(['endless-empty', 'endless-same'] as const)(
    'never end: %s, with a new address each time',
    async (lastLink) => {
      be({ lastLink });
      for (const query of ['', `&$filter=Id ge ${truth[700]}`]) {
        const pages = await chain(query, 12);
        const rows = query === '' ? truth : truth.slice(700);
        expect(new Set(pages.map((page) => page.nextLink)).size).toBe(12);
        for (const page of pages.slice(1)) expect(ids(page.rows)).toEqual(lastLink === 'endless-same' ? rows : []);
      }
      const views = [await client.page('Inv_Current_Balances?$top=80')];
      for (let i = 0; i < 3; i++) views.push(await client.page(views.at(-1)!.nextLink!));
      expect(views.map((page) => page.rows.length)).toEqual(
        lastLink === 'endless-same' ? [80, 80, 80, 80] : [80, 0, 0, 0],
      );
    },
  );
});

describe('rows in random order', () => {
  test('come in another order with each request, all of them, also where pages are linked', async () => {
    be({ rowOrder: 'random' });
    const first = ids((await read()).rows);
    const second = ids((await read()).rows);
    expect(first).not.toEqual(second);
    expect(first).not.toEqual(truth);
    expect([...first].sort()).toEqual([...truth].sort());
    be({ serverPage: { rows: 100, link: 'skip' } });
    const pages = await chain('', 20);
    expect(pages.length).toBe(8);
    expect(new Set(pages.flatMap((page) => ids(page.rows))).size).toBeLessThan(800);
    const some = ids((await read(`&$filter=Id ge ${truth[750]}`)).rows);
    expect([...some].sort()).toEqual(truth.slice(750).sort());
  });
});

describe('bodies', () => {
  const columns = 'Gen_Documents?$select=Id,Notes,Document_Date,Creation_Time,Row_Version,Void';

  test.each([{ json: 'spaced' }, { escapes: 'everywhere' }] as const)(
    '%j: another text, the same values',
    async (how) => {
      const plain = await client.page(columns);
      be(how);
      const other = await client.page(columns);
      expect(other.text.length).toBeGreaterThan(plain.text.length * 1.1);
      expect(plainRows(client, 'Gen_Documents', other.rows)).toEqual(plainRows(client, 'Gen_Documents', plain.rows));
      if ('json' in how) expect(other.text).toMatch(/"Void" \n:\r\t\n (true|false) \n\t\r}/);
      else expect(other.text).toMatch(/"Document_Date":"\d{4}\\u002D\d\d\\u002D\d\d/);
    },
  );

  test('hold values that do not fit their column, as they were ordered', async () => {
    const order = (row: number, column: string, json: string) => ({
      table: 'Sys_Filter',
      row,
      column,
      value: { json },
    });
    const own = await startClient({
      tables: ['Sys_Filter'],
      rows: 0.1,
      personality: { nulls: 'omitted' },
      values: [order(3, 'Column_Name', '"\\ud800"'), order(4, 'Row_Version', '1e400'), order(5, 'Column_Name', 'null')],
    });
    const { text } = await own.get('Sys_Filter?$select=Column_Name,Row_Version');
    const rows = text.slice(text.indexOf('[') + 1).split('},{');
    expect(rows[3]).toContain('"Column_Name":"\\ud800"');
    expect(rows[4]).toContain('"Row_Version":1e400');
    expect(rows[5]).toContain('"Column_Name":null');
    await own.close();
  });

  test('begin with a byte order mark, each of them', async () => {
    be({ bom: true, compression: [] });
    for (const path of ['', '$metadata', 'Gen_Currencies', 'Gen_Currencies/$count']) {
      const response = await fetch(`${client.demo.url}/tableapi/odata/${path}`, {
        headers: { 'x-api-key': client.demo.credentials.referenceToken },
      });
      expect(
        Buffer.from(await response.arrayBuffer())
          .subarray(0, 3)
          .toString('hex'),
        path,
      ).toBe('efbbbf');
    }
  });

  test('leave out the nulls of some columns and write those of others', async () => {
    be({ nulls: 'mixed' });
    const { rows } = await client.page('Gen_Documents');
    const kinds = new Map<string, string>();
    for (const { name, nullable } of client.demo.tables.find((table) => table.name === 'Gen_Documents')!.columns) {
      if (!nullable) continue;
      const absent = rows.some((row) => !(name in row));
      const written = rows.some((row) => row[name] === null);
      if (absent || written) kinds.set(name, absent && written ? 'both' : absent ? 'absent' : 'written');
    }
    expect(new Set(kinds.values())).toEqual(new Set(['absent', 'written']));
  });

  const faulty = async (action: FaultAction, path = 'Gen_Documents?$select=Id&$count=true') => {
    client.demo.configure({ faults: [{ on: { path: 'Gen_Documents', nth: 1 }, do: action }] });
    return client.page(path);
  };

  test('hold a flat error in the place of a row, after half of the rows', async () => {
    const { rows, text } = await faulty('flat-error-in-stream');
    expect(rows.length).toBeGreaterThan(300);
    expect(rows.length).toBeLessThan(500);
    expect(Object.keys(rows.at(-1)!)).toEqual(['message', 'code', 'type', 'info']);
    expect(parseExact(text)).toBeDefined();
  });

  test.each(['flat', 'nested'] as const)('hold the members of an error beside value: %s', async (errorShape) => {
    be({ errorShape });
    const { body, rows } = await faulty('error-beside-rows');
    expect(rows.length).toBeLessThan(500);
    const error = errorShape === 'flat' ? body : body['error'];
    expect(error).toHaveProperty('message');
    expect(error).toHaveProperty('code');
  });

  test('hold no row once, while the count beside tells the truth', async () => {
    const page = await faulty('empty');
    expect([page.rows, count(page), page.nextLink]).toEqual([[], '800', undefined]);
    expect(await rowsOf()).toBe(800);
  });
});
