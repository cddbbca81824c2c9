import { describe, expect, it } from 'vitest';
import { resolveNextLink } from '../../../src/odata/links.ts';

const ROOT = 'https://demodb.my.erp.net/tableapi/odata/';

describe('a next link', () => {
  it.each([
    [`${ROOT}Gen_Documents?$skiptoken=abc`, `${ROOT}Gen_Documents?$skiptoken=abc`],
    ['Gen_Documents?$skiptoken=a%2Bb', `${ROOT}Gen_Documents?$skiptoken=a%2Bb`],
    ['/tableapi/odata/Gen_Documents?$skip=5', `${ROOT}Gen_Documents?$skip=5`],
    ['//demodb.my.erp.net/tableapi/odata/X', `${ROOT}X`],
    ['HTTPS://DEMODB.my.erp.net:443/tableapi/odata/X', `${ROOT}X`],
    ['Gen_Documents?$skip=5#part', `${ROOT}Gen_Documents?$skip=5`],
  ])('%s is resolved', (link, url) => {
    expect(resolveNextLink(ROOT, link)).toBe(url);
  });

  it('may be relative to the request', () => {
    expect(resolveNextLink(ROOT, '?$skiptoken=2', `${ROOT}Gen_Documents?$top=5`)).toBe(
      `${ROOT}Gen_Documents?$skiptoken=2`,
    );
  });

  it.each([
    'https://evil.example/tableapi/odata/X',
    '//evil.example/tableapi/odata/X',
    '\\\\evil.example\\x',
    'http://demodb.my.erp.net/tableapi/odata/X',
    'https://demodb.my.erp.net:8443/tableapi/odata/X',
    'https://demodb.my.erp.net.evil.example/tableapi/odata/X',
    'https://demodb.my.erp.net@evil.example/tableapi/odata/X',
    'javascript:alert(1)',
    'file:///etc/hosts',
  ])('%s never gets the credential', (link) => {
    expect(() => resolveNextLink(ROOT, link)).toThrow(expect.objectContaining({ code: 'FOREIGN_ORIGIN', exitCode: 2 }));
  });

  it.each([
    '/tools/auto-discovery',
    '../../id/connect/token',
    '%2e%2e/%2e%2e/id',
    '..%2f..%2fid',
    'X/..%5c..%5cid',
    'https://user:pw@demodb.my.erp.net/tableapi/odata/X',
    'https://',
  ])('%s is a broken page', (link) => {
    expect(() => resolveNextLink(ROOT, link)).toThrow(expect.objectContaining({ code: 'BODY_INVALID' }));
  });

  it('to another origin names the line to add', () => {
    expect(() => resolveNextLink(ROOT, 'https://tables.example/tableapi/odata/X')).toThrow(
      expect.objectContaining({
        hint: expect.stringContaining('endpoints: { tableApi: https://tables.example/tableapi/odata/ }'),
      }),
    );
  });
});
