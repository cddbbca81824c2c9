/** The awkward demo instance: keys of every kind, filters, tables that change while they are read, and faults that last for a time. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compareGuidsAsSqlServer } from '../../src/core/guid.ts';
import { DEFAULT_LIMITS } from '../../src/demo/options.ts';
import { DEFAULT_PERSONALITY, type Personality } from '../../src/demo/personality.ts';
import { type Client, type Json, Num, plainRows, startClient } from '../unit/demo/support.ts';

const MODEL = fileURLToPath(new URL('../support/key-tables.jsonl', import.meta.url));

let client: Client;
beforeAll(async () => {
  client = await startClient({ modelFile: MODEL });
});
beforeEach(() => client.demo.configure({ personality: DEFAULT_PERSONALITY, limits: DEFAULT_LIMITS, faults: [] }));
afterAll(() => client.close());

const be = (personality: Partial<Personality>) => client.demo.configure({ personality });
const truth = (table: string) => [...client.demo.rows(table)];
const rowsOf = async (path: string) => (await client.page(path)).rows.length;
const status = async (path: string) => (await client.get(path)).status;

/** A value as a filter takes it. */
function literal(value: unknown): string {
  const text = String(value);
  if (typeof value !== 'string' || /^[0-9a-f]{8}-/.test(text) || /^-?\d+\.\d+$/.test(text)) return text;
  if (/^\d{4}-\d\d-\d\d(T|$)/.test(text)) return text.replace('.000000Z', 'Z');
  return `'${text.replaceAll("'", "''")}'`;
}

describe('tables with keys of every kind', () => {
  test('are served as they are, their keys once and in the order of the server', async () => {
    for (const table of client.demo.tables) {
      if (table.name.startsWith('Dmv_')) continue;
      const { rows } = await client.page(table.name);
      expect(plainRows(client, table.name, rows), table.name).toEqual(truth(table.name));
      if (table.key.length === 0) continue;
      const keys = rows.map((row) =>
        table.key.map((name) => (row[name] instanceof Num ? row[name].text : String(row[name])).toLowerCase()).join(),
      );
      expect(new Set(keys).size, table.name).toBe(table.rows);
    }
    expect(['Key_One_Row', 'Key_Two_Rows', 'Key_No_Row'].map((name) => truth(name).length)).toEqual([1, 2, 0]);
  });

  test('have negative numbers, 64 bits, mixed case and quotes among their keys', () => {
    const keys = (table: string, column: string) => truth(table).map((row) => row[column]!);
    expect(keys('Key_Int32', 'Number').some((n) => Number(n) < 0)).toBe(true);
    expect(keys('Key_Int64', 'Number').every((n) => !Number.isSafeInteger(Number(n)))).toBe(true);
    expect(keys('Key_Decimal', 'Number').some((n) => /^-\d+\.\d{4}$/.test(String(n)))).toBe(true);
    expect(new Set(keys('Key_Bit_Guid', 'Active'))).toEqual(new Set([false, true]));
    const texts = keys('Key_Text', 'Code').map(String);
    expect(texts).not.toEqual([...texts].sort());
    const plain = texts.map((text) => text.toLowerCase());
    expect(plain).toEqual([...plain].sort());
    expect(texts.every((text) => text.includes("'"))).toBe(true);
  });

  test.each([
    'Key_Int32',
    'Key_Int64',
    'Key_Date',
    'Key_Instant',
    'Key_Decimal',
    'Key_Text',
    'Key_Guid_Int',
    'Key_Text_Text',
    'Key_Text_Int',
    'Key_Guid',
  ])('%s: ge and le on the leading key column cover every row, and no other', async (name) => {
    const key = client.demo.tables.find((table) => table.name === name)!.key;
    const rows = truth(name);
    const bound = rows[Math.floor(rows.length / 3)]![key[0]!]!;
    const filter = (operator: string) =>
      `${name}?$filter=${encodeURIComponent(`${key[0]} ${operator} ${literal(bound)}`)}`;
    const same = rows.filter((row) => row[key[0]!] === bound).length;
    const [high, low] = [await rowsOf(filter('ge')), await rowsOf(filter('le'))];
    expect(high).toBeGreaterThan(rows.length / 2);
    expect(high + low).toBe(rows.length + same);
  });

  test('are paged by keys of every kind', async () => {
    be({ serverPage: { rows: 97, link: 'skiptoken' } });
    for (const table of client.demo.tables) {
      if (table.key.length === 0) continue;
      const { rows } = await client.all(table.name);
      expect(plainRows(client, table.name, rows), table.name).toEqual(truth(table.name));
    }
  });
});

