import { Agent, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { askedFor, bodyError, networkError } from '../../../src/instance/errors.ts';
import { judge, looksLikeError, parseErrorBody, retryAfter } from '../../../src/instance/refusal.ts';
import { startServer, type TestServer } from './support/server.ts';

const place = {
  url: 'https://demodb.my.erp.net/tableapi/odata/Gen_Documents?$filter=Secret%20eq%201',
  purpose: 'a page',
  table: 'Gen_Documents',
};
const coded = (code: string) => Object.assign(new Error('low level'), { code });

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

describe('what was asked for', () => {
  it.each([
    ['rows', 'Gen_Documents', 'a read of Gen_Documents'],
    ['closing read', 'Gen_Documents', 'a read of Gen_Documents'],
    ['keys', 'Gen_Documents', 'a read of the keys of Gen_Documents'],
    ['default filters', 'Gen_Documents', 'a question about Gen_Documents'],
    ['$metadata', undefined, '$metadata'],
  ])('%s of %s is said in words', (purpose, table, words) => {
    const asked = { ...place, purpose, table };
    expect(askedFor(asked)).toBe(words);
    expect(bodyError(coded('ECONNRESET'), asked, 7)).toMatchObject({
      message: `the answer to ${words} broke off after 7 bytes`,
    });
    expect(bodyError(coded('ECONNRESET'), asked, 1_093_344)).toMatchObject({
      message: `the answer to ${words} broke off after 1,093,344 bytes`,
    });
    const { error } = judge({ status: 400, headers: {}, text: '' }, asked, 0);
    expect(error.message).toBe(`the instance refuses ${words} (400)`);
  });

  it('is not said to be asked for again: whoever reads the error is at the end', () => {
    for (const code of ['ECONNRESET', 'ETIMEDOUT'])
      for (const thrown of [bodyError(coded(code), place, 7), networkError(coded(code), place)])
        expect((thrown as Error & { hint: string }).hint).not.toMatch(/again/);
  });
});

describe('faults of network and TLS', () => {
  it.each([
    ['ENOTFOUND', 'INSTANCE_UNREACHABLE', 'host name'],
    ['ECONNREFUSED', 'INSTANCE_UNREACHABLE', 'port'],
    ['ECONNRESET', 'INSTANCE_UNREACHABLE', 'proxy'],
    ['UND_ERR_CONNECT_TIMEOUT', 'INSTANCE_UNREACHABLE', 'proxy'],
    ['CERT_HAS_EXPIRED', 'INSTANCE_TLS', 'renewed'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'INSTANCE_TLS', 'NODE_EXTRA_CA_CERTS'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'INSTANCE_TLS', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'INSTANCE_TLS', 'NODE_EXTRA_CA_CERTS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'INSTANCE_TLS', 'host name'],
    ['ESOMETHING', 'INSTANCE_UNREACHABLE', 'network'],
  ])('%s becomes %s with a next step', (code, ours, hint) => {
    expect(networkError(coded(code), place)).toMatchObject({
      code: ours,
      exitCode: 4,
      hint: expect.stringContaining(hint),
    });
  });

  it('finds the code inside causes and groups', () => {
    const group = new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]);
    expect(networkError(new TypeError('fetch failed', { cause: group }), place)).toMatchObject({
      code: 'INSTANCE_UNREACHABLE',
    });
  });

  it('tells where without the query, which may hold data', () => {
    const error = networkError(coded('ECONNRESET'), place);
    expect(error).toMatchObject({ at: { table: 'Gen_Documents', path: '/tableapi/odata/Gen_Documents' } });
    expect(JSON.stringify(error)).not.toContain('Secret');
  });

  it('leaves what it does not know as it is: that would be a bug', () => {
    const bug = new TypeError('x is not a function');
    expect(networkError(bug, place)).toBe(bug);
  });

  it('says that TLS is not spoken where a plain server answers', async () => {
    server = await startServer((_, response) => void response.end('hello'));
    const url = server.origin.replace('http:', 'https:');
    const agent = new Agent();
    const error = await request(url, { dispatcher: agent }).catch((thrown: unknown) =>
      networkError(thrown, { ...place, url }),
    );
    await agent.close();
    expect(error).toMatchObject({ code: 'INSTANCE_TLS', hint: expect.stringContaining('port') });
  });

  it('says what a proxy needs', () => {
    const error = networkError(new Error('Proxy response (407) !== 200 when HTTP Tunneling'), place);
    expect(error).toMatchObject({ code: 'INSTANCE_UNREACHABLE', hint: expect.stringContaining('HTTPS_PROXY') });
  });

  it('takes any fault inside a body for a body that is not whole', () => {
    expect(bodyError(coded('Z_DATA_ERROR'), place, 10)).toMatchObject({ code: 'BODY_TRUNCATED', retryable: true });
  });
});

describe('error bodies of ERP.net', () => {
  it.each([
    ['{"message":"m","code":12,"type":"T"}', { message: 'm', code: '12', type: 'T' }],
    ['{"error":{"message":"m","type":"T"}}', { message: 'm', code: undefined, type: 'T' }],
    ['{"error":{"code":"c","message":{"lang":"en","value":"m"}}}', { message: 'm', code: 'c', type: undefined }],
    ['<html>', undefined],
    ['[1]', undefined],
    ['{"value":[]}', undefined],
  ])('%s', (text, body) => {
    expect(parseErrorBody(text)).toEqual(body);
  });

  it('are told from data by their first property', () => {
    expect(looksLikeError('{ "error": {')).toBe(true);
    expect(looksLikeError('{"message":"x"}')).toBe(true);
    expect(looksLikeError('{"@odata.context":"message"')).toBe(false);
    expect(looksLikeError('{"value":[{"message":"x"}]}')).toBe(false);
  });

  it('never show a stack trace', () => {
    const text = '{"message":"m","type":"T","info":"at Erp.Engine.Run() line 5"}';
    expect(JSON.stringify(judge({ status: 500, headers: {}, text }, place, 0))).not.toContain('line 5');
  });

  it('about a rate are told from those about requests at once', () => {
    const verdict = (text: string) => judge({ status: 429, headers: {}, text }, place, 0);
    expect(verdict('{"message":"SessionRpm exceeded"}')).toMatchObject({ kind: 'slow', aboutRate: true });
    expect(verdict('{"message":"GlobalConcurrentRequests"}')).toMatchObject({ kind: 'slow', aboutRate: false });
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 1);
  it.each([
    ['120', 120_000],
    ['0', 0],
    [new Date(now + 5000).toUTCString(), 5000],
    [new Date(now - 5000).toUTCString(), 0],
    ['soon', null],
    ['', null],
    ['99999999', 86_400_000],
  ])('%s', (header, ms) => {
    expect(retryAfter(header, undefined, now)).toBe(ms);
  });
});
