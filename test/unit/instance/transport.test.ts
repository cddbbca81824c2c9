import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../src/core/events.ts';
import { Secret } from '../../../src/core/secret.ts';
import { type Credential, createReferenceCredential } from '../../../src/instance/credential.ts';
import { createTransport, type Reply, type Transport } from '../../../src/instance/transport.ts';
import { TRANSPORT_DEFAULTS, type TransportTuning } from '../../../src/instance/transport-options.ts';
import { createEagerClock } from './support/fake-clock.ts';
import { type Handler, json, startServer } from './support/server.ts';

const TOKEN = 'enrt_example';
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Options {
  readonly credential?: Credential;
  readonly tuning?: Partial<TransportTuning>;
  readonly concurrency?: number;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

async function setUp(handler: Handler, options: Options = {}) {
  const server = await startServer(handler);
  const clock = createEagerClock();
  const events: RunEvent[] = [];
  const credential =
    options.credential ??
    createReferenceCredential({ kind: 'reference-token', token: new Secret(TOKEN), header: 'authorization' });
  const transport: Transport = createTransport(
    {
      origins: new Set([server.origin]),
      credential,
      limits: { concurrency: options.concurrency ?? 4, deadlineMs: options.deadlineMs ?? 3_600_000 },
      tuning: { env: {}, ...options.tuning },
    },
    {
      clock,
      emit: (event) => events.push(event),
      signal: options.signal ?? new AbortController().signal,
      random: () => 0.5,
    },
  );
  closers.push(
    () => transport.close(),
    () => server.close(),
  );
  return { server, clock, events, transport, url: `${server.origin}/tableapi/odata/Gen_Documents` };
}

async function textOf(reply: Reply): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reply.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const rows = { value: [{ Id: 1 }] };
const asked = { purpose: 'a page', table: 'Gen_Documents' };

describe('a request', () => {
  it('is a GET with fixed headers and one credential', async () => {
    const { transport, server, url } = await setUp((_, response) => json(response, 200, rows));
    expect(JSON.parse(await textOf(await transport.get(url, asked)))).toEqual(rows);
    const [seen] = server.seen;
    expect(seen?.method).toBe('GET');
    expect(seen?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      accept: 'application/json;odata.metadata=minimal;IEEE754Compatible=false',
      'accept-encoding': 'gzip, br',
      'accept-language': 'en',
    });
    expect(seen?.headers).toMatchObject({ 'odata-maxversion': '4.0', 'cache-control': 'no-cache' });
    expect(seen?.headers).not.toHaveProperty('odata-version');
    expect(seen?.headers['user-agent']).toMatch(/^tablevault\/\d+\.\d+\.\d+/);
    expect(seen?.headers).not.toHaveProperty('x-api-key');
  });

  it('tells when it is sent, when a try failed, and when its data begins to come', async () => {
    const { transport, events, url } = await setUp((_, response, count) => {
      if (count === 0) response.destroy();
      else json(response, 200, rows);
    });
    await textOf(await transport.get(url, { purpose: 'rows', table: 'Gen_Documents' }));
    const told = events.flatMap((event) => (event.type === 'request' ? [event] : []));
    expect(told.map(({ request, phase }) => [request, phase])).toEqual([
      [1, 'sent'],
      [1, 'failed'],
      [1, 'sent'],
      [1, 'over'],
    ]);
    expect(told[0]).toMatchObject({ what: 'a read of Gen_Documents', firstByteTimeoutMs: 300_000 });
    expect(events).toContainEqual(expect.objectContaining({ type: 'retry', request: 1, tries: 1 }));
  });

  it('carries no credential when it is anonymous', async () => {
    const { transport, server, url } = await setUp((_, response) => json(response, 200, rows));
    await transport.getBytes(url, { ...asked, credentials: false });
    expect(server.seen[0]?.headers).not.toHaveProperty('authorization');
  });

  it('never leaves for another origin', async () => {
    const other = await startServer((_, response) => json(response, 200, rows));
    closers.push(() => other.close());
    const { transport } = await setUp((_, response) => json(response, 200, rows));
    await expect(transport.get(`${other.origin}/tableapi/odata/X`, asked)).rejects.toMatchObject({
      code: 'FOREIGN_ORIGIN',
      hint: expect.stringContaining(`tableApi: ${other.origin}/tableapi/odata/`),
    });
    expect(other.seen).toHaveLength(0);
  });

  it('does not follow a redirect to another origin, and names the line to add', async () => {
    const other = await startServer((_, response) => json(response, 200, rows));
    closers.push(() => other.close());
    const { transport, url } = await setUp((_, response) => json(response, 302, {}, { location: `${other.origin}/x` }));
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'FOREIGN_ORIGIN',
      message: expect.stringContaining(other.origin),
    });
    expect(other.seen).toHaveLength(0);
  });

  it('does not follow a redirect to a sign-in page of the same origin', async () => {
    const { transport, server, url } = await setUp((_, response) => json(response, 302, {}, { location: '/login' }));
    await expect(transport.get(url, asked)).rejects.toMatchObject({ code: 'INSTANCE_ANSWER' });
    expect(server.seen).toHaveLength(1);
  });
});

