import { describe, expect, test } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import type { ColumnType } from '../../../src/core/schema.ts';
import { column, decodeBody } from '../../support/decode.ts';

const ID = column('Id', { kind: 'int32' }, false);

function failure(action: () => unknown): TablevaultError {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof TablevaultError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

const body = (rows: string) => `{"@odata.context":"c","value":[${rows}]}`;
const one = (type: ColumnType, json: string) =>
  decodeBody([ID, column('V', type)], body(`{"Id":7,"V":${json}}`)).rows[0]?.['V'];

describe('a value that does not fit its declared type', () => {
  test.each<[string, ColumnType, string]>([
    ['a decimal with a digit beyond its scale', { kind: 'decimal', precision: 6, scale: 2 }, '1.005'],
    ['a decimal beyond its precision', { kind: 'decimal', precision: 6, scale: 2 }, '10000.00'],
    ['a decimal of 39 digits', { kind: 'decimal', precision: 38, scale: 0 }, `1${'0'.repeat(38)}`],
    ['a decimal with a tiny exponent', { kind: 'decimal', precision: 38, scale: 10 }, '1e-11'],
    ['an int32 beyond its range', { kind: 'int32' }, '2147483648'],
    ['an int64 beyond its range', { kind: 'int64' }, '9223372036854775808'],
    ['an int16 beyond its range', { kind: 'int16' }, '-32769'],
    ['a byte below zero', { kind: 'uint8' }, '-1'],
    ['an int8 beyond its range', { kind: 'int8' }, '128'],
    ['a whole number with a fraction', { kind: 'int32' }, '1.5'],
    ['a number where text is due', { kind: 'text' }, '5'],
    ['text where a number is due', { kind: 'int32' }, '"five"'],
    ['a half surrogate in text', { kind: 'text' }, '"\\ud83d"'],
    ['a low surrogate alone', { kind: 'text' }, '"\\udc00x"'],
    ['a GUID with a wrong digit', { kind: 'guid' }, '"0000000g-0000-0000-0000-000000000000"'],
    ['a GUID that is too short', { kind: 'guid' }, '"00000000-0000-0000-0000-00000000000"'],
    ['a GUID without dashes', { kind: 'guid' }, '"000000000000000000000000000000000000"'],
    ['a day that does not exist', { kind: 'date' }, '"2023-02-29"'],
    ['a date with a time that is not midnight', { kind: 'date' }, '"2023-02-28T00:00:01Z"'],
    ['an instant finer than a microsecond', { kind: 'timestamp' }, '"2023-01-01T00:00:00.0000001Z"'],
    ['an instant without a zone', { kind: 'timestamp' }, '"2023-01-01T00:00:00"'],
    ['an hour that does not exist', { kind: 'timestamp' }, '"2023-01-01T24:00:00Z"'],
    ['a time finer than a microsecond', { kind: 'time' }, '"10:00:00.1234567"'],
    ['base64 with a wrong character', { kind: 'binary' }, '"AB*="'],
    ['base64 of an impossible length', { kind: 'binary' }, '"ABCDE"'],
    ['base64 with bits left over', { kind: 'binary' }, '"AB=="'],
    ['a string where a boolean is due', { kind: 'boolean' }, '"true"'],
    ['a float beyond a double', { kind: 'float64' }, '1e400'],
    ['a float beyond a single', { kind: 'float32' }, '1e39'],
  ])('%s fails the table with the row’s key and the column’s name', (_, type, json) => {
    const error = failure(() => one(type, json));
    expect(error.code).toBe('VALUE_MISFIT');
    expect(error.at).toMatchObject({ table: 'T', key: '7', column: 'V' });
    expect(error.message).not.toContain(json.replaceAll('"', ''));
    expect(error.hint).toBeDefined();
  });
});

describe('values at the edge of their type', () => {
  test.each<[ColumnType, string, unknown]>([
    [{ kind: 'decimal', precision: 38, scale: 0 }, '9'.repeat(38), '9'.repeat(38)],
    [{ kind: 'decimal', precision: 38, scale: 38 }, `-0.${'1'.repeat(38)}`, `-0.${'1'.repeat(38)}`],
    [{ kind: 'decimal', precision: 5, scale: 2 }, '1.0E+2', '100.00'],
    [{ kind: 'decimal', precision: 5, scale: 2 }, '-0', '0.00'],
    [{ kind: 'decimalText' }, '12345678901234567890.10', '12345678901234567890.10'],
    [{ kind: 'decimalText' }, '"1.50"', '1.50'],
    [{ kind: 'int64' }, '"-9223372036854775808"', '-9223372036854775808'],
    [{ kind: 'int32' }, '1E2', 100],
    [{ kind: 'timestamp' }, '"0001-01-01T00:00:00Z"', '0001-01-01T00:00:00Z'],
    [{ kind: 'timestamp' }, '"9999-12-31T23:59:59.9999990Z"', '9999-12-31T23:59:59.999999Z'],
    [{ kind: 'timestamp' }, '"1969-12-31T23:59:59.5-05:30"', '1970-01-01T05:29:59.500000Z'],
    [{ kind: 'timestamp' }, '"2023-01-31T10:30Z"', '2023-01-31T10:30:00Z'],
    [{ kind: 'date' }, '"1600-02-29"', '1600-02-29'],
    [{ kind: 'date' }, '"2023-02-28T00:00:00Z"', '2023-02-28'],
    [{ kind: 'text' }, '""', ''],
    [{ kind: 'text' }, '"\\u0000\\b\\f\\n\\r\\t\\/\\"\\\\\\ud83d\\ude00é"', '\u0000\b\f\n\r\t/"\\😀é'],
    [{ kind: 'binary' }, '""', new Uint8Array()],
    [{ kind: 'binary' }, '"-_8"', Uint8Array.of(0xfb, 0xff)],
    [{ kind: 'float64' }, '"-INF"', Number.NEGATIVE_INFINITY],
    [{ kind: 'float32' }, '0.1', Math.fround(0.1)],
    [{ kind: 'json' }, '{"a" : [1, 2.50]}', '{"a" : [1, 2.50]}'],
    [{ kind: 'json' }, '"P1DT2H"', 'P1DT2H'],
    [{ kind: 'json' }, '1.50', '1.50'],
  ])('%j takes %s', (type, json, value) => {
    expect(one(type, json)).toEqual(value);
  });
});

describe('a body that is not whole', () => {
  test.each([
    ['nothing', '', 'BODY_TRUNCATED'],
    ['an end within a row', '{"value":[{"Id":1},{"Id"', 'BODY_TRUNCATED'],
    ['an end after a row', '{"value":[{"Id":1}', 'BODY_TRUNCATED'],
    ['an end after the rows', '{"value":[{"Id":1}]', 'BODY_TRUNCATED'],
    ['no list of rows', '{"@odata.context":"x"}', 'BODY_INVALID'],
    ['an empty object', '{}', 'BODY_INVALID'],
    ['a list alone', '[{"Id":1}]', 'BODY_INVALID'],
    ['rows that are no list', '{"value":{"Id":1}}', 'BODY_INVALID'],
    ['two lists of rows', '{"value":[],"value":[]}', 'BODY_INVALID'],
    ['something behind the end', '{"value":[]} {"value":[]}', 'BODY_INVALID'],
    ['a comma too many', '{"value":[{"Id":1},]}', 'BODY_INVALID'],
    ['a row that is no object', '{"value":[5]}', 'BODY_INVALID'],
    ['a property twice', '{"value":[{"Id":1,"Id":1}]}', 'BODY_INVALID'],
    ['a property that is absent', '{"value":[{"Other":1}]}', 'BODY_INVALID'],
    ['an error object in place of a row', '{"value":[{"Id":1},{"error":{"message":"db"}}]}', 'BODY_INVALID'],
    ['a vendor error in place of a row', '{"value":[{"Id":1},{"message":"db","code":5}]}', 'BODY_INVALID'],
    ['an error after the rows', '{"value":[{"Id":1}],"error":{"message":"db"}}', 'BODY_INVALID'],
    ['an error alone', '{"message":"db","code":1,"type":"x"}', 'BODY_INVALID'],
    ['a next link that is no text', '{"value":[],"@odata.nextLink":5}', 'BODY_INVALID'],
  ])('%s is a failure, never a short table', (_, text, code) => {
    expect(failure(() => decodeBody([ID], text)).code).toBe(code);
  });

  test('is told with byte offset, table and nearest key', () => {
    const error = failure(() => decodeBody([ID], '{"value":[{"Id":1},{"Id":x}]}'));
    expect(error.at).toMatchObject({ table: 'T', offset: 25 });
  });

  test('says what the server said', () => {
    expect(failure(() => decodeBody([ID], '{"value":[{"error":{"message":"deadlock"}}]}')).message).toContain(
      'deadlock',
    );
  });
});

describe('a body that is whole', () => {
  test('may bring its link and count before or after the rows', () => {
    const { envelope } = decodeBody([ID], '{"@odata.count":"12","@odata.nextLink":"T?x","value":[]}');
    expect(envelope).toEqual({ count: 12, nextLink: 'T?x' });
  });

  test('may bring properties that nobody asked for, which are named once', () => {
    const { rows, unknown } = decodeBody(
      [ID],
      body('{"New":{"a":[]},"Id":1,"New@odata.type":"x"},{"New":null,"Id":2}'),
    );
    expect(rows).toEqual([{ Id: 1 }, { Id: 2 }]);
    expect(unknown).toEqual(['New']);
  });

  test('tells null from empty', () => {
    const { rows } = decodeBody(
      [ID, column('A', { kind: 'text' }), column('B', { kind: 'binary' })],
      body('{"Id":1,"A":null,"B":""},{"Id":2,"A":"","B":null}'),
    );
    expect(rows).toEqual([
      { Id: 1, A: null, B: new Uint8Array() },
      { Id: 2, A: '', B: null },
    ]);
  });

  test('may name a column by escapes', () => {
    expect(decodeBody([ID], '{"value":[{"\\u0049d":3}]}').rows).toEqual([{ Id: 3 }]);
  });

  test('may be nested deeply where nobody looks, but not without end', () => {
    const nest = (depth: number) => `{"value":[{"X":${'['.repeat(depth)}${']'.repeat(depth)},"Id":1}]}`;
    expect(decodeBody([ID], nest(150)).rows).toEqual([{ Id: 1 }]);
    expect(failure(() => decodeBody([ID], nest(100_000))).code).toBe('BODY_INVALID');
  });

  test('may have names of Object.prototype as columns', () => {
    const columns = ['__proto__', 'constructor', 'toString'].map((name) => column(name, { kind: 'int32' }));
    const [row] = decodeBody(columns, '{"value":[{"__proto__":1,"constructor":2,"toString":3}]}').rows;
    expect(Object.entries(row ?? {})).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
      ['toString', 3],
    ]);
  });
});

