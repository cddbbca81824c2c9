/** The demo instance against FACTS: reading. Both ways of what is not documented of the Table API. */
import { describe, expect, test } from 'vitest';
import { compareGuidsAsSqlServer } from '../../src/core/guid.ts';
import type { Personality } from '../../src/demo/instance.ts';
import { conformanceClient } from '../unit/demo/conformance.ts';
import { type Json, Num, parseExact, plainRows, startClient } from '../unit/demo/support.ts';

const client = await conformanceClient();

const be = (personality: Partial<Personality>) => client.demo.configure({ personality });
const truth = (table: string) => [...client.demo.rows(table)];
const ids = (rows: readonly { [name: string]: Json }[], key = 'Id') => rows.map((row) => String(row[key]));
const error = async (path: string) => {
  const reply = await client.get(path);
  return { status: reply.status, ...(JSON.parse(reply.text) as { type?: string; message?: string; error?: object }) };
};

describe('a read', () => {
  test('[T] without $top gives the whole result in one response, every value as it is', async () => {
    for (const table of client.demo.tables) {
      const page = await client.page(table.name);
      expect(page.nextLink).toBeUndefined();
      expect(page.headers.get('transfer-encoding'), 'it streams').toBe('chunked');
      expect(plainRows(client, table.name, page.rows), table.name).toEqual(truth(table.name));
    }
  });

  test('[T] takes $select: these columns and no other', async () => {
    const { rows } = await client.page('Crm_Customers?$select=Customer_Number,Customer_Id');
    expect(rows.every((row) => Object.keys(row).join() === 'Customer_Number,Customer_Id')).toBe(true);
    expect((await error('Crm_Customers?$select=Nothing')).type).toBe('InvalidSelect');
  });

  test('[T] takes $top; above 2^31-1 it is an error', async () => {
    expect((await client.page('Gen_Documents?$top=3&$select=Id')).rows.length).toBe(3);
    expect((await client.page('Gen_Documents?$top=0&$select=Id')).rows).toEqual([]);
    expect((await client.page('Gen_Documents?$top=500000000&$select=Id')).rows.length).toBe(800);
    expect((await client.page(`Gen_Countries?$top=${2 ** 31 - 1}`)).rows.length).toBe(4);
    expect((await error(`Gen_Documents?$top=${2 ** 31}`)).type).toBe('InvalidOption');
    expect((await error('Gen_Documents?$top=-1')).type).toBe('InvalidOption');
  });

  test.each(['relative', 'absolute'] as const)(
    '[D] with $top gives an opaque %s nextLink while rows remain, by key',
    async (nextLink) => {
      be({ nextLink });
      const first = await client.page('Gen_Documents?$top=300&$select=Id');
      expect(first.nextLink).toMatch(nextLink === 'absolute' ? /^http:\/\/127/ : /^Gen_Documents\?/);
      expect(first.nextLink).toContain('$skiptoken=');
      const { rows, pages } = await client.all('Gen_Documents?$top=300&$select=Id');
      expect([ids(rows), pages]).toEqual([truth('Gen_Documents').map((row) => row['Id']), 3]);
      expect((await client.get('Gen_Documents?$top=3&$skiptoken=WzEsWyJ4Il1d')).status).toBe(500);
    },
  );

  test('[D] pages of views and ordered reads go on by $skip', async () => {
    const first = await client.page('Inv_Current_Balances?$top=30');
    expect(first.nextLink).toMatch(/\$skip=30$/);
    expect((await client.all('Inv_Current_Balances?$top=30')).rows.length).toBe(80);
    be({ orderby: true });
    const sorted = await client.all('Gen_Documents?$top=300&$select=Id,Document_Date&$orderby=Document_Date desc');
    const dates = sorted.rows.map((row) => String(row['Document_Date']));
    expect(dates).toEqual(
      truth('Gen_Documents')
        .map((row) => String(row['Document_Date']))
        .sort()
        .reverse(),
    );
    expect(new Set(ids(sorted.rows)).size).toBe(800);
  });

  test('[I] may honour $top and never give a link', async () => {
    be({ nextLink: 'none' });
    const page = await client.page('Gen_Documents?$top=300&$select=Id');
    expect([page.rows.length, page.nextLink]).toEqual([300, undefined]);
  });

  test('a full last page carries no link, a link may stand before the rows', async () => {
    expect((await client.page('Gen_Documents?$top=800&$select=Id')).nextLink).toBeUndefined();
    expect((await client.page('Gen_Documents?$top=799&$select=Id')).nextLink).toBeDefined();
    be({ nextLinkPosition: 'before' });
    const page = await client.page('Gen_Documents?$top=300&$select=Id');
    expect(Object.keys(page.body)).toEqual(['@odata.context', '@odata.nextLink', 'value']);
    expect((await client.all('Gen_Documents?$top=300&$select=Id')).rows.length).toBe(800);
  });

  test('[I] $count, $skip and $orderby are known or refused', async () => {
    for (const [option, path] of [
      ['count', 'Gen_Documents?$count=true&$top=1'],
      ['skip', 'Gen_Documents?$skip=5&$top=1&$select=Id'],
      ['orderby', 'Gen_Documents?$orderby=Document_No&$top=1'],
    ] as const) {
      be({ [option]: true });
      expect((await client.get(path)).status, option).toBe(200);
      be({ [option]: false, nextLink: 'none' });
      expect((await error(path)).type, option).toBe('UnsupportedOption');
    }
    be({ count: true });
    expect((await client.page('Gen_Documents?$count=true&$top=1&$filter=Void eq true')).body['@odata.count']).toEqual(
      new Num(String(truth('Gen_Documents').filter((row) => row['Void'] === true).length)),
    );
    expect((await client.get('Gen_Documents/$count')).text).toBe('800');
    be({ count: false });
    expect((await client.get('Gen_Documents/$count')).status).toBe(404);
  });

  test.each([['gzip'], ['br']] as const)('[I] comes as %s when that is offered and accepted', async (coding) => {
    const key = { 'x-api-key': client.demo.credentials.referenceToken };
    be({ compression: [coding] });
    const coded = await client.get('Gen_Documents', { ...key, 'accept-encoding': `deflate, ${coding}` });
    expect(coded.headers.get('content-encoding')).toBe(coding);
    expect((parseExact(coded.text) as { value: Json[] }).value.length).toBe(800);
    const plain = await client.get('Gen_Documents?$top=1', { ...key, 'accept-encoding': `${coding};q=0` });
    expect(plain.headers.get('content-encoding')).toBeNull();
    be({ compression: [] });
    const none = await client.get('Gen_Documents?$top=1', { ...key, 'accept-encoding': coding });
    expect(none.headers.get('content-encoding')).toBeNull();
  });

  test('[I] IEEE754Compatible is honoured or ignored', async () => {
    const headers = {
      'x-api-key': client.demo.credentials.referenceToken,
      accept: 'application/json;IEEE754Compatible=true',
    };
    const row = async () => (await client.page('Dmv_Table_Info?$top=1', headers)).rows[0]!;
    be({ ieee754: 'ignored' });
    expect((await row())['Row_Count']).toBeInstanceOf(Num);
    be({ ieee754: 'honoured' });
    expect([typeof (await row())['Row_Count'], typeof (await row())['Size_MB']]).toEqual(['string', 'string']);
  });

  test('what is not documented is refused in the form of the vendor, with 500 or 400, flat or below error', async () => {
    for (const path of [
      'Gen_Documents?$expand=Lines',
      'Gen_Documents?$search=x',
      'Gen_Documents?$format=json',
      'Gen_Documents?$apply=x',
    ]) {
      const found = await error(path);
      expect(Object.keys(found)).toEqual(['status', 'message', 'code', 'type', 'info', 'messageFormat', 'parameters']);
      expect(found).toMatchObject({ status: 500, type: 'UnsupportedOption' });
    }
    be({ errorShape: 'nested', requestErrorStatus: 400 });
    expect(await error('Gen_Documents?$expand=Lines')).toMatchObject({
      status: 400,
      error: { type: 'UnsupportedOption' },
    });
    const posted = await fetch(`${client.demo.url}/tableapi/odata/Gen_Documents`, {
      method: 'POST',
      headers: { 'x-api-key': client.demo.credentials.referenceToken },
    });
    expect(posted.status).toBe(405);
    expect((await client.get(`Gen_Documents?$filter=Id in (${'a'.repeat(9000)})`)).status).toBe(414);
  });
});

