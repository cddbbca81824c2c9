import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createTransport } from '../../../src/instance/transport.ts';
import { createEagerClock } from './support/fake-clock.ts';
import { json, startServer } from './support/server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A proxy that refuses every tunnel with `status`, and remembers what was asked of it. */
async function startProxy(status: number) {
  const asked: string[] = [];
  const proxy: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(502).end();
  });
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\n\r\n`);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  closers.push(
    () => proxy.closeAllConnections(),
    () => proxy.close(),
  );
  return { asked, url: `http://user:word@127.0.0.1:${(proxy.address() as AddressInfo).port}` };
}

function transportTo(origin: string, env: Readonly<Record<string, string>>) {
  const transport = createTransport(
    {
      origins: new Set([origin]),
      limits: { concurrency: 1, deadlineMs: 1e6 },
      tuning: { env, connectTimeoutMs: 2000 },
    },
    { clock: createEagerClock(), emit: () => undefined, signal: new AbortController().signal, random: () => 0.5 },
  );
  closers.push(() => transport.close());
  return transport;
}

const anonymous = { purpose: 'a page', credentials: false };

describe('a proxy', () => {
  it('is used for https, and its refusal explained without its password', async () => {
    const proxy = await startProxy(407);
    const transport = transportTo('https://tablevault.invalid', { HTTPS_PROXY: proxy.url });
    const error = await transport.get('https://tablevault.invalid/x', anonymous).catch((thrown: unknown) => thrown);
    expect(proxy.asked[0]).toBe('CONNECT tablevault.invalid:443');
    expect(error).toMatchObject({ code: 'INSTANCE_UNREACHABLE', hint: expect.stringContaining('requires a user') });
    expect(String(error) + JSON.stringify(error)).not.toContain('user:word');
  });

  it('is not used for hosts of NO_PROXY', async () => {
    const proxy = await startProxy(502);
    const transport = transportTo('https://tablevault.invalid', {
      https_proxy: proxy.url,
      no_proxy: 'tablevault.invalid',
    });
    await expect(transport.get('https://tablevault.invalid/x', anonymous)).rejects.toMatchObject({
      code: 'INSTANCE_UNREACHABLE',
    });
    expect(proxy.asked).toEqual([]);
  });

  it('is never used for this machine', async () => {
    const proxy = await startProxy(502);
    const server = await startServer((_, response) => json(response, 200, { value: [] }));
    closers.push(() => server.close());
    const transport = transportTo(server.origin, { HTTPS_PROXY: proxy.url });
    await expect(transport.getBytes(`${server.origin}/x`, anonymous)).resolves.toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([]);
  });
});
