/** Networks as they are: a certificate authority of one's own, TLS in front of a plain server, a proxy that opens tunnels. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttp, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificates {
  /** PEM file of the authority, for NODE_EXTRA_CA_CERTS. */
  readonly authority: string;
  readonly key: string;
  readonly certificate: string;
}

/** An authority made now, and a certificate by it for these names (DNS:… or IP:…). */
export async function makeCertificates(folder: string, names: readonly string[], days = 30): Promise<Certificates> {
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '30',
    '-subj',
    '/O=Test/CN=Test Authority',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
  );
  await openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=test');
  await writeFile(path('server.ext'), `subjectAltName=${names.join(',')}\n`);
  await openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'server.pem',
    '-days',
    String(days),
    '-extfile',
    'server.ext',
  );
  const text = (name: string) => readFile(path(name), 'utf8');
  return { authority: path('ca.pem'), key: await text('server.key'), certificate: await text('server.pem') };
}

export interface Listening {
  readonly port: number;
  /** Request lines, or hosts of tunnels. */
  readonly seen: readonly string[];
  close(): Promise<void>;
}

/**
 * A server in front of another that is plain HTTP on loopback; `Host` is kept. Auto-discovery is not passed on: it names the address behind.
 * @param host where to listen, e.g. `::1`
 */
export function startFront(target: string, host: string, certificates?: Certificates): Promise<Listening> {
  const seen: string[] = [];
  const behind = new URL(target);
  const answer = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    if (/auto-discovery/.test(incoming.url ?? '')) {
      outgoing.writeHead(404).end();
      return;
    }
    const { method, url: path, headers } = incoming;
    const onward = request({ host: behind.hostname, port: behind.port, method, path, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(outgoing);
    });
    onward.once('error', () => outgoing.destroy());
    incoming.pipe(onward);
  };
  const server =
    certificates === undefined
      ? createHttp(answer)
      : createHttps({ key: certificates.key, cert: certificates.certificate }, answer);
  return listen(server, host, seen);
}

/** A proxy for CONNECT alone: whatever host is asked for, the tunnel leads to a port of this machine. */
export function startTunnels(portOf: (host: string) => number | undefined, user?: string): Promise<Listening> {
  const seen: string[] = [];
  const server = createHttp((_, response) => response.writeHead(405).end());
  server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    const host = (incoming.url ?? '').split(':')[0] ?? '';
    seen.push(host);
    const wanted = user === undefined ? undefined : `Basic ${Buffer.from(user).toString('base64')}`;
    if (wanted !== undefined && incoming.headers['proxy-authorization'] !== wanted) {
      socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\ncontent-length: 0\r\n\r\n',
      );
      return;
    }
    const port = portOf(host);
    if (port === undefined) {
      socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  return listen(server, '127.0.0.1', seen);
}

/** Takes connections and never says a word. */
export function startSilence(): Promise<Listening> {
  const server = createHttp();
  server.removeAllListeners('connection');
  return listen(server, '127.0.0.1', []);
}

async function listen(
  server: Server & { closeAllConnections?: () => void },
  host: string,
  seen: readonly string[],
): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(0, host, listening));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
