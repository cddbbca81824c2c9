import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checksumsOf } from '../../../bench/lib/expected.ts';
import {
  ORDER_LINES_KEY,
  orderLineColumns,
  orderLinePages,
  sequentialGuid,
  serialOf,
} from '../../../bench/lib/order-lines.ts';
import { ORDER_LINES, type PageServer, startPageServer } from '../../../bench/lib/page-server.ts';
import { compareGuidsAsSqlServer } from '../../../src/core/guid.ts';
import { parseMetadata } from '../../../src/odata/metadata.ts';

type Row = Readonly<Record<string, unknown>>;

const ROWS = 2500;
let server: PageServer;

beforeAll(async () => {
  server = await startPageServer({ rows: ROWS, blocks: 2, tellsRows: true });
});
afterAll(() => server.close());

async function read(query: string): Promise<{ readonly value: Row[]; readonly '@odata.count'?: number }> {
  const response = await fetch(`${server.url}/tableapi/odata/${ORDER_LINES}?${query}`);
  return (await response.json()) as { value: Row[] };
}

const serials = (rows: readonly Row[]) => rows.map((row) => serialOf(String(row[ORDER_LINES_KEY])));
const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('the pages of the benchmark', () => {
  it('are the same bytes from the same seed, and hold the columns that are declared', () => {
    const [page] = orderLinePages(1, 20, 7);
    expect(orderLinePages(1, 20, 7)[0]).toEqual(page);
    const { value } = JSON.parse(Buffer.from(page!).toString()) as { value: Row[] };
    expect(value).toHaveLength(20);
    expect(Object.keys(value[0]!)).toEqual(orderLineColumns.map(({ name }) => name));
    expect(checksumsOf([page!]).rows).toBe(20);
  });

  it("have keys in SQL Server's order, whose serial can be told", () => {
    const some = [0, 1, 255, 256, 65_536, 4_999_999];
    expect(some.map((serial) => serialOf(sequentialGuid(serial)))).toEqual(some);
    expect(some.map(sequentialGuid).sort(compareGuidsAsSqlServer)).toEqual(some.map(sequentialGuid));
  });
});

describe('the server of the benchmark', () => {
  it('serves every row once, with keys that go on where the content repeats', async () => {
    const { value } = await read('$select=all,of,them');
    expect(serials(value)).toEqual(upTo(0, ROWS));
    const { [ORDER_LINES_KEY]: _first, ...first } = value[0]!;
    const { [ORDER_LINES_KEY]: _again, ...again } = value[2000]!;
    expect(again).toEqual(first);
  });

  it('serves ranges with both their ends, across blocks', async () => {
    const filter = (text: string) => read(`$select=a,b&$filter=${encodeURIComponent(text)}`);
    const key = (serial: number) => sequentialGuid(serial);
    const both = await filter(`${ORDER_LINES_KEY} ge ${key(990)} and ${ORDER_LINES_KEY} le ${key(1010)}`);
    expect(serials(both.value)).toEqual(upTo(990, 1011));
    expect(serials((await filter(`${ORDER_LINES_KEY} ge ${key(ROWS - 1)}`)).value)).toEqual([ROWS - 1]);
    expect(serials((await filter(`${ORDER_LINES_KEY} le ${key(3)}`)).value)).toEqual([0, 1, 2, 3]);
    expect((await filter(`${ORDER_LINES_KEY} ge ${key(ROWS + 5)}`)).value).toEqual([]);
  });

  it('serves keys alone, a few rows, and a count', async () => {
    const { value, '@odata.count': count } = await read(`$select=${ORDER_LINES_KEY}&$top=3&$count=true`);
    expect(count).toBe(ROWS);
    expect(value).toEqual([0, 1, 2].map((serial) => ({ [ORDER_LINES_KEY]: sequentialGuid(serial) })));
  });

  it('describes its table as the product is to read it', async () => {
    const xml = await (await fetch(`${server.url}/tableapi/odata/$metadata`)).text();
    const { tables, warnings } = await parseMetadata([Buffer.from(xml)]);
    expect(warnings).toEqual([]);
    const table = tables.find(({ name }) => name === ORDER_LINES);
    expect(table?.key).toEqual([ORDER_LINES_KEY]);
    expect(table?.columns.map(({ name, type }) => ({ name, type }))).toEqual(
      orderLineColumns.map(({ name, type }) => ({ name, type })),
    );
  });
});