describe('keys and order', () => {
  test('[I] uniqueidentifier sorts in the order of SQL Server, or, to see what breaks, as text', async () => {
    const byServer = ids((await client.page('Gen_Parties?$select=Id')).rows);
    expect(byServer).toEqual([...byServer].sort(compareGuidsAsSqlServer));
    be({ guidOrder: 'text' });
    const { rows } = await client.all('Gen_Parties?$top=50&$select=Id');
    expect(ids(rows)).toEqual([...byServer].sort());
  });

  test.each(['sql', 'text'] as const)(
    '[T] key le b1, ge b1 and le b2, … ge bn cover every row in the %s order',
    async (guidOrder) => {
      be({ guidOrder });
      const middle = ids((await client.page('Gen_Documents?$select=Id')).rows)[333]!;
      const compare = guidOrder === 'sql' ? compareGuidsAsSqlServer : (a: string, b: string) => (a < b ? -1 : 1);
      const bounds = [middle, '00000000-0000-0000-0000-000000000000', '77777777-7777-7777-7777-777777777777'].sort(
        compare,
      );
      const filters = [
        `Id le ${bounds[0]}`,
        `Id ge ${bounds[0]} and Id le ${bounds[1]}`,
        `Id ge ${bounds[1]} and Id le ${bounds[2]}`,
        `Id ge ${bounds[2]}`,
      ];
      const found: string[] = [];
      for (const filter of filters) {
        found.push(...ids((await client.all(`Gen_Documents?$select=Id&$top=200&$filter=${filter}`)).rows));
      }
      // The bound that is a key comes in both of its ranges, and nothing else does.
      expect(new Set(found).size).toBe(800);
      expect(found.length).toBe(801);
      const between = await client.page(`Gen_Documents?$select=Id&$filter=Id ge ${middle} and Id le ${middle}`);
      expect(ids(between.rows)).toEqual([middle]);
    },
  );

  test('[I] rows may come in any order where no link follows; all of them come', async () => {
    be({ rowOrder: 'any', nextLink: 'none' });
    const found = ids((await client.page('Gen_Documents?$select=Id')).rows);
    expect(found).not.toEqual(truth('Gen_Documents').map((row) => row['Id']));
    expect(new Set(found)).toEqual(new Set(truth('Gen_Documents').map((row) => row['Id'])));
  });

  test('[I] a key filter may be refused', async () => {
    be({ keyFilter: false });
    expect((await error(`Gen_Documents?$filter=Id ge ${String(truth('Gen_Documents')[0]!['Id'])}`)).type).toBe(
      'FilterNotAllowed',
    );
  });

  test('[T] in (…) on the key fetches those rows', async () => {
    const wanted = truth('Gen_Documents')
      .slice(100, 105)
      .map((row) => String(row['Id']));
    const none = 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa';
    const { rows } = await client.page(
      `Gen_Documents?$select=Id&$filter=Id in (${[none, ...wanted.toReversed(), wanted[0]].join(',')})`,
    );
    expect(ids(rows).sort()).toEqual(wanted.sort());
    const paged = await client.all(`Gen_Documents?$select=Id&$top=2&$filter=Id in (${wanted.join(',')})`);
    expect(ids(paged.rows).sort()).toEqual(wanted.sort());
  });

  test('[T] Row_Version changes with every update, grows over the whole database, and takes no filter', async () => {
    const own = await startClient({ tables: ['Inv_Lots', 'Gen_Measurement_Units'], rows: 0.05 });
    const versions = async (table: string, key: string) =>
      new Map(
        (await own.page(`${table}?$select=${key},Row_Version`)).rows.map((row) => [
          String(row[key]),
          String(row['Row_Version']),
        ]),
      );
    const before = await versions('Inv_Lots', 'Lot_Id');
    const changes = own.demo.write({ inserts: 7, updates: 9, deletes: 5, tables: ['Inv_Lots'] });
    const after = await versions('Inv_Lots', 'Lot_Id');
    const state = new Map(before);
    let last = 0;
    for (const change of changes) {
      const key = String(change.key[0]);
      expect(change.rowVersion).toBeGreaterThan(last);
      last = change.rowVersion;
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt(change.rowVersion));
      if (change.kind === 'delete') state.delete(key);
      else state.set(key, bytes.toString('base64'));
    }
    expect(after).toEqual(state);
    expect(after.size).toBe(before.size + 2);
    expect(new Set([...after.values()]).size).toBe(after.size);
    expect((await own.get('Inv_Lots?$filter=Row_Version ge 1')).status).toBe(500);
    await own.close();
  });

  test('rows written while pages are read: what did not change comes exactly once', async () => {
    const own = await startClient({ tables: ['Inv_Lots'], tableRows: { Inv_Lots: 3000 } });
    const before = new Set([...own.demo.rows('Inv_Lots')].map((row) => String(row['Lot_Id'])));
    const seen: string[] = [];
    for (let link: string | undefined = 'Inv_Lots?$top=100&$select=Lot_Id'; link !== undefined; ) {
      const page: { rows: { [name: string]: Json }[]; nextLink: string | undefined } = await own.page(link);
      seen.push(...ids(page.rows, 'Lot_Id'));
      own.demo.write({ inserts: 10, updates: 10, deletes: 10 });
      link = page.nextLink;
    }
    const touched = new Set(own.demo.changes().map((change) => String(change.key[0])));
    expect(new Set(seen).size).toBe(seen.length);
    const found = new Set(seen);
    expect([...before].filter((key) => !touched.has(key) && !found.has(key))).toEqual([]);
    await own.close();
  });
});