describe('retrying', () => {
  it.each([502, 503, 504])('gets past %i', async (status) => {
    const { transport, url } = await setUp((_, response, count) => json(response, count < 3 ? status : 200, rows));
    expect(JSON.parse(await textOf(await transport.get(url, asked)))).toEqual(rows);
    expect(transport.stats()).toMatchObject({ requests: 4, retries: 3, byStatus: { [status]: 3, 200: 1 } });
  });

  it('gets past a reset before the head', async () => {
    const { transport, url } = await setUp((_, response, count) => {
      if (count < 2) response.destroy();
      else json(response, 200, rows);
    });
    await expect(transport.getBytes(url, asked)).resolves.toMatchObject({ status: 200 });
    expect(transport.stats().failures).toBe(2);
  });

  it('gets past a server that does not begin to answer', async () => {
    const { transport, url } = await setUp(
      (_, response, count) => {
        if (count > 0) json(response, 200, rows);
      },
      { tuning: { firstByteTimeoutMs: 50 } },
    );
    await expect(transport.getBytes(url, asked)).resolves.toMatchObject({ status: 200 });
  });

  it('ends when its time is used up, and says how long it tried', async () => {
    const { transport, clock, url } = await setUp((_, response) => json(response, 503, {}));
    const began = clock.now();
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      message: expect.stringMatching(/503.*tries in/),
    });
    expect(clock.now() - began).toBeLessThanOrEqual(300_000);
    expect(clock.now() - began).toBeGreaterThan(200_000);
  });

  it('delays grow and stay below half a minute', async () => {
    const { transport, clock, url } = await setUp((_, response) => json(response, 503, {}));
    await expect(transport.get(url, asked)).rejects.toThrow();
    expect(clock.slept.slice(0, 3)).toEqual([250, 500, 1000]);
    expect(Math.max(...clock.slept)).toBe(15_000);
  });

  it('gives up quickly on an address where nothing ever answered', async () => {
    const gone = await startServer(() => undefined);
    await gone.close();
    const { transport } = await setUp(() => undefined);
    const wrong = createTransport(
      { origins: new Set([gone.origin]), limits: { concurrency: 1, deadlineMs: 1e6 }, tuning: { env: {} } },
      { clock: createEagerClock(), emit: () => undefined, signal: new AbortController().signal, random: () => 0.5 },
    );
    closers.push(() => wrong.close());
    await expect(wrong.get(`${gone.origin}/x`, { ...asked, credentials: false })).rejects.toMatchObject({
      code: 'INSTANCE_UNREACHABLE',
      message: expect.stringMatching(/nothing answers at its port \(3 tries/),
    });
    expect(transport.stats().requests).toBe(0);
  });

  it('does not try again after a refusal of the request', async () => {
    const { transport, server, url } = await setUp((_, response) =>
      json(response, 400, { message: 'Unknown column Foo', type: 'ODataException' }),
    );
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'REQUEST_REFUSED',
      message: expect.stringContaining('ODataException: Unknown column Foo'),
      at: expect.objectContaining({ table: 'Gen_Documents', status: 400 }),
    });
    expect(server.seen).toHaveLength(1);
  });

  it('tries only twice when a 500 blames the request', async () => {
    const { transport, server, url } = await setUp((_, response) =>
      json(response, 500, {
        error: { message: 'Bad filter', type: 'ArgumentException', info: 'at Erp.Secret.Stack()' },
      }),
    );
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'REQUEST_REFUSED',
      message: expect.not.stringContaining('Stack'),
    });
    expect(server.seen).toHaveLength(2);
  });

  it('tries a 500 that may pass a few times', async () => {
    const { transport, server, url } = await setUp((_, response) =>
      json(response, 500, { message: 'Deadlock victim', type: 'SqlError' }),
    );
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'REQUEST_REFUSED',
      message: expect.stringContaining('4 tries'),
    });
    expect(server.seen).toHaveLength(4);
  });

  it('tells what to check after 403', async () => {
    const { transport, url } = await setUp((_, response) => json(response, 403, {}));
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'AUTH_FORBIDDEN',
      exitCode: 3,
      hint: expect.stringContaining('System User'),
    });
  });

  it('takes an error object sent with status 200 for the error it is', async () => {
    const { transport, url } = await setUp((_, response) =>
      json(response, 200, { error: { message: 'Table is gone', type: 'NotFoundException' } }),
    );
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'REQUEST_REFUSED',
      message: expect.stringContaining('Table is gone'),
    });
  });

  it('does not use an answer that may be a part', async () => {
    for (const [status, headers] of [
      [206, {}],
      [200, { 'content-range': 'items 0-49/100' }],
    ] as const) {
      const { transport, url } = await setUp((_, response) => json(response, status, rows, headers));
      await expect(transport.get(url, asked)).rejects.toMatchObject({ code: 'INSTANCE_ANSWER' });
    }
  });

  it('does not use what a cache kept, and asks again', async () => {
    const { transport, url } = await setUp((_, response) => json(response, 200, rows, { age: '3600' }));
    await expect(transport.get(url, asked)).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      message: expect.stringContaining('3600 s old'),
    });
    const { transport: well, url: there } = await setUp((_, response, count) =>
      json(response, 200, rows, { age: count === 0 ? '3600' : '2' }),
    );
    expect((await well.get(there, asked)).status).toBe(200);
  });

  it('ends with the deadline of the run', async () => {
    const { transport, url } = await setUp((_, response) => json(response, 503, {}), { deadlineMs: 5000 });
    await expect(transport.get(url, asked)).rejects.toMatchObject({ code: 'INSTANCE_ANSWER' });
  });
});