describe('a row of any size', () => {
  const text = column('V', { kind: 'text' });

  test('is decoded when it comes in many chunks', () => {
    const long = 'я'.repeat(300_000);
    const cuts = Array.from({ length: 100 }, (_, i) => i * 6007);
    const { rows } = decodeBody([ID, text], body(`{"Id":1,"V":"${long}"}`), { cuts });
    expect(rows[0]?.['V']).toBe(long);
  });

  test('beyond what memory allows is a clear error', () => {
    const cuts = Array.from({ length: 100 }, (_, i) => i * 1000);
    const error = failure(() =>
      decodeBody([ID, text], body(`{"Id":1,"V":"${'x'.repeat(90_000)}"}`), { cuts, maxRowBytes: 16_384 }),
    );
    expect(error.code).toBe('ROW_TOO_LARGE');
    expect(error.hint).toContain('memoryMb');
    expect(error.message).toMatch(/^the row of T with the key 1 is larger than .*, most of it in the column V$/);
    const justBeyond = failure(() =>
      decodeBody([ID, text], body(`{"Id":1,"V":"${'x'.repeat(17_000)}"}`), { cuts, maxRowBytes: 16_384 }),
    );
    expect(justBeyond.code).toBe('ROW_TOO_LARGE');
    expect(
      decodeBody([ID, text], body(`{"Id":1,"V":"${'x'.repeat(16_000)}"}`), { cuts, maxRowBytes: 16_384 }).rows,
    ).toHaveLength(1);
  });
});
