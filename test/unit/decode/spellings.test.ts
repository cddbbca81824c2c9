import { describe, expect, test } from 'vitest';
import type { ColumnType } from '../../../src/core/schema.ts';
import { column, decodeBody } from '../../support/decode.ts';
import { failureOf } from '../../support/failure.ts';

const ID = column('Id', { kind: 'int32' }, false);
/** The value behind another, by prediction and by name, byte by byte and at once. */
function read(type: ColumnType, json: string): unknown {
  const columns = [ID, column('V', type)];
  const usual = `{"Id":1,"V":null},{"Id":2,"V":${json}},{"Id":3,"V":${json}}`;
  const body = `{"value":[${usual}]}`;
  const { rows } = decodeBody(columns, body);
  const cuts = Array.from({ length: Buffer.byteLength(body) }, (_, i) => i);
  expect(decodeBody(columns, body, { cuts }).rows).toEqual(rows);
  expect(rows[2]?.['V']).toEqual(rows[1]?.['V']);
  return rows[1]?.['V'];
}

/** Every character of a JSON string's content as an escape. */
const escaped = (text: string) =>
  `"${[...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;

describe('an escape stands for its character in every type', () => {
  test.each<[ColumnType, string]>([
    [{ kind: 'guid' }, '0b5cd4a1-5c0d-e311-81cb-00155d001f00'],
    [{ kind: 'int64' }, '-9223372036854775808'],
    [{ kind: 'int32' }, '15'],
    [{ kind: 'decimal', precision: 9, scale: 2 }, '-1.25'],
    [{ kind: 'decimal', precision: 38, scale: 2 }, '123456789012345678901234567890.25'],
    [{ kind: 'decimalText' }, '1.50'],
    [{ kind: 'float64' }, '1e+5'],
    [{ kind: 'float32' }, '-INF'],
    [{ kind: 'timestamp' }, '2023-01-31T10:30:00.5+02:00'],
    [{ kind: 'date' }, '2023-01-31'],
    [{ kind: 'time' }, '10:30:00.25'],
    [{ kind: 'binary' }, 'a+/bcQ=='],
    [{ kind: 'text' }, 'text'],
    [{ kind: 'json' }, 'Enum.Value'],
  ])('%j', (type, text) => {
    const plain = read(type, `"${text}"`);
    expect(plain).not.toBeNull();
    expect(read(type, escaped(text))).toEqual(plain);
    expect(
      read(type, `"${text.replaceAll('/', '\\/').replaceAll('+', '\\u002B').replaceAll('=', '\\u003d')}"`),
    ).toEqual(plain);
  });

  test.each<[ColumnType, string]>([
    [{ kind: 'int32' }, '"1\\"2"'],
    [{ kind: 'int32' }, '"\\u0661"'],
    [{ kind: 'int32' }, '"1\\u0000"'],
    [{ kind: 'int32' }, '"\\u00201"'],
    [{ kind: 'date' }, '"2023-01-31\\""'],
    [{ kind: 'guid' }, '"0b5cd4a1-5c0d-e311-81cb-00155d001f00\\u0022"'],
    [{ kind: 'binary' }, '"AAAA\\n"'],
    [{ kind: 'boolean' }, '"\\u0074rue"'],
  ])('and %j refuses it where the character does not fit: %s', (type, json) => {
    expect(failureOf(() => read(type, json)).code).toBe('VALUE_MISFIT');
  });
});

test('white space around a value is not part of it', () => {
  const columns = [
    ID,
    column('E', { kind: 'json' }),
    column('D', { kind: 'decimalText' }),
    column('T', { kind: 'text' }),
  ];
  const space = ['', ' ', '\t', '\n', '\r', '\r\n\t  '];
  const row = (s: string, e: string) =>
    `{${s}"Id"${s}:${s}1${s},${s}"E"${s}:${s}${e}${s},${s}"D"${s}:${s}1.50${s},${s}"T"${s}:${s}" t "${s}}`;
  const values = ['"Open"', '5', '[1 , 2]', '{"a" : null}', 'true', 'null'];
  for (const first of space) {
    for (const second of space) {
      const rows = values.flatMap((value) => [row(first, value), row(second, value)]);
      const all = decodeBody(columns, `{"value":[${rows.join(`${second},${first}`)}${first}]}`).rows;
      expect(all.map((each) => each['E'])).toEqual(
        values.flatMap((value) => {
          const kept = value === 'null' ? null : value.startsWith('"') ? JSON.parse(value) : value;
          return [kept, kept];
        }),
      );
      expect(all.every((each) => each['D'] === '1.50' && each['T'] === ' t ')).toBe(true);
    }
  }
});

test('white space before a value alone is not part of it either, where the row before had none', () => {
  const columns = [ID, column('E', { kind: 'json' }), column('F', { kind: 'json' })];
  for (const space of [' ', '\t', '\n', '\r', '  \r\n']) {
    for (const value of ['5', '"a"', '[1]', 'true', 'null']) {
      const rows = [`{"Id":1,"E":7,"F":8}`, `{"Id":1,"E":${space}${value},"F":${space}${value}${space}}`];
      const [, second] = decodeBody(columns, `{"value":[${rows.join(',')}]}`).rows;
      const kept = value === 'null' ? null : value.replaceAll('"', '');
      expect(second).toEqual({ Id: 1, E: kept, F: kept });
    }
  }
});

describe('floating point', () => {
  const HALF = '1.00000005960464477539062500000'; // between 1 and the single after it
  test.each<[ColumnType['kind'], string, number]>([
    ['float64', '-0.0', -0],
    ['float64', '0e999999', 0],
    ['float64', '5e-324', 5e-324],
    ['float64', '2.5e-324', 5e-324],
    ['float64', '1.7976931348623157e308', Number.MAX_VALUE],
    ['float64', `0.${'0'.repeat(500)}1e501`, 1],
    ['float64', `1${'0'.repeat(600)}e-600`, 1],
    ['float32', '-0', -0],
    ['float32', '1e-45', 1.401298464324817e-45],
    ['float32', '7.1e-46', 1.401298464324817e-45],
    ['float32', '3.4028234663852886e38', 3.4028234663852886e38],
    ['float32', '3.40282356e38', 3.4028234663852886e38],
    ['float32', HALF, 1],
    ['float32', `${HALF}1`, 1.0000001192092896],
    ['float32', `${HALF.slice(0, -8)}49999999999999999999999`, 1],
    ['float32', `-${HALF}1`, -1.0000001192092896],
    ['float32', '340282356779733661637539395458142568447.9', 3.4028234663852886e38],
  ])('%s takes %s as the nearest value', (kind, text, expected) => {
    for (const json of [text, `"${text}"`]) expect(read({ kind } as ColumnType, json)).toBe(expected);
  });

  test.each<[ColumnType['kind'], string]>([
    ['float64', '1e400'],
    ['float64', '-1e400'],
    ['float64', '1e-400'],
    ['float64', '2e-324'],
    ['float32', '1e400'],
    ['float32', '1e39'],
    ['float32', '340282356779733661637539395458142568448'],
    ['float32', '1e-50'],
    ['float32', '-7e-46'],
    ['float64', 'toString'],
    ['float64', 'Infinity'],
    ['float32', 'constructor'],
    ['float64', ''],
    ['float64', '1 '],
  ])('%s refuses %s', (kind, text) => {
    const spellings = /^-?\d/.test(text) && !text.endsWith(' ') ? [text, `"${text}"`] : [`"${text}"`];
    for (const json of spellings) expect(failureOf(() => read({ kind } as ColumnType, json)).code).toBe('VALUE_MISFIT');
  });
});

describe('dates and times', () => {
  test.each<[ColumnType['kind'], string, string]>([
    ['time', '10:30', '10:30:00'],
    ['timestamp', '0001-01-01T14:00:00+14:00', '0001-01-01T00:00:00Z'],
    ['timestamp', '9999-12-31T09:59:59.999999-14:00', '9999-12-31T23:59:59.999999Z'],
    ['date', '2023-02-28T00:00:00-00:00', '2023-02-28'],
    ['date', '2023-02-28T00:00Z', '2023-02-28'],
  ])('%s takes %s', (kind, text, expected) => {
    expect(read({ kind } as ColumnType, `"${text}"`)).toBe(expected);
  });

  test.each<[ColumnType['kind'], string]>([
    ['timestamp', '0001-01-01T00:00:00+00:01'],
    ['timestamp', '9999-12-31T23:59:59.999999-00:01'],
    ['timestamp', '2023-01-01T10:30.5Z'],
    ['timestamp', '2023-01-01T10:30:00.1234567Z'],
    ['time', '10:30.5'],
    ['time', '10:30:00.1234567'],
    ['date', '2023-02-28T00:00:00.1Z'],
  ])('%s refuses %s', (kind, text) => {
    expect(failureOf(() => read({ kind } as ColumnType, `"${text}"`)).code).toBe('VALUE_MISFIT');
  });
});

describe('a column kept as text', () => {
  test.each([
    ['"a\\u0062c"', 'abc'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\\ud800"', '"\\ud800"'],
    ['"x\\uDC00\\n"', '"x\\uDC00\\n"'],
    ['"\\"Фирма\\" ООД"', '"Фирма" ООД'],
    ['"\\"Фирма\\""', '"Фирма"'],
    ['"\\"\\\\ud800\\""', '"\\"\\\\ud800\\""'],
    ['2023', '2023'],
    ['1.0e+5', '1.0e+5'],
    ['"2023-01-01T00:00:00.1234567Z"', '2023-01-01T00:00:00.1234567Z'],
    ['true', 'true'],
    ['{"a":"\\ud800"}', '{"a":"\\ud800"}'],
  ])('holds %s as %s', (json, expected) => {
    expect(read({ kind: 'json' }, json)).toBe(expected);
  });
});