describe('limits of the instance', () => {
  it.each([
    ['seconds', () => '7'],
    ['a date', (now: number) => new Date(now + 7000).toUTCString()],
  ])('waits as long as Retry-After says in %s, and says why', async (_, header) => {
    let retryAt = '';
    let date = '';
    const context = await setUp((_request, response, count) =>
      json(response, count === 0 ? 429 : 200, rows, { 'retry-after': retryAt, date }),
    );
    retryAt = header(context.clock.now());
    date = new Date(context.clock.now()).toUTCString();
    const began = context.clock.now();
    await context.transport.getBytes(context.url, asked);
    expect(context.clock.now() - began).toBeGreaterThanOrEqual(6000);
    expect(context.events).toContainEqual(
      expect.objectContaining({ type: 'wait', reason: expect.stringContaining('429') }),
    );
  });

  it('reads a date in Retry-After by the clock of the server that says it', async () => {
    // Its clock is an hour behind ours: by our clock the date is long past.
    const { transport, clock, url } = await setUp((_, response, count) => {
      const theirs = clock.now() - 3_600_000;
      const [date, later] = [theirs, theirs + 9000].map((ms) => new Date(ms).toUTCString());
      json(response, count === 0 ? 429 : 200, rows, { date: date ?? '', 'retry-after': later ?? '' });
    });
    const began = clock.now();
    await transport.getBytes(url, asked);
    expect(clock.now() - began).toBeGreaterThanOrEqual(8000);
    expect(clock.now() - began).toBeLessThan(11_000);
  });

  it.each([429, 503])('never waits less than its own back-off after %i, whatever Retry-After says', async (status) => {
    const spent = async (headers: (now: number) => Record<string, string>) => {
      const { transport, clock, url } = await setUp((_, response, count) =>
        json(response, count < 5 ? status : 200, rows, headers(clock.now())),
      );
      const began = clock.now();
      await transport.getBytes(url, asked);
      return clock.now() - began;
    };
    const own = await spent(() => ({}));
    expect(own).toBeGreaterThan(1000);
    expect(await spent(() => ({ 'retry-after': '0' }))).toBeGreaterThanOrEqual(own);
    const past = (now: number) => ({
      date: new Date(now).toUTCString(),
      'retry-after': new Date(now - 60_000).toUTCString(),
    });
    expect(await spent(past)).toBeGreaterThanOrEqual(own);
  });

  it('waits out a 429 without Retry-After', async () => {
    const { transport, url } = await setUp((_, response, count) => json(response, count < 4 ? 429 : 200, rows));
    await transport.getBytes(url, asked);
    expect(transport.stats().byStatus).toEqual({ 429: 4, 200: 1 });
  });

  it('fails as busy when it is refused for too long', async () => {
    const { transport, url } = await setUp((_, response) => json(response, 429, {}));
    await expect(transport.get(url, asked)).rejects.toMatchObject({ code: 'INSTANCE_BUSY', exitCode: 4 });
  });

  it.each([200, 403, 500, 503])('waits for a licence seat whatever the status (%i)', async (status) => {
    const { transport, events, url } = await setUp((_, response, count) =>
      count < 3
        ? json(response, status, { error: { message: 'no', type: 'MaximumLicenseCountExceeded' } })
        : json(response, 200, rows),
    );
    await transport.getBytes(url, asked);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'wait', reason: expect.stringContaining('licence seat') }),
    );
  });

  it('gives up on a seat after its deadline', async () => {
    const { transport, clock, url } = await setUp((_, response) =>
      json(response, 500, { message: 'MaximumLicenseCountExceeded' }),
    );
    const began = clock.now();
    await expect(transport.get(url, asked)).rejects.toMatchObject({ code: 'INSTANCE_SEATS' });
    expect(clock.now() - began).toBeGreaterThan(1_500_000);
  });

  it('never has more requests in flight than allowed', async () => {
    let inFlight = 0;
    let most = 0;
    const { transport, server } = await setUp(
      (_, response) => {
        inFlight += 1;
        most = Math.max(most, inFlight);
        setTimeout(() => {
          inFlight -= 1;
          json(response, 200, rows);
        }, 5);
      },
      { concurrency: 3 },
    );
    await Promise.all(Array.from({ length: 60 }, (_, i) => transport.getBytes(`${server.origin}/t${i}`, asked)));
    expect(most).toBe(3);
    expect(transport.stats().maxInFlight).toBe(3);
  });

  it('holds its place until the body is drained or given up', async () => {
    const { transport, url } = await setUp(
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write(`{"value":[${' '.repeat(100)}`);
      },
      { concurrency: 1 },
    );
    const first = await transport.get(url, asked);
    let second: Reply | undefined;
    const waiting = transport.get(url, asked).then((reply) => {
      second = reply;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(second).toBeUndefined();
    first.cancel();
    await waiting;
    expect(second).toBeDefined();
  });
});

