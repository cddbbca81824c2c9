import { describe, expect, test } from 'vitest';
import type { Column } from '../../../src/core/schema.ts';
import { column, decodeBody } from '../../support/decode.ts';
import { failureOf } from '../../support/failure.ts';

const ERROR = '"message":"Execution Timeout Expired.","code":1,"type":"SqlException","info":""';
const KEYED = [column('Id', { kind: 'int32' }, false), column('Name', { kind: 'text' })];
const VIEW = [column('Name', { kind: 'text' }), column('Number', { kind: 'int32' })];
const text = (...names: string[]) => names.map((name) => column(name, { kind: 'text' }));

function expectError(columns: readonly Column[], body: string) {
  for (const absentIsNull of [true, false]) {
    for (const cuts of [[], Array.from({ length: body.length }, (_, i) => i)]) {
      const error = failureOf(() => decodeBody(columns, body, { absentIsNull, cuts }));
      expect(error).toMatchObject({ code: 'BODY_INVALID', retryable: true });
      expect(error.message).toContain('reported an error');
      expect(error.message).toMatch(/: Execution Timeout Expired$/);
      expect(error.hint).toBeDefined();
    }
  }
}

describe('an error in a body is refused wherever it stands', () => {
  const rows = '{"Id":1,"Name":"a","Number":1},{"Id":2,"Name":"b","Number":2}';

  test.each([
    ['a table with a key', KEYED],
    ['a view whose columns may all be null', VIEW],
  ])('in %s', (_, columns) => {
    for (const element of [
      `{"error":{${ERROR}}}`,
      `{"error":{"code":"5","message":{"lang":"en","value":"Execution Timeout Expired."}}}`,
      `{${ERROR}}`,
      `{"type":"x","message":"Execution Timeout Expired."}`,
      `{"message":"Execution Timeout Expired."}`,
      `{"code":"Execution Timeout Expired.","type":"x"}`,
      `{"message":"Execution Timeout Expired.","stackTrace":[1],"code":"x"}`,
      `{"@odata.error":{"message":"Execution Timeout Expired."}}`,
    ]) {
      expectError(columns, `{"value":[${element}]}`);
      expectError(columns, `{"value":[${rows},${element}]}`);
      expectError(columns, `{"value":[${rows},${element},${rows}]}`);
    }
    expectError(columns, `{"value":[${rows}],${ERROR}}`);
    expectError(columns, `{${ERROR},"value":[${rows}]}`);
    expectError(
      columns,
      `{"code":1,"value":[${rows}],"message":"Execution Timeout Expired."}`.replace('"code":1,', ''),
    );
    expectError(columns, `{"value":[${rows}],"type":"SqlException","message":"Execution Timeout Expired."}`);
    expectError(columns, `{"error":{${ERROR}},"value":[${rows}]}`);
    expectError(columns, `{"value":[${rows}],"error":{${ERROR}}}`);
    expectError(columns, `{"value":[${rows}],"error":"Execution Timeout Expired."}`);
    expectError(columns, `{${ERROR}}`);
  });

  test('in a row that had begun', () => {
    expectError(KEYED, `{"value":[{"Id":1,"error":{${ERROR}}}]}`);
    expectError(KEYED, `{"value":[{"Id":1,"Name":"x","error":{${ERROR}}}]}`);
    expectError(KEYED, `{"value":[{"Id":1,${ERROR}}]}`);
  });

  test('also where some of its members are names of columns', () => {
    expectError(text('Name', 'code'), `{"value":[{${ERROR.replace('"code":1', '"code":"1"')}}]}`);
    expectError(text('Name', 'type', 'info'), `{"value":[{${ERROR}}]}`);
    expectError([column('code', { kind: 'guid' })], `{"value":[{${ERROR}}]}`);
  });
});

describe('a row is no error', () => {
  const read = (columns: readonly Column[], row: string, absentIsNull = true) =>
    decodeBody(columns, `{"value":[${row},${row}]}`, { absentIsNull }).rows[1];

  test('when the members of an error are its columns', () => {
    const columns = text('message', 'code', 'type', 'info');
    expect(read(columns, '{"message":"m","code":"c","type":"t","info":"i"}')).toEqual({
      message: 'm',
      code: 'c',
      type: 't',
      info: 'i',
    });
    expect(read(columns, '{"message":"m","code":"c"}')).toMatchObject({ message: 'm', code: 'c', type: null });
    expect(read(text('error', 'Name'), '{"error":"disk full"}')).toEqual({ error: 'disk full', Name: null });
    expect(read([column('error', { kind: 'json' })], '{"error":{"message":"m"}}')).toEqual({
      error: '{"message":"m"}',
    });
  });

  test('when it has columns of its own, whatever comes besides', () => {
    expect(read(KEYED, '{"Id":1,"Name":"a","message":"m","code":1,"type":"t","error":null}', false)).toEqual({
      Id: 1,
      Name: 'a',
    });
    expect(read(KEYED, '{"Id":1,"message":"m","code":1}')).toEqual({ Id: 1, Name: null });
  });

  test('when all its values are null and left out', () => {
    expect(read(VIEW, '{}')).toEqual({ Name: null, Number: null });
    expect(read(VIEW, '{"@odata.etag":"W/1","Other":5}')).toEqual({ Name: null, Number: null });
  });
});