describe('key filters', () => {
  const id = () => literal(truth('Key_Guid')[10]!['Id']);

  test('are refused on some kinds of keys, with 400 or 500', async () => {
    const paths = {
      guid: `Key_Guid?$filter=Id ge ${id()}`,
      text: `Key_Text?$filter=Code ge 'b'`,
      number: 'Key_Int32?$filter=Number ge 0',
      date: 'Key_Date?$filter=Day le 2009-01-01',
      composite: `Key_Text_Text?$filter=Code ge 'b'`,
    };
    for (const kind of ['guid', 'text', 'number', 'date', 'composite'] as const) {
      for (const requestErrorStatus of [400, 500] as const) {
        be({ keyFilterRefused: [kind], requestErrorStatus });
        for (const [name, path] of Object.entries(paths))
          expect(await status(path), `${kind} ${name}`).toBe(name === kind ? requestErrorStatus : 200);
      }
    }
  });

  test('are taken and ignored', async () => {
    be({ keyFilterEffect: 'ignored' });
    expect(await rowsOf(`Key_Guid?$filter=Id ge ${id()}`)).toBe(2600);
    expect(await rowsOf(`Key_Guid?$filter=Id le ${id()} and Void eq true`)).toBe(
      truth('Key_Guid').filter((row) => row['Void'] === true).length,
    );
  });

  test('are answered without a row once, and rightly ever after', async () => {
    client.demo.configure({ faults: [{ on: { path: '%20ge%20', nth: 1 }, do: 'empty' }] });
    const path = `Key_Guid?$filter=Id%20ge%20${id()}`;
    expect([await rowsOf(path), await rowsOf(path)]).toEqual([0, 2590]);
  });
});

describe('default filters', () => {
  const voids = (value: boolean | null) => truth('Key_Guid').filter((row) => row['Void'] === value).length;
  const all = truth.bind(null, 'Key_Guid');

  test('are in force unless the column is named, or on reads without a filter alone', async () => {
    const key = literal(all()[0]!['Id']);
    be({ defaultFilters: true });
    expect(await rowsOf('Key_Guid')).toBe(voids(false));
    expect(await rowsOf(`Key_Guid?$filter=Id ge ${key}`)).toBe(voids(false));
    be({ defaultFilters: 'unfiltered' });
    expect(await rowsOf('Key_Guid')).toBe(voids(false));
    expect(await rowsOf(`Key_Guid?$filter=Id ge ${key}`)).toBe(all().length);
  });

  test('null in a group is refused, matches nulls, or matches nothing', async () => {
    const path = 'Key_Guid?$filter=(Void eq true or Void eq null)';
    expect(await status(path)).toBe(500);
    be({ groupNull: 'matches' });
    expect(await rowsOf(path)).toBe(voids(true) + voids(null));
    be({ groupNull: 'nothing' });
    expect(await rowsOf(path)).toBe(voids(true));
    expect(await rowsOf('Key_Guid?$filter=Void eq null')).toBe(voids(null));
  });

  test.each([400, 500] as const)('questions about their columns are answered with %s', async (code) => {
    be({ defaultFilterQuestions: code });
    expect(await status('Key_Guid?$filter=Void eq true')).toBe(code);
    expect(await status('Key_Guid_Default?$filter=(Is_Active eq true or Is_Active eq false)')).toBe(code);
    expect(await status('Key_Guid?$filter=Name eq null')).toBe(200);
  });
});