describe('a token that is refused', () => {
  function renewable() {
    let version = 1;
    let renewals = 0;
    let headers = { authorization: 'Bearer v1' };
    const credential: Credential = {
      kind: 'service',
      headers: () => Promise.resolve(headers),
      async renewAfter401(used) {
        if (used !== headers) return true;
        renewals += 1;
        version += 1;
        headers = { authorization: `Bearer v${version}` };
        return true;
      },
      scrub: (text) => text,
      describe: async () => 'test',
    };
    return { credential, renewals: () => renewals };
  }

  it('is renewed once, and the request sent again', async () => {
    const { credential, renewals } = renewable();
    const { transport, url } = await setUp(
      (request, response) => json(response, request.headers.authorization === 'Bearer v2' ? 200 : 401, rows),
      { credential },
    );
    await Promise.all([1, 2, 3, 4].map(() => transport.getBytes(url, asked)));
    expect(renewals()).toBe(1);
  });

  it('is an error when the new one is refused too', async () => {
    const { credential, renewals } = renewable();
    const { transport, server, url } = await setUp((_, response) => json(response, 401, {}), { credential });
    await expect(transport.get(url, asked)).rejects.toMatchObject({ code: 'AUTH_TOKEN', exitCode: 3 });
    expect(renewals()).toBe(1);
    expect(server.seen).toHaveLength(2);
  });

  it('is an error at once when it is a reference token', async () => {
    const { transport, server, url } = await setUp((_, response) =>
      json(response, 401, { message: `bad token ${TOKEN}` }),
    );
    const error = await transport.get(url, asked).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'AUTH_TOKEN', message: expect.stringContaining('bad token [secret]') });
    expect(JSON.stringify(error) + String(error)).not.toContain(TOKEN);
    expect(server.seen).toHaveLength(1);
  });
});

