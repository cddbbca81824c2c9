/**
 * A proxy before an S3 server that forwards signed requests byte by byte, `Host` included, and loses, delays or forges answers. Clients that
 * sign for the proxy's address are understood by the server, since nothing of the request changes.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Random } from './random.ts';

export type ProxyFault =
  /** The request never arrives; the connection is reset. */
  | 'reset'
  /** The request is carried out; the answer is lost. */
  | 'lost-answer'
  /** Not carried out, or carried out, and answered so. */
  | { readonly status: number; readonly code: string; readonly after: boolean }
  /** Carried out, and answered by 200 with an error in the body. */
  | 'error-in-200';

export interface S3Proxy {
  readonly url: string;
  /** Decides for each request; undefined forwards it and its answer. */
  choose: (method: string, path: string) => ProxyFault | undefined;
  close(): Promise<void>;
}

export async function startS3Proxy(upstream: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(upstream);
  const proxy = { choose: (): ProxyFault | undefined => undefined } as unknown as S3Proxy & { url: string };
  const forward = (from: IncomingMessage, body: Buffer) =>
    new Promise<{ status: number; headers: string[]; body: Buffer }>((resolve, reject) => {
      const { method, url, rawHeaders } = from;
      const to = request(
        { hostname, port, method, path: url, headers: rawHeaders as never, setHost: false },
        (reply) => {
          collect(reply).then(
            (text) => resolve({ status: reply.statusCode ?? 502, headers: reply.rawHeaders, body: text }),
            reject,
          );
        },
      );
      to.on('error', reject);
      to.end(body);
    });
  const answer = async (from: IncomingMessage, to: ServerResponse) => {
    const body = await collect(from);
    const fault = proxy.choose(from.method ?? '', from.url ?? '');
    if (fault === 'reset') return to.destroy();
    if (typeof fault === 'object' && !fault.after) return say(to, fault.status, fault.code);
    const reply = await forward(from, body);
    if (fault === 'lost-answer') return to.destroy();
    if (fault === 'error-in-200') return say(to, 200, 'InternalError');
    if (fault !== undefined) return say(to, fault.status, fault.code);
    to.writeHead(reply.status, reply.headers);
    to.end(reply.body);
  };
  const server = createServer((from, to) => {
    answer(from, to).catch(() => to.destroy());
  });
  // `Expect: 100-continue` is answered by node itself.
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  });
}

const S3_FAULTS: readonly ProxyFault[] = [
  'reset',
  'lost-answer',
  'lost-answer',
  'error-in-200',
  { status: 500, code: 'InternalError', after: true },
  { status: 500, code: 'InternalError', after: false },
  { status: 503, code: 'SlowDown', after: false },
  { status: 503, code: 'SlowDown', after: true },
  { status: 412, code: 'PreconditionFailed', after: true },
  { status: 409, code: 'ConditionalRequestConflict', after: false },
  { status: 403, code: 'AccessDenied', after: true },
  { status: 200, code: '', after: false },
];

/** Faults of puts mostly, of reads sometimes. */
export function randomFaults(rng: Random): S3Proxy['choose'] {
  return (method) => {
    if (method === 'PUT') return rng.chance(0.4) ? rng.pick(S3_FAULTS) : undefined;
    return rng.chance(0.12)
      ? rng.pick<ProxyFault>(['reset', { status: 503, code: 'SlowDown', after: false }])
      : undefined;
  };
}

function say(to: ServerResponse, status: number, code: string): void {
  const text = code === '' ? '' : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>forged</Message></Error>`;
  to.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(text) });
  to.end(text);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
