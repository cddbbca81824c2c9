/** Starts a server in a process of its own, so that its work does not count as the product's. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DemoOptions } from '../../src/demo/options.ts';
import type { PageServerOptions } from './page-server.ts';

export type Order =
  | { readonly kind: 'pages'; readonly options: PageServerOptions }
  | { readonly kind: 'instance'; readonly options: DemoOptions };

export interface ServerStats {
  /** To the Table API. */
  readonly requests: number;
  readonly tooManyRequests: number;
  /** Requests of tables other than the system's own, with the time they came and how long they took. */
  readonly tableRequests: readonly {
    readonly url: string;
    readonly atMs: number;
    readonly ms: number;
    readonly status: number;
  }[];
  /** Time and total of milliseconds that slots were held until then. */
  readonly busy: readonly (readonly [number, number])[];
  readonly cpuSeconds: number;
}

export type ServerReply = { readonly url: string; readonly token: string } | ServerStats;

export interface SnapshotServer {
  readonly url: string;
  readonly token: string;
  stats(): Promise<ServerStats>;
  close(): Promise<void>;
}

export async function startServer(order: Order): Promise<SnapshotServer> {
  const child = fork(fileURLToPath(new URL('./server-main.js', import.meta.url)), { serialization: 'advanced' });
  const ended = once(child, 'exit');
  const fault = ended.then(([code]) => {
    throw new Error(`the server of the benchmark ended by itself (${code})`);
  });
  fault.catch(() => undefined);
  const ask = async (message: Order | { readonly kind: 'stats' }): Promise<ServerReply> => {
    const reply = once(child, 'message').then(([value]) => value as ServerReply);
    child.send(message);
    return Promise.race([reply, fault]);
  };
  const { url, token } = (await ask(order)) as { readonly url: string; readonly token: string };
  return {
    url,
    token,
    stats: async () => (await ask({ kind: 'stats' })) as ServerStats,
    async close() {
      child.disconnect();
      await ended;
    },
  };
}
