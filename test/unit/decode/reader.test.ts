import { describe, expect, test } from 'vitest';
import type { Column } from '../../../src/core/schema.ts';
import { RowReader } from '../../../src/decode/reader.ts';
import { valueAt } from '../../../src/decode/values.ts';
import { column } from '../../support/decode.ts';

function readerOf(columns: readonly Column[], key: readonly string[]) {
  const reader = new RowReader(
    { table: 'T', columns, key, absentIsNull: false, maxRowBytes: 64 * 1024 * 1024 },
    () => {},
  );
  const read = (rows: readonly object[], exclude: string | null = null, more = {}) => {
    const kept: unknown[] = [];
    const sizes: number[] = [];
    reader.begin(exclude);
    reader.push(Buffer.from(JSON.stringify({ value: rows, ...more })));
    reader.finish();
    for (;;) {
      const step = reader.step(2048);
      reader.checkText();
      if (reader.batch.rows > 0) sizes.push(reader.batch.rows);
      for (let row = 0; row < reader.batch.rows; row++)
        kept.push(reader.batch.columns.map((each) => valueAt(each, row)));
      reader.clear();
      if (step === 'done') return { kept, sizes, page: reader.page() };
    }
  };
  return { read };
}

const INT = [column('Id', { kind: 'int32' }, false)];
const PAIR = [column('Doc', { kind: 'int32' }, false), column('Line', { kind: 'text' }, false)];

describe('the keys of a response', () => {
  test('of any ordered type are told: first, last, and the orders that they kept to', () => {
    const { read } = readerOf(INT, ['Id']);
    expect(read([{ Id: 2 }, { Id: 10 }]).page.keys).toMatchObject({
      first: '2',
      last: '10',
      orders: ['value'],
      tail: 1,
    });
    expect(read([{ Id: 10 }, { Id: 2 }]).page.keys).toMatchObject({ orders: [] });
    expect(read([{ Id: 2 }, { Id: 2 }]).page.keys).toMatchObject({ orders: [] });
  });

  test('of text may be in the order of characters, without case, or of a collation', () => {
    const { read } = readerOf([column('Id', { kind: 'text' }, false)], ['Id']);
    expect(read([{ Id: 'B' }, { Id: 'a' }]).page.keys?.orders).toEqual(['text']);
    expect(read([{ Id: 'a' }, { Id: 'B' }]).page.keys?.orders).toEqual(['nocase', 'collation']);
  });

  test('leave out the row that came before, and no other', () => {
    const { read } = readerOf(INT, ['Id']);
    expect(read([{ Id: 2 }, { Id: 3 }], '2')).toMatchObject({ kept: [[3]], page: { rows: 2, excluded: 1 } });
  });

  test('of several columns are in the order of the first, and rows that share its last value are known again', () => {
    const { read } = readerOf(PAIR, ['Doc', 'Line']);
    const rows = [
      ['1', 'a'],
      ['2', 'a'],
      ['2', 'b'],
    ].map(([Doc, Line]) => ({ Doc: Number(Doc), Line }));
    expect(read(rows).page.keys).toMatchObject({ first: '1', last: '2', orders: ['value'], tail: 2 });
    const again = read([...rows.slice(1), { Doc: 2, Line: 'c' }], '2');
    expect(again).toMatchObject({ kept: [[2, 'c']], page: { excluded: 2, keys: { orders: ['value'], tail: 3 } } });
    expect(
      read([
        { Doc: 3, Line: 'x' },
        { Doc: 3, Line: 'x' },
      ]).page.keys?.orders,
    ).toEqual([]);
  });

  test('are an error where one has no value', () => {
    const { read } = readerOf([column('Id', { kind: 'int32' })], ['Id']);
    expect(() => read([{ Id: null }])).toThrow(/no value in its key column Id/);
  });
});

describe('a batch', () => {
  test('of large rows ends at the same row however the bytes come', () => {
    const columns = [...INT, column('Text', { kind: 'text' })];
    const { read } = readerOf(columns, ['Id']);
    const rows = Array.from({ length: 30 }, (_, Id) => ({ Id, Text: 'x'.repeat(1_000_000) }));
    expect(read(rows).sizes).toEqual([9, 9, 9, 3]);
  });
});

test('what a response says beside its rows is told', () => {
  const { read } = readerOf(INT, ['Id']);
  expect(read([{ Id: 1 }], null, { '@count': 7, '@nextLink': 'more' }).page).toMatchObject({
    count: 7,
    nextLink: 'more',
  });
});
