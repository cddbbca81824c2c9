/**
 * vitest `setupFiles`: notes every request that a server of this test process is sent by the product, in process or from a command line,
 * for the check at the end of the whole run (`witness-global.ts`).
 */
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, inject } from 'vitest';

/** Requests of the tests themselves (Node's own `fetch`) and of the S3 client, which has its own rules. */
const OTHERS = /^(node$|undici$|aws-sdk)/;

/** One for the process: it may run several test files, each of which loads this module anew. */
const shared = globalThis as { tablevaultWitness?: Map<string, number> };

if (shared.tablevaultWitness === undefined) {
  const counts = new Map<string, number>();
  shared.tablevaultWitness = counts;
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { readonly request: IncomingMessage };
    const agent = request.headers['user-agent'] ?? '';
    const { method = '', url = '' } = request;
    const ours = agent.startsWith('tablevault/');
    // Of those whose sender is not known, a mere GET can do no harm.
    if (!ours && (OTHERS.test(agent) || method === 'GET' || method === 'HEAD')) return;
    const path = url.split('?')[0]!;
    const what = method === 'GET' ? 'GET' : `${method} ${path.endsWith('/connect/token') ? '…/connect/token' : path}`;
    const key = ours ? what : `${what} by ${agent === '' ? 'nobody' : agent}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
}

afterAll(() => {
  const counts = shared.tablevaultWitness!;
  if (counts.size === 0) return;
  appendFileSync(join(inject('witness'), `${process.pid}.jsonl`), `${JSON.stringify([...counts])}\n`);
  counts.clear();
});
