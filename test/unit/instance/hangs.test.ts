/** Nothing that an instance does keeps a run for ever: each way to hang ends with a message. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Auth } from '../../../src/core/pipeline.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createReferenceCredential } from '../../../src/instance/credential.ts';
import { openInstance } from '../../../src/instance/open.ts';
import { createTransport } from '../../../src/instance/transport.ts';
import { TRANSPORT_DEFAULTS, type TransportTuning } from '../../../src/instance/transport-options.ts';
import { createEagerClock } from './support/fake-clock.ts';
import { type Behaviour, CLIENT, startMiniInstance } from './support/mini-instance.ts';
import { type Handler, startServer } from './support/server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0).reverse()) await close();
});

const service: Auth = { kind: 'service', clientId: CLIENT.id, clientSecret: new Secret(CLIENT.secret) };
const reference = { kind: 'reference-token', token: new Secret('enrt_example'), header: 'x-api-key' } as const;
const limits = { concurrency: 4, pageRows: 1000, memoryMb: 512, resumeWithinMs: 1e7, deadlineMs: 1e9 };
const SHORT: Partial<TransportTuning> = {
  firstByteTimeoutMs: 150,
  idleTimeoutMs: 150,
  retry: { ...TRANSPORT_DEFAULTS.retry, faultBudgetMs: 2000 },
  env: {},
};

/** A byte every few milliseconds, for ever: never idle, never complete. */
function trickle(response: ServerResponse, status: number, head: string, byte = ' '): true {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.write(head);
  const drip = setInterval(() => response.write(byte), 10);
  response.on('close', () => clearInterval(drip));
  return true;
}

async function open(behaviour: Behaviour, auth: Auth = reference, tuning: Partial<TransportTuning> = SHORT) {
  const server = await startMiniInstance(behaviour);
  closers.push(() => server.close());
  const lockFolder = mkdtempSync(join(tmpdir(), 'tablevault-test-'));
  closers.push(() => rmSync(lockFolder, { recursive: true }));
  const { signal } = new AbortController();
  const deps = { clock: createEagerClock(), emit: () => undefined, signal, random: () => 0.5, tuning, lockFolder };
  const instance = await openInstance({ instance: server.origin, auth, endpoints: {}, limits }, deps);
  closers.push(() => instance.close());
  return instance;
}

async function transportTo(handler: Handler) {
  const server = await startServer(handler);
  closers.push(() => server.close());
  const credential = createReferenceCredential(reference);
  const { signal } = new AbortController();
  const transport = createTransport(
    { origins: new Set([server.origin]), credential, limits: { concurrency: 2, deadlineMs: 1e9 }, tuning: SHORT },
    { clock: createEagerClock(), emit: () => undefined, signal, random: () => 0.5 },
  );
  closers.push(() => transport.close());
  return { transport, url: `${server.origin}/x` };
}

describe('an answer that does not come to its end', () => {
  it.each(['$metadata', 'odata/'])('of %s is given up after its time', async (document) => {
    const head = document === '$metadata' ? '<edmx:Edmx Version="4.0">'.padEnd(200) : '{"value":['.padEnd(200);
    const api: Behaviour['api'] = ({ url }, response) => url.endsWith(document) && trickle(response, 200, head);
    // The time for a whole document is long; it passes at once here.
    const real = globalThis.setTimeout;
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms?: number) =>
      real(run, ms === 120_000 ? 300 : ms)) as typeof setTimeout);
    closers.push(() => vi.restoreAllMocks());
    if (document === '$metadata') {
      await expect(open({ api })).rejects.toMatchObject({
        code: 'INSTANCE_ANSWER',
        exitCode: 4,
        message: expect.stringMatching(/\$metadata is not complete after 120 s \([\d,]+ bytes? came\)/),
        hint: expect.stringContaining('run again'),
      });
    } else {
      // The service document only warns.
      const { model } = await open({ api });
      expect(model.warnings).toEqual([expect.stringContaining('is not complete after 120 s')]);
    }
  });

  it('of a document is not asked for again', async () => {
    let asked = 0;
    const { transport, url } = await transportTo((_, response) => {
      asked += 1;
      trickle(response, 200, 'x'.repeat(100));
    });
    const request = { purpose: 'a document', patience: { bodyTimeoutMs: 100 } };
    await expect(transport.getBytes(url, request)).rejects.toMatchObject({ code: 'INSTANCE_ANSWER' });
    expect(asked).toBe(1);
  });

  it.each([404, 500])('of an error (%i) is judged by what came of it', async (status) => {
    const { transport, url } = await transportTo((_, response) => void trickle(response, status, '{"message":"no'));
    await expect(transport.get(url, { purpose: 'a page' })).rejects.toMatchObject({ code: 'REQUEST_REFUSED' });
  });

  it('within its first bytes ends as a fault of the instance', async () => {
    const { transport, url } = await transportTo((_, response) => void trickle(response, 200, ''));
    await expect(transport.get(url, { purpose: 'a page' })).rejects.toMatchObject({
      code: 'INSTANCE_UNREACHABLE',
      message: expect.stringContaining('first bytes'),
    });
  });

  it('of the authority ends the run', async () => {
    const token: Behaviour['token'] = (_, response) => trickle(response, 200, '{');
    await expect(open({ token }, service)).rejects.toMatchObject({ exitCode: 4 });
  });
});

describe('a head that never comes', () => {
  it.each(['/tools/auto-discovery', '/tools/ver', '/tableapi/odata/$metadata', '/tableapi/odata/'])(
    'of %s ends the run',
    async (path) => {
      const hangs = ({ url }: { readonly url: string }) => url === path;
      const behaviour: Behaviour = {
        discoveryPath: path.endsWith('discovery') ? null : '/tools/auto-discovery',
        api: hangs,
      };
      await expect(open(behaviour)).rejects.toMatchObject({ code: 'INSTANCE_UNREACHABLE', exitCode: 4 });
    },
  );

  it('that trickles in ends the run too', async () => {
    const server = createServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const drip = setInterval(() => socket.write('x: y\r\n'), 10);
      socket.on('close', () => clearInterval(drip));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const { port } = server.address() as { port: number };
    const origin = `http://127.0.0.1:${port}`;
    const { signal } = new AbortController();
    const transport = createTransport(
      { origins: new Set([origin]), limits: { concurrency: 2, deadlineMs: 1e9 }, tuning: SHORT },
      { clock: createEagerClock(), emit: () => undefined, signal, random: () => 0.5 },
    );
    closers.push(() => transport.close());
    const asked = transport.get(`${origin}/x`, { purpose: 'a page', credentials: false });
    await expect(asked).rejects.toMatchObject({ exitCode: 4 });
  });
});

describe('redirects', () => {
  it.each([301, 302, 307, 308])('of %i without end are not followed', async (status) => {
    let asked = 0;
    const { transport, url } = await transportTo((_, response) => {
      asked += 1;
      response.writeHead(status, { location: `/x?${asked}` }).end();
    });
    await expect(transport.get(url, { purpose: '$metadata' })).rejects.toMatchObject({
      message: expect.stringContaining('not followed'),
    });
    expect(asked).toBe(1);
  });
});