describe('filters', () => {
  test.each([
    ['Gen_Documents', 'State eq 30'],
    ['Gen_Documents', 'State ge 20 and State le 40'],
    ['Gen_Documents', 'State in (10,50)'],
    ['Gen_Documents', '(State eq 10 or State eq 50)'],
    ['Gen_Documents', "Creation_User like 'iv%'"],
    ['Gen_Documents', 'To_Party_Id eq null'],
  ])('[T] %s: %s is taken', async (table, filter) => {
    const { rows } = await client.page(`${table}?$filter=${encodeURIComponent(filter)}`);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThan(truth(table).length);
  });

  test.each(['State lt 30', 'State gt 30', 'State ne 30', 'not (State eq 30)', 'State eq 10 or Void eq true'])(
    '[T] %s is refused',
    async (filter) => {
      expect((await client.get(`Gen_Documents?$filter=${encodeURIComponent(filter)}`)).status).toBe(500);
    },
  );

  test('[T] what a column takes is a property of the column', async () => {
    expect((await error("Gen_Documents?$filter=Notes eq 'x'")).type).toBe('FilterNotAllowed');
    expect((await error("Gen_Documents?$filter=Document_No ge '1'")).type).toBe('FilterNotAllowed');
    expect((await error('Gen_Documents?$filter=Void in (true)')).type).toBe('FilterNotAllowed');
  });

  test('[T] some filters include rows where the column is null', async () => {
    const { rows } = await client.page(
      `Gen_Documents?$filter=Release_Time ge 2100-01-01T00:00:00Z&$select=Release_Time`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(
      rows.filter((row) => row['Release_Time'] !== null && !String(row['Release_Time']).startsWith('9999')),
    ).toEqual([]);
    expect(rows.some((row) => row['Release_Time'] === null)).toBe(true);
  });

  test('[I] an unfiltered read leaves out void rows, or does not', async () => {
    const voids = async (query: string) =>
      (await client.page(`Gen_Documents?$select=Void${query}`)).rows.filter((row) => row['Void'] === true).length;
    const all = truth('Gen_Documents').filter((row) => row['Void'] === true).length;
    expect(await voids('')).toBe(all);
    be({ defaultFilters: true });
    expect(await voids('')).toBe(0);
    expect(await voids('&$filter=Void eq true')).toBe(all);
    expect(await voids('&$filter=(Void eq true or Void eq false)')).toBe(all);
  });

  test('[T] a filter goes through references, by tables of the owner chain always', async () => {
    const path =
      'Crm_Sales_Order_Lines?$select=Sales_Order_Line_Id&$filter=Sales_Order_Reference/Document_Reference/Document_Date le 2015-01-31T23:59:59Z';
    const expected = (await client.page(path)).rows.length;
    expect(expected).toBeGreaterThan(0);
    be({ filterReferences: 'owners' });
    expect((await client.page(path)).rows.length).toBe(expected);
    expect((await error('Crm_Sales_Order_Lines?$filter=Product_Reference/Active eq true')).type).toBe('InvalidFilter');
  });

  test('[D] times in date literals are kept, or cut to the date', async () => {
    const creation = String(
      truth('Gen_Documents').find((row) => String(row['Creation_Time']).slice(11) > '06:00:00')!['Creation_Time'],
    );
    const path = `Gen_Documents?$select=Id&$filter=Creation_Time ge ${creation.slice(0, 10)}T23:59:59Z and Creation_Time le ${creation.slice(0, 10)}T23:59:59Z`;
    expect((await client.page(path)).rows).toEqual([]);
    be({ dateLiterals: 'cut' });
    expect((await client.page(path)).rows.length).toBe(
      truth('Gen_Documents').filter((row) => row['Creation_Time'] === `${creation.slice(0, 10)}T00:00:00.000000Z`)
        .length,
    );
  });
});