describe('a body', () => {
  const text = JSON.stringify({ value: Array.from({ length: 5000 }, (_, i) => ({ Id: i, Name: 'Иван' })) });

  it.each([
    ['gzip', gzipSync(text)],
    ['br', brotliCompressSync(text)],
  ])('is decompressed from %s, and its bytes counted on the wire', async (encoding, bytes) => {
    const { transport, url } = await setUp((_, response) => {
      response.writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length });
      response.end(bytes);
    });
    const reply = await transport.get(url, asked);
    expect(await textOf(reply)).toBe(text);
    expect(transport.stats().wireBytes).toBe(bytes.length);
  });

  it('is refused in an encoding that was not asked for', async () => {
    const { transport, url } = await setUp((_, response) => json(response, 200, rows, { 'content-encoding': 'zstd' }));
    await expect(transport.get(url, asked)).rejects.toMatchObject({ code: 'INSTANCE_ANSWER' });
  });

  it.each<[string, Handler]>([
    [
      'is shorter than its content-length',
      (_, response) => {
        response.writeHead(200, { 'content-length': text.length * 4 });
        response.write(text, () => response.destroy());
      },
    ],
    [
      'ends without its last chunk',
      (_, response) => {
        response.writeHead(200);
        response.write(text, () => response.destroy());
      },
    ],
    [
      'ends inside its gzip stream although the connection ends well',
      (_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end(gzipSync(text).subarray(0, 2000));
      },
    ],
    [
      'is damaged gzip',
      (_, response) => {
        const bytes = gzipSync(text);
        bytes.fill(0, 1000, 1100);
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end(bytes);
      },
    ],
    [
      'stops in its middle',
      (_, response) => {
        response.writeHead(200);
        response.write(text);
      },
    ],
  ])('that %s is a retryable failure, never a short read', async (_, handler) => {
    const { transport, url } = await setUp(handler, {
      tuning: { idleTimeoutMs: 100, retry: { ...TRANSPORT_DEFAULTS.retry, faultBudgetMs: 0 } },
    });
    const read = transport.get(url, asked).then(textOf);
    await expect(read).rejects.toMatchObject({ code: 'BODY_TRUNCATED', retryable: true });
    // The place is free again.
    expect(transport.stats().maxInFlight).toBe(1);
  });

  it('that grows without measure when decompressed is refused', async () => {
    const bomb = gzipSync(`{"value":[${' '.repeat(40 * 1024 * 1024)}]}`);
    const { transport, url } = await setUp((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(bomb);
    });
    await expect(transport.get(url, asked).then(textOf)).rejects.toMatchObject({ code: 'BODY_INVALID' });
  });

  it('read as bytes is asked for again when it breaks off', async () => {
    const whole = Buffer.from(text);
    const { transport, url } = await setUp((_, response, count) => {
      response.writeHead(200, { 'content-length': whole.length });
      if (count === 0) response.write(whole.subarray(0, 60_000), () => response.destroy());
      else response.end(whole);
    });
    const { bytes } = await transport.getBytes(url, asked);
    expect(Buffer.compare(bytes, whole)).toBe(0);
    expect(transport.stats().requests).toBe(2);
  });

  it('read as bytes is bounded', async () => {
    const { transport, url } = await setUp((_, response) => void response.end(text));
    await expect(transport.getBytes(url, { ...asked, maxBytes: 1000 })).rejects.toMatchObject({ code: 'BODY_INVALID' });
  });

  it('left before its end gives its place back', async () => {
    const { transport, url } = await setUp(
      (_, response) => {
        response.writeHead(200);
        response.write(text.repeat(20));
      },
      { concurrency: 1 },
    );
    for (let i = 0; i < 3; i += 1) {
      const reply = await transport.get(url, asked);
      for await (const chunk of reply.body) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    }
    expect(transport.stats().requests).toBe(3);
  });

  it('ends when the run is aborted', async () => {
    const controller = new AbortController();
    const { transport, url } = await setUp(
      (_, response) => {
        response.writeHead(200);
        response.write(text);
      },
      { signal: controller.signal },
    );
    const reading = transport.get(url, asked).then(textOf);
    setTimeout(() => controller.abort(new Error('stopped by the user')), 30);
    await expect(reading).rejects.toThrow('stopped by the user');
  });
});
