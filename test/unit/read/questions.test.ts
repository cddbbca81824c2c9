/** Reads besides those of rows: keys, first rows, small questions. */
import { describe, expect, test } from 'vitest';
import { readFirstRows } from '../../../src/read/first-rows.ts';
import { scanKeys } from '../../../src/read/keys.ts';
import { readTableRows } from '../../../src/read/probe.ts';
import { askSmall, readSmall } from '../../../src/read/small.ts';
import { scanKeyOf } from '../../../src/scan/key.ts';
import { fakeInstance, guid, guidTable, tableOf } from '../../support/odata.ts';

const signal = new AbortController().signal;
const clock = { sleep: async () => {} };

describe('a read of keys', () => {
  test('counts them, draws a sample, tells their order, and counts one that is wanted', async () => {
    const table = guidTable(300);
    const { instance } = fakeInstance([table], () => undefined);
    const key = scanKeyOf(table.schema, table.schema.columns)!;
    const request = { table: table.schema, key, filter: undefined, signal, clock };
    expect(await scanKeys({ ...request, wanted: guid(7) }, instance)).toMatchObject({
      rows: 300,
      wanted: 1,
      orders: ['sql', 'text'],
    });
    expect((await scanKeys({ ...request, range: { ge: guid(290), le: null } }, instance)).rows).toBe(10);
  });

  test('that breaks off is read again, and fails when it keeps breaking off', async () => {
    const table = guidTable(30);
    const key = scanKeyOf(table.schema, table.schema.columns)!;
    for (const times of [1, 99]) {
      const { instance } = fakeInstance([table], ({ n }) => (n < times ? { body: '{"value":[' } : undefined));
      const scan = scanKeys({ table: table.schema, key, filter: undefined, signal, clock }, instance);
      if (times === 1) expect((await scan).rows).toBe(30);
      else await expect(scan).rejects.toMatchObject({ code: 'BODY_TRUNCATED' });
    }
  });
});

test('the first key column of a type with an order is the one to ask by', () => {
  const { schema } = tableOf(
    'T',
    ['Flag', 'Id'],
    [
      ['Flag', 'boolean'],
      ['Id', 'guid'],
    ],
    [],
  );
  expect(scanKeyOf(schema, schema.columns)).toMatchObject({ column: 'Id', composite: true });
  expect(scanKeyOf({ key: ['Flag'] }, schema.columns)).toBeNull();
  expect(scanKeyOf({ key: [] }, schema.columns)).toBeNull();
});

describe('the first rows', () => {
  const table = guidTable(100);
  const run = async (full: boolean, link: boolean) => {
    const { instance, requests } = fakeInstance([table], ({ n, top }) => ({
      rows: table.rows.slice(n * 10, n * 10 + Math.min(10, top ?? 10)),
      ...(link ? { link: `T?$skiptoken=${n}` } : {}),
    }));
    let pages = 0;
    const sink = {
      begin: () => {},
      write: async () => {},
      end: async () => ({
        rows: 10,
        excluded: 0,
        known: 0,
        nextLink: link ? `T?$skiptoken=${pages}` : null,
        count: null,
        keys: null,
        ends: `${pages++}`,
      }),
    };
    const read = await readFirstRows(
      { query: { table: table.schema, select: ['Id'] }, top: 25, purpose: 'rows', signal },
      instance,
      { sink, full: () => full },
    );
    return { ...read, asked: requests.length };
  };

  test('come with as many pages as they need, and no more', async () => {
    expect(await run(false, true)).toEqual({ rows: 25, requests: 3, asked: 3 });
    expect(await run(false, false)).toEqual({ rows: 10, requests: 1, asked: 1 });
  });

  test('end as soon as nobody wants more', async () => {
    expect(await run(true, true)).toEqual({ rows: 25, requests: 1, asked: 1 });
  });
});

describe('a small question', () => {
  const table = guidTable(2);
  const ask = (body: string) => {
    const { instance } = fakeInstance([table], () => ({ body }));
    return readSmall(instance, 'T?$top=1', { purpose: 'probe', table: 'T', signal });
  };

  test('is answered by rows, a count and whether there is more, in either spelling', async () => {
    expect(await ask('{"@odata.count":"7","value":[{"Id":1}],"@odata.nextLink":"x"}')).toEqual({
      rows: [{ Id: 1 }],
      count: 7,
      hasNextLink: true,
    });
    expect(await ask('{"@count":7,"value":[],"@nextLink":null}')).toEqual({ rows: [], count: 7, hasNextLink: false });
  });

  test.each([
    '',
    'no',
    '[]',
    '{"value":1}',
    '{"value":[],"error":{"message":"x"}}',
    '{"value":[],"message":"x","code":1,"type":"y"}',
  ])('stays open after %s', async (body) => {
    await expect(ask(body)).rejects.toMatchObject({ code: 'BODY_INVALID' });
    const { instance } = fakeInstance([table], () => ({ body }));
    expect(await askSmall(instance, 'T?$top=1', { purpose: 'probe', table: 'T', signal })).toBeNull();
  });
});

test.each(['null', '1', '"x"', '[]'])('a row that is %s makes an answer useless, not shorter', async (row) => {
  const { instance } = fakeInstance([guidTable(1)], () => ({ body: `{"value":[${row}]}` }));
  expect(await askSmall(instance, 'T', { purpose: 'test', table: 'T', signal })).toBeNull();
});

test('rows that the instance does not tell are unknown, not 0', async () => {
  const columns = [
    ['Table_Name', 'text'],
    ['Row_Count', 'int64'],
  ] as const;
  const rows = [null, '', -1, 7, '8'].map((Row_Count, n) => ({ Table_Name: `T${n}`, Row_Count }));
  const info = tableOf('Dmv_Table_Info', [], columns, rows as never);
  const { instance } = fakeInstance([info], () => undefined);
  expect((await readTableRows(instance, signal)).rows).toEqual(
    new Map([
      ['T3', 7],
      ['T4', 8],
    ]),
  );
});
