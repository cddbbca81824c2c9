import { describe, expect, test } from 'vitest';
import type { Column } from '../../../src/core/schema.ts';
import { RowReader } from '../../../src/decode/reader.ts';
import { valueAt } from '../../../src/decode/values.ts';
import { column } from '../../support/decode.ts';
import { failureOf } from '../../support/failure.ts';

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

describe('a response that does not end', () => {
  const MB = 1024 * 1024;
  /** Pushes `head`, then `more` again and again, 300 MB at most. */
  function endless(head: string, more: string): () => void {
    const reader = new RowReader(
      { table: 'T', columns: INT, key: ['Id'], absentIsNull: false, maxRowBytes: 6 * MB },
      () => {},
    );
    const chunk = Buffer.from(more.repeat(Math.ceil(65_536 / more.length)));
    return () => {
      reader.begin(null);
      reader.push(Buffer.from(head));
      for (let bytes = 0; bytes < 300 * MB; bytes += chunk.length) {
        while (reader.step(2048) === 'full') reader.clear();
        reader.clear();
        reader.push(chunk);
      }
    };
  }

  test.each([
    ['white space within the rows', '{"value":[', ' \n'],
    ['white space after a row', '{"value":[{"Id":1}', '\t'],
    ['white space before the rows', '{', ' '],
    ['members that say nothing', '{', '"@odata.note":"nothing",'],
  ])('but goes on with %s is refused', (_, head, more) => {
    expect(endless(head, more)).toThrow(expect.objectContaining({ code: 'BODY_INVALID', retryable: true }));
  });

  test('is refused as soon as far more rows came than it counts', () => {
    const few = endless('{"@odata.count":100,"value":[{"Id":1}', ',{"Id":1}');
    expect(few).toThrow(
      expect.objectContaining({ code: 'PAGING_LOOP', message: expect.stringContaining('counts 100') }),
    );
  });
});

test('an error after rows without a key shows none of them', () => {
  const broken = (key: readonly string[]) => {
    const reader = new RowReader({ table: 'T', columns: INT, key, absentIsNull: false, maxRowBytes: 1e6 }, () => {});
    reader.begin(null);
    reader.push(Buffer.from('{"value":[{"Id":4711}'));
    reader.step(2048);
    reader.clear();
    reader.push(Buffer.from('],"error":{"message":"it broke"}}'));
    reader.finish();
    return failureOf(() => reader.step(2048)).at;
  };
  expect(broken(['Id'])).toMatchObject({ lastKey: '4711' });
  expect(JSON.stringify(broken([]))).not.toContain('4711');
});
