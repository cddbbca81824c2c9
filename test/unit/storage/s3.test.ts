import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../src/core/digest.ts';
import { createS3Store, type S3StoreOptions } from '../../../src/storage/s3.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, n: number) => void;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A store whose server answers as the test says. The real protocol is tested in test/contract. */
async function storeAgainst(
  handler: Handler,
  attempts = 4,
  env: Readonly<Record<string, string>> = {},
  more: Partial<S3StoreOptions> = {},
) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => handler(request, response, requests.length));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const store = createS3Store({
    bucket: 'bucket',
    prefix: 'p/',
    env: {
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      TABLEVAULT_S3_PATH_STYLE: '1',
      ...env,
    },
    retries: { attempts, firstPauseMs: 1, lastPauseMs: 2 },
    patienceMs: 0,
    ...more,
    random: () => 0.5,
  });
  ends.push(async () => {
    await store.close();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  return { store, requests, port };
}

const xml = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said by a test</Message></Error>`;
const fail =
  (status: number, code: string): Handler =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/xml' }).end(xml(code));

describe('encryption on the server', () => {
  // No server here has a key service: these look at the request and at what is made of the answer.
  const answering =
    (encryption: string | undefined, seen: Record<string, unknown>[]): Handler =>
    (request, response) => {
      seen.push(request.headers);
      response.writeHead(200, encryption === undefined ? {} : { 'x-amz-server-side-encryption': encryption }).end();
    };

  it.each([
    [{ TABLEVAULT_S3_SSE: 'AES256' }, { 'x-amz-server-side-encryption': 'AES256' }],
    [{ TABLEVAULT_S3_SSE: 'aws:kms' }, { 'x-amz-server-side-encryption': 'aws:kms' }],
    [
      { TABLEVAULT_S3_SSE: 'aws:kms', TABLEVAULT_S3_KMS_KEY_ID: 'alias/vault' },
      {
        'x-amz-server-side-encryption': 'aws:kms',
        'x-amz-server-side-encryption-aws-kms-key-id': 'alias/vault',
      },
    ],
  ])('is asked for as %j says, signed, and must be confirmed', async (env: Record<string, string>, headers) => {
    const seen: Record<string, unknown>[] = [];
    const { store } = await storeAgainst(answering(env['TABLEVAULT_S3_SSE'], seen), 4, env);
    await store.putNew('k', Buffer.from('x'));
    await store.replace('k', Buffer.from('x'));
    for (const each of seen) {
      expect(each).toMatchObject(headers);
      for (const name of Object.keys(headers)) expect(each['authorization']).toContain(name);
    }
    expect(seen).toHaveLength(2);
  });

  it('that the server does not confirm is an error at the first object', async () => {
    const { store, requests } = await storeAgainst(answering(undefined, []), 4, { TABLEVAULT_S3_SSE: 'aws:kms' });
    await expect(store.putNew('k', Buffer.from('x'))).rejects.toMatchObject({ code: 'DESTINATION_UNSAFE' });
    expect(requests).toHaveLength(1);
  });

  it('is not asked for unless it is wanted, and a setting that makes no sense is refused', async () => {
    const seen: Record<string, unknown>[] = [];
    const { store } = await storeAgainst(answering(undefined, seen));
    await store.putNew('k', Buffer.from('x'));
    expect(Object.keys(seen[0] ?? {}).filter((name) => name.includes('encryption'))).toEqual([]);
    for (const env of [{ TABLEVAULT_S3_SSE: 'yes' }, { TABLEVAULT_S3_KMS_KEY_ID: 'k' }]) {
      await expect(storeAgainst(answering(undefined, []), 1, env as never)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      });
    }
  });
});

describe('an answer of S3', () => {
  it.each([
    [403, 'AccessDenied', 'DESTINATION_DENIED', /s3:PutObject/],
    [403, 'SignatureDoesNotMatch', 'DESTINATION_DENIED', /AWS_SECRET_ACCESS_KEY/],
    [403, 'InvalidAccessKeyId', 'DESTINATION_DENIED', /AWS_ACCESS_KEY_ID/],
    [403, 'RequestTimeTooSkewed', 'DESTINATION_DENIED', /NTP/],
    [400, 'ExpiredToken', 'DESTINATION_DENIED', /renew/],
    [403, 'QuotaExceeded', 'DESTINATION_FULL', /quota/],
    [404, 'NoSuchBucket', 'DESTINATION_MISSING', /Create the bucket/],
    [301, 'PermanentRedirect', 'DESTINATION_MISSING', /AWS_REGION/],
    [412, 'PreconditionFailed', 'OBJECT_EXISTS', /never replaced/],
    [404, 'NoSuchKey', 'DESTINATION_MISSING', /bucket exists.*TABLEVAULT_S3_KMS_KEY_ID/],
    [404, 'KMS.NotFoundException', 'DESTINATION_MISSING', /TABLEVAULT_S3_KMS_KEY_ID/],
  ])('%i %s to a put is %s at once, with what to do', async (status, code, expected, hint) => {
    const { store, requests } = await storeAgainst(fail(status, code));
    await expect(store.putNew('k', Buffer.from('x'))).rejects.toMatchObject({
      code: expected,
      hint: expect.stringMatching(hint),
      retryable: false,
    });
    expect(requests).toHaveLength(1);
  });

  it.each([
    [500, 'InternalError'],
    [503, 'SlowDown'],
    [409, 'ConditionalRequestConflict'],
    [400, 'XAmzContentSHA256Mismatch'],
  ])('%i %s is tried again, and not for ever', async (status, code) => {
    const passing = await storeAgainst((request, response, n) =>
      n < 3 ? fail(status, code)(request, response, n) : response.writeHead(200).end(),
    );
    await passing.store.putNew('k', Buffer.from('x'));
    expect(passing.requests).toEqual(Array(3).fill('PUT /bucket/p/k?x-id=PutObject'));
    const lasting = await storeAgainst(fail(status, code));
    const put = lasting.store.putNew('k', Buffer.from('x'));
    await expect(put).rejects.toMatchObject({ code: 'DESTINATION_UNREACHABLE', retryable: true });
    expect(lasting.requests).toHaveLength(4);
  });

  it.each([
    [501, 'NotImplemented', 'DESTINATION_UNSAFE', /If-None-Match/],
    [400, 'InvalidRequest', 'DESTINATION_UNREACHABLE', /AWS_ENDPOINT_URL_S3/],
  ])('%i %s to a put with and without a checksum is %s', async (status, code, expected, hint) => {
    const { store, requests } = await storeAgainst(fail(status, code));
    await expect(store.putNew('k', Buffer.from('x'))).rejects.toMatchObject({
      code: expected,
      hint: expect.stringMatching(hint),
      retryable: false,
    });
    expect(requests).toHaveLength(2);
  });

  it.each([
    [400, 'InvalidArgument'],
    [501, 'NotImplemented'],
  ])('that refuses the header of the checksum (%i %s) is done without it, from then on', async (status, code) => {
    const checked: boolean[] = [];
    const { store } = await storeAgainst((request, response, n) => {
      const has = request.headers['x-amz-checksum-sha256'] !== undefined;
      checked.push(has);
      expect(request.headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/);
      if (has) fail(status, code)(request, response, n);
      else response.writeHead(200).end();
    });
    await store.putNew('a', Buffer.from('x'));
    await store.putNew('b', Buffer.from('y'), { retries: false });
    await store.replace('c', Buffer.from('z'));
    expect(checked).toEqual([true, false, false, false]);
  });

  it('that asks to slow down is waited for, minutes long, as long as it says', async () => {
    let now = 0;
    const pauses: number[] = [];
    const clock = {
      now: () => now,
      sleep: async (ms: number) => {
        pauses.push(ms);
        now += ms;
      },
    };
    const busy =
      (until: number, headers: Record<string, string>): Handler =>
      (_request, response) =>
        now < until
          ? response.writeHead(503, { 'content-type': 'application/xml', ...headers }).end(xml('SlowDown'))
          : response.writeHead(200).end();
    const { store } = await storeAgainst(busy(200_000, {}), 2, {}, { clock, patienceMs: 300_000 });
    await store.putNew('k', Buffer.from('x'));
    expect(pauses.length).toBeLessThan(40);
    now = 0;
    pauses.length = 0;
    const told = await storeAgainst(busy(60_000, { 'retry-after': '30' }), 2, {}, { clock, patienceMs: 300_000 });
    await told.store.putNew('k', Buffer.from('x'));
    expect(pauses).toEqual([30_000, 30_000]);
    // Not for ever.
    now = 0;
    const lasting = await storeAgainst(busy(1e9, {}), 2, {}, { clock, patienceMs: 300_000 });
    await expect(lasting.store.putNew('k', Buffer.from('x'))).rejects.toMatchObject({ retryable: true });
    expect(now).toBeGreaterThan(290_000);
    expect(now).toBeLessThan(400_000);
  });

  it('to the put of a commit is never tried again by the store itself', async () => {
    for (const handler of [
      fail(500, 'InternalError'),
      fail(503, 'SlowDown'),
      ((request) => request.socket.destroy()) as Handler,
    ]) {
      const { store, requests } = await storeAgainst(handler);
      const put = store.putNew('k', Buffer.from('x'), { retries: false });
      await expect(put).rejects.toMatchObject({ code: 'DESTINATION_UNREACHABLE' });
      expect(requests).toHaveLength(1);
    }
  });

  it('that never comes is unreachable, with the address to check', async () => {
    const { store } = await storeAgainst((request) => request.socket.destroy(), 2);
    await expect(store.get('k')).rejects.toMatchObject({
      code: 'DESTINATION_UNREACHABLE',
      hint: expect.stringMatching(/ENDPOINT/),
    });
  });

  it('shows no credential', async () => {
    const { store } = await storeAgainst(fail(403, 'SignatureDoesNotMatch'));
    const error = await store.get('k').catch((thrown: unknown) => thrown);
    expect(JSON.stringify(error)).not.toMatch(/Signature=|Authorization/i);
  });
});

describe('reading from S3', () => {
  const content = Buffer.from('0123456789'.repeat(1_000));
  const serve: Handler = (request, response) => {
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? 'bytes=0-') ?? [];
    const part = content.subarray(Number(from), to ? Number(to) + 1 : undefined);
    response.writeHead(request.headers.range ? 206 : 200, { 'content-length': part.length, etag: '"1"' }).end(part);
  };

  it('goes on where a connection broke, and gives every byte once', async () => {
    const { store, requests } = await storeAgainst((request, response, n) => {
      if (n > 3) return serve(request, response, n);
      const from = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from === 0 ? 200 : 206, { 'content-length': content.length - from, etag: '"1"' });
      response.write(content.subarray(from, from + 1_000), () => setTimeout(() => response.destroy(), 20));
    });
    expect(Buffer.from(await store.get('k')).equals(content)).toBe(true);
    expect(requests.length).toBeGreaterThan(3);
  });

  it('never gives a short object for a whole one', async () => {
    const { store } = await storeAgainst((_request, response) => {
      response.writeHead(200, { 'content-length': content.length, etag: '"1"' });
      response.write(content.subarray(0, 10), () => setTimeout(() => response.destroy(), 5));
    });
    await expect(store.get('k')).rejects.toMatchObject({ code: expect.stringMatching(/UNREACHABLE|CORRUPT/) });
  });

  it('notices an object that was replaced between two pieces', async () => {
    const { store } = await storeAgainst((_request, response, n) => {
      if (n > 1) {
        response.writeHead(206, { 'content-length': content.length - 10, etag: '"2"' }).end(content.subarray(10));
        return;
      }
      response.writeHead(200, { 'content-length': content.length, etag: '"1"' });
      response.write(content.subarray(0, 10), () => setTimeout(() => response.destroy(), 5));
    });
    await expect(store.get('k')).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });

  it('refuses another range than was asked for', async () => {
    const { store } = await storeAgainst((_request, response, n) => {
      response.writeHead(200, { 'content-length': content.length, etag: '"1"' });
      if (n > 1) response.end(content);
      else response.write(content.subarray(0, 10), () => setTimeout(() => response.destroy(), 5));
    });
    await expect(store.get('k')).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });

  it('refuses a listing that breaks off, or goes in circles', async () => {
    const page = (inner: string) => `<?xml version="1.0"?><ListBucketResult>${inner}</ListBucketResult>`;
    for (const inner of [
      '<IsTruncated>true</IsTruncated>',
      '<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>',
    ]) {
      const { store } = await storeAgainst((_request, response) => response.writeHead(200).end(page(inner)));
      const listing = (async () => {
        for await (const _ of store.list('a/'));
      })();
      await expect(listing).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    }
  });

  it('ends with the signal’s reason when it is interrupted', async () => {
    const { store } = await storeAgainst(() => undefined);
    const stop = new AbortController();
    const reading = store.get('k', { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('interrupted')), 30);
    await expect(reading).rejects.toThrow('interrupted');
  });
});

describe('a listing', () => {
  const listing =
    (key: string, encoded: boolean): Handler =>
    (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/xml' })
        .end(
          `<?xml version="1.0"?><ListBucketResult><Name>bucket</Name>${encoded ? '<EncodingType>url</EncodingType>' : ''}<KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>${key}</Key><Size>1</Size></Contents></ListBucketResult>`,
        );
  const keysOf = async (handler: Handler) => {
    const { store } = await storeAgainst(handler);
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    return keys;
  };

  it('is decoded where it says that it is encoded, and only then', async () => {
    expect(await keysOf(listing('p/a%2520b+%C3%A9', true))).toEqual(['a%20b é']);
    expect(await keysOf(listing('p/a%20b+c', false))).toEqual(['a%20b+c']);
    await expect(keysOf(listing('p/a%ZZ', true))).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });
});

describe('the setting of the path style', () => {
  it.each([
    ['true', '/bucket/p/k'],
    ['1', '/bucket/p/k'],
  ])('%s puts the bucket into the path', async (value, path) => {
    const { store, requests } = await storeAgainst((_request, response) => response.writeHead(200).end(), 1, {
      TABLEVAULT_S3_PATH_STYLE: value,
    });
    await store.putNew('k', Buffer.from('x'));
    expect(requests[0]).toContain(path);
  });

  it('of any other value is refused', async () => {
    const wrong = storeAgainst(fail(500, 'x'), 1, { TABLEVAULT_S3_PATH_STYLE: 'yes, please' });
    await expect(wrong).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('the last step of an upload in pieces', () => {
  /** @param last answers to it, the first to the first */
  const uploading =
    (last: readonly Handler[]): Handler =>
    (request, response, n) => {
      const url = request.url ?? '';
      const xmlHead = { 'content-type': 'application/xml' };
      if (request.method === 'HEAD') return response.writeHead(200, { 'content-length': '12' }).end();
      if (request.method === 'DELETE') return response.writeHead(204).end();
      if (request.method === 'PUT') return response.writeHead(200, { etag: `"${n}"` }).end();
      if (/[?&]uploads/.test(url))
        return response
          .writeHead(200, xmlHead)
          .end('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>');
      return (last[asked++] ?? last.at(-1)!)(request, response, n);
    };
  let asked = 0;
  const done: Handler = (_request, response) =>
    response
      .writeHead(200, { 'content-type': 'application/xml' })
      .end('<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>');
  const lost: Handler = (request) => request.socket.destroy();

  async function upload(last: readonly Handler[]) {
    asked = 0;
    let looked = 0;
    // Nothing is there before.
    const { store, requests } = await storeAgainst(
      (request, response, n) =>
        request.method === 'HEAD' && looked++ === 0
          ? response.writeHead(404).end()
          : uploading(last)(request, response, n),
      3,
      {},
      { singlePutMaxBytes: 4, pieceBytes: 5 },
    );
    const path = join(await mkdtemp(join(tmpdir(), 'pieces-')), 'file');
    await writeFile(path, 'twelve bytes');
    const stored = store.putNewFile('k', path, { bytes: 12, sha256: sha256Hex(Buffer.from('twelve bytes')) });
    return {
      outcome: await stored.then(
        () => 'stored',
        (error) => error.code,
      ),
      requests,
    };
  }

  it('is tried again after a fault that may pass, also one that comes with 200', async () => {
    const failed: Handler = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/xml' }).end(xml('InternalError'));
    expect((await upload([fail(500, 'InternalError'), done])).outcome).toBe('stored');
    expect((await upload([failed, done])).outcome).toBe('stored');
  });

  it('whose answer was lost is looked at, and never done in vain', async () => {
    const { outcome } = await upload([lost, fail(404, 'NoSuchUpload')]);
    expect(outcome).toBe('OBJECT_EXISTS');
  });
});
