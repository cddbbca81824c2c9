import { describe, expect, test } from 'vitest';
import type { ColumnType } from '../../../src/core/schema.ts';
import { column, decodeBody } from '../../support/decode.ts';
import { failureOf } from '../../support/failure.ts';

const ID = column('Id', { kind: 'int64' }, false);

describe('a value that does not fit', () => {
  const KINDS: readonly [ColumnType, string][] = [
    [{ kind: 'boolean' }, '1'],
    [{ kind: 'int8' }, '200'],
    [{ kind: 'uint8' }, '-1'],
    [{ kind: 'int16' }, '40000'],
    [{ kind: 'int32' }, '"x"'],
    [{ kind: 'int64' }, '1e30'],
    [{ kind: 'float32' }, '1e40'],
    [{ kind: 'float64' }, '"1e400"'],
    [{ kind: 'decimal', precision: 4, scale: 2 }, '1.005'],
    [{ kind: 'decimalText' }, 'true'],
    [{ kind: 'guid' }, '"x"'],
    [{ kind: 'text' }, '"\\ud800"'],
    [{ kind: 'binary' }, '"*"'],
    [{ kind: 'timestamp' }, '"2023-01-01T00:00:00.1234567Z"'],
    [{ kind: 'date' }, '"2023-02-30"'],
    [{ kind: 'time' }, '"24:00:00"'],
  ];

  test.each(KINDS)('%j: %s names column, key and the line that keeps it, which does', (type, json) => {
    const columns = [ID, column('V', type)];
    const body = `{"value":[{"Id":9007199254740993,"V":${json}}]}`;
    const error = failureOf(() => decodeBody(columns, body));
    expect(error.code).toBe('VALUE_MISFIT');
    expect(error.at).toMatchObject({ table: 'T', column: 'V', key: '9007199254740993' });
    expect(error.message).toContain('T.V');
    expect(error.message).toContain('9007199254740993');
    expect(error.message).toContain('overrides: { T: { types: { V: text } } }');
    const kept = decodeBody([ID, column('V', { kind: 'json' })], body).rows[0]?.['V'];
    expect(json).toContain(kept);
  });

  test('of a name that YAML takes for something else is named in quotation marks', () => {
    const columns = [ID, column('Да "x"', { kind: 'int32' }), column('null', { kind: 'int32' })];
    const message = (row: string) => failureOf(() => decodeBody(columns, `{"value":[{"Id":1,${row}}]}`)).message;
    expect(message('"Да \\"x\\"":"5x"')).toContain('{ "Да \\"x\\"": text }');
    expect(message('"null":"5x"')).toContain('{ "null": text }');
  });
});

describe('the message of a misfit', () => {
  test.each([
    [{ kind: 'int32' }, '"secret"', 'it is a JSON string'],
    [{ kind: 'text' }, '4711', 'it is a JSON number'],
    [{ kind: 'text' }, '{"secret":1}', 'it is a JSON object'],
    [{ kind: 'int64' }, '[4711]', 'it is a JSON array'],
    [{ kind: 'text' }, '"secret\\ud800"', 'it holds half a surrogate pair, which UTF-8 cannot hold'],
  ] as const)('%j for %s: says what kind of value came, and shows none of it', (type, json, what) => {
    const { message, hint } = failureOf(() => decodeBody([ID, column('V', type)], `{"value":[{"Id":1,"V":${json}}]}`));
    expect(message).toContain(`the type that $metadata declares: ${what};`);
    expect(message).not.toMatch(/secret|4711/);
    expect(hint).toContain('no message shows a value');
  });

  test('names the row of a table without a key by its number', () => {
    const rows = '{"Id":null,"V":1},{"Id":null,"V":1},{"Id":null,"V":"x"}';
    const columns = [column('Id', { kind: 'int64' }), column('V', { kind: 'int32' })];
    const { message } = failureOf(() => decodeBody(columns, `{"value":[${rows}]}`, { keyless: true }));
    expect(message).toContain('T.V in row 3 of an answer does not fit');
  });
});

describe('null in a column that is never null', () => {
  const body = (row: string) => `{"value":[{"Id":1,"V":1},${row}]}`;
  const columns = [ID, column('V', { kind: 'int32' }, false)];

  test('does not fit, wherever it comes', () => {
    for (const row of ['{"Id":2,"V":null}', '{"V":null,"Id":2}', '{ "Id":2, "V": null }']) {
      const error = failureOf(() => decodeBody(columns, body(row), { absentIsNull: true }));
      expect(error).toMatchObject({ code: 'VALUE_MISFIT', at: { column: 'V', key: '2' }, retryable: false });
      expect(error.message).toContain('T.V is null');
      expect(error.message).toContain('types: { V: text }');
    }
  });

  test('does not fit a key either', () => {
    const error = failureOf(() => decodeBody(columns, body('{"Id":null,"V":2}')));
    expect(error).toMatchObject({ code: 'VALUE_MISFIT', at: { column: 'Id' } });
    // Text is no way out: a key that is kept as text is never null either.
    for (const id of [ID, column('Id', { kind: 'json' }, false)]) {
      const { message, hint } = failureOf(() => decodeBody([id, columns[1]!], body('{"Id":null,"V":2}')));
      expect(message).toContain('T.Id, a column of the key, is null');
      expect(`${message} ${hint}`).not.toContain('types:');
      expect(hint).toContain('tables.exclude');
    }
  });

  test('and a word that only begins as null is no JSON', () => {
    expect(failureOf(() => decodeBody(columns, body('{"Id":2,"V":nul}'))).code).toBe('BODY_INVALID');
    expect(failureOf(() => decodeBody(columns, body('{"Id":2,"V":nullx}'))).code).toBe('BODY_INVALID');
  });
});

test('a property that comes twice is refused under whatever escapes, in a row of any shape', () => {
  const columns = [ID, column('V', { kind: 'int32' })];
  for (const row of ['{"Id":2,"V":1,"\\u0056":1}', '{"Id":2,"\\u0049d":2,"V":null}', '{"Id":2,"V":null,"V":null}'])
    expect(failureOf(() => decodeBody(columns, `{"value":[{"Id":1,"V":1},${row}]}`)).message).toContain('twice');
});
