import { describe, expect, test } from 'vitest';
import { column, decodeBody } from '../../support/decode.ts';
import { failureOf } from '../../support/failure.ts';

const ID = column('Id', { kind: 'int32' });
const around = (members: string) => decodeBody([ID], `{${members},"value":[{"Id":1}]}`).envelope;
const behind = (members: string) => decodeBody([ID], `{"value":[{"Id":1}],${members}}`).envelope;

describe('what stands around the rows', () => {
  test.each([
    ['"@odata.nextLink":"T?x"', { nextLink: 'T?x', count: null }],
    ['"@nextLink":"T?x"', { nextLink: 'T?x', count: null }],
    ['"@nextLink":"T?x","@odata.nextLink":"T?x"', { nextLink: 'T?x', count: null }],
    ['"@odata.nextLink":null', { nextLink: null, count: null }],
    ['"@nextLink":""', { nextLink: null, count: null }],
    ['"@odata.count":12', { nextLink: null, count: 12 }],
    ['"@count":"12"', { nextLink: null, count: 12 }],
    ['"@count":12.0,"@odata.count":"12"', { nextLink: null, count: 12 }],
    ['"@odata.count":null', { nextLink: null, count: null }],
    ['"@odata.context":"c","@context":"c","Extra":{"message":"m"}', { nextLink: null, count: null }],
    ['"nextLink":"T?x","odata.count":5', { nextLink: null, count: null }],
    ['"\\u0040count":3', { nextLink: null, count: 3 }],
  ])('%s, before or after them', (members, expected) => {
    expect(around(members)).toEqual(expected);
    expect(behind(members)).toEqual(expected);
  });

  test.each([
    '"@odata.nextLink":5',
    '"@odata.nextLink":"T?x","@nextLink":"T?y"',
    '"@odata.count":-1',
    '"@count":1.5',
    '"@count":"1e3"',
    '"@count":1,"@odata.count":2',
  ])('%s is refused', (members) => {
    expect(failureOf(() => around(members)).code).toBe('BODY_INVALID');
    expect(failureOf(() => behind(members)).code).toBe('BODY_INVALID');
  });
});

describe('a mark that cannot be seen', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  test('before a body is taken for what it is, in any chunks', () => {
    const body = bytes('\ufeff {"value":[{"Id":1}]}');
    for (const cuts of [[], [1], [2], [1, 2, 3], [3]])
      expect(decodeBody([ID], body, { cuts }).rows).toEqual([{ Id: 1 }]);
  });

  test.each([
    '\ufeff\ufeff{"value":[]}',
    ' \ufeff{"value":[]}',
    '{\ufeff"value":[]}',
    '{"value":[]}\ufeff',
    '\ufffe{"value":[]}',
  ])('elsewhere is no JSON: %j', (body) => {
    expect(failureOf(() => decodeBody([ID], bytes(body))).code).toBe('BODY_INVALID');
  });

  test('before a name makes it another name', () => {
    for (const mark of ['\ufeff', '\\ufeff', '\u200b', '\u2060']) {
      expect(failureOf(() => decodeBody([ID], bytes(`{"value":[{"${mark}Id":1}]}`))).message).toContain(
        'lacks the property',
      );
      expect(failureOf(() => decodeBody([ID], bytes(`{"${mark}value":[{"Id":1}]}`))).message).toContain('no "value"');
    }
  });
});

test('bytes that are not UTF-8 are refused wherever they stand, also where nobody looks', () => {
  const broken = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
  for (const body of [
    '{"@odata.nextLink":"T?\xff","value":[]}',
    '{"\xff":1,"value":[]}',
    '{"value":[{"Id":1,"Extra":"\xc3"}]}',
    '{"value":[{"Id":1,"\xff":"x"}]}',
    '{"value":[{"Id":1},{"Id":1,"Extra":"\xed\xa0\x80"}]}',
  ])
    expect(failureOf(() => decodeBody([ID], broken(body))).code).toBe('BODY_INVALID');
});