describe('a table that changes while it is read', () => {
  test.each(['sql', 'text'] as const)(
    'grows at its end in the %s order with every request for it',
    async (guidOrder) => {
      const own = await startClient({ modelFile: MODEL, personality: { guidOrder, grows: { Key_Guid: 150 } } });
      const before = [...own.demo.rows('Key_Guid')].map((row) => String(row['Id']));
      const pages = [await own.page('Key_Guid?$top=2000&$select=Id&$count=true')];
      for (let i = 0; i < 6; i++) {
        const last = String(pages.at(-1)!.rows.at(-1)!['Id']);
        pages.push(await own.page(`Key_Guid?$top=100&$select=Id&$filter=Id ge ${last}`));
      }
      const seen = pages.flatMap((page) => page.rows.map((row) => String(row['Id'])));
      const compare =
        guidOrder === 'sql' ? compareGuidsAsSqlServer : (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
      expect(seen).toEqual([...seen].sort(compare));
      expect(pages.map((page) => page.rows.length)).toEqual([2000, 100, 100, 100, 100, 100, 100]);
      expect(own.demo.changes().length).toBe(7 * 150);
      const added = own.demo.changes().map((change) => String(change.key[0]));
      expect([...before, ...added].sort(compare).slice(-added.length)).toEqual(added);
      expect(await rowsIn(own, 'Key_Text')).toBe(1500);
      await own.close();
    },
  );

  test('grows at the end with keys of every kind', async () => {
    const own = await startClient({ modelFile: MODEL, personality: { grows: { '*': 3 } } });
    for (const table of own.demo.tables) {
      if (table.name.startsWith('Dmv_')) continue;
      const before = [...own.demo.rows(table.name)];
      const { rows } = await own.page(table.name);
      const now = [...own.demo.rows(table.name)];
      expect(rows.length, table.name).toBe(before.length + 3);
      expect(plainRows(own, table.name, rows), table.name).toEqual(now);
      expect(now.slice(0, before.length), table.name).toEqual(before);
    }
    await own.close();
  });

  test('has rows written at a certain request, the first, the last, or any', async () => {
    const own = await startClient({ modelFile: MODEL });
    const tables = ['Key_Guid'];
    own.demo.configure({
      faults: [
        { on: { path: 'Key_Guid', nth: 2 }, do: { write: { deletes: 10, where: 'first', tables } } },
        { on: { path: 'Key_Guid', nth: 3 }, do: { write: { deletes: 5, where: 'last', tables } } },
        { on: { path: 'Key_Guid', nth: 4 }, do: { write: { updates: 1, where: 'first', tables } } },
        { on: { path: 'Key_Guid', nth: 5 }, do: { write: { inserts: 7, tables } } },
      ],
    });
    const before = [...own.demo.rows('Key_Guid')].map((row) => row['Id']);
    const read = async () => (await own.page('Key_Guid')).rows;
    const reads = [await read(), await read(), await read(), await read(), await read()];
    expect(reads.map((rows) => rows.length)).toEqual([2600, 2590, 2585, 2585, 2592]);
    expect(reads[1]!.map((row) => row['Id'])).toEqual(before.slice(10));
    expect(reads[2]!.map((row) => row['Id'])).toEqual(before.slice(10, -5));
    expect(own.demo.changes().filter((change) => change.kind === 'update')).toMatchObject([{ key: [before[10]] }]);
    expect(own.demo.witness().faults.map((fault) => fault.do)).toEqual(['write', 'write', 'write', 'write']);
    await own.close();
  });
});

const rowsIn = async (own: Client, table: string) => (await own.page(table)).rows.length;

describe('limits and faults', () => {
  test.each([
    ['seconds', 0, /^0$/],
    ['seconds', -5, /^-5$/],
    ['date', -60, /GMT$/],
  ] as const)('a 429 carries Retry-After as %s, %s seconds from now', async (retryAfterAs, seconds, form) => {
    client.demo.configure({ limits: { slots: 0, queue: 0, retryAfterAs, retryAfterSeconds: seconds } });
    const { headers } = await client.get('Key_Text');
    expect(headers.get('retry-after')).toMatch(form);
    if (retryAfterAs === 'date')
      expect(Date.parse(headers.get('retry-after')!) - Date.parse(headers.get('date')!)).toBe(seconds * 1000);
  });

  test('Retry-After and Date go by the clock of the web server, which may be behind', async () => {
    client.demo.configure({
      limits: { slots: 0, queue: 0, retryAfterAs: 'date', retryAfterSeconds: 5, clockAheadMs: -3600_000 },
    });
    const { headers } = await client.get('Key_Text');
    const [date, until] = [Date.parse(headers.get('date')!), Date.parse(headers.get('retry-after')!)];
    expect(until - date).toBe(5000);
    expect(Math.abs(date - (Date.now() - 3600_000))).toBeLessThan(5000);
  });

  test('a table is forbidden for a time', async () => {
    client.demo.configure({ faults: [{ on: { path: 'Key_Text\\b', forMs: 5000 }, do: { status: 403 } }] });
    expect([await status('Key_Text'), await status('Key_Text'), await status('Key_Guid')]).toEqual([403, 403, 200]);
    client.demo.advanceClock(5001);
    expect(await status('Key_Text')).toBe(200);
  });

  test('rights change while the instance serves', async () => {
    client.demo.configure({ rights: { hiddenRows: { Key_Text: 0.5 } } });
    const half = await rowsOf('Key_Text');
    client.demo.configure({ rights: { hiddenRows: {} } });
    expect([half < 1000, await rowsOf('Key_Text')]).toEqual([true, 1500]);
  });
});

describe('the site', () => {
  test('$metadata differs with each request in a comment alone', async () => {
    be({ metadataStamp: true });
    const [a, b] = [(await client.get('$metadata')).text, (await client.get('$metadata')).text];
    expect(a).not.toBe(b);
    expect(a.replace(/<!--.*-->/, '')).toBe(b.replace(/<!--.*-->/, ''));
  });

  test('discovery lists two Table API sites of which the first is dead', async () => {
    be({ tableApiSite: 'one-of-two' });
    const sites = JSON.parse((await client.raw('/tools/auto-discovery')).text) as {
      WebSites: { [name: string]: Json }[];
    };
    const listed = sites.WebSites.filter((site) => site['Type'] === 'TableAPI');
    expect(listed).toHaveLength(2);
    const status = async (url: Json | undefined) =>
      (await client.raw(`${url}/odata/Key_Text?$top=1`, { 'x-api-key': client.demo.credentials.referenceToken }))
        .status;
    expect([await status(listed[0]!['Url']), await status(listed[1]!['Url'])]).toEqual([404, 200]);
  });
});
