/** The server's process: starts what the first message orders, answers questions, ends when its parent goes. */
import { type DemoOptions, startDemo } from '../../src/demo/instance.ts';
import { type PageServerOptions, startPageServer } from './page-server.ts';
import type { Order, ServerReply, ServerStats } from './snapshot-server.ts';

/** How often the time that slots were held is noted, ms. */
const SAMPLE_MS = 20;

interface Running {
  readonly url: string;
  readonly token: string;
  stats(): Omit<ServerStats, 'cpuSeconds'>;
}

async function start(order: Order): Promise<Running> {
  return order.kind === 'pages' ? startPages(order.options) : startInstance(order.options);
}

async function startPages(options: PageServerOptions): Promise<Running> {
  const server = await startPageServer(options);
  const stats = () => ({ requests: server.requests(), tooManyRequests: 0, tableRequests: [], busy: [] });
  return { url: server.url, token: `enrt_bench-${process.pid}`, stats };
}

async function startInstance(options: DemoOptions): Promise<Running> {
  const demo = await startDemo(options);
  // Not the built-in token: that is the same for every demo instance, and only one process of a host may use it.
  const token = demo.issueReferenceToken({ kind: 'SAT', application: 'my.app/backup', by: 'administrator' });
  const busy: [number, number][] = [];
  setInterval(() => {
    const { slots } = demo.witness();
    busy.push([Date.now(), slots.reduce((sum, slot) => sum + slot.busyMs, 0)]);
  }, SAMPLE_MS);
  return {
    url: demo.url,
    token: token.token,
    stats() {
      const { byRoute, tooManyRequests, log } = demo.witness();
      const tableApi = Object.entries(byRoute).filter(([route]) => route.includes('/tableapi/odata/'));
      return {
        requests: tableApi.reduce((sum, [, count]) => sum + count, 0),
        tooManyRequests,
        tableRequests: log
          .filter(({ url }) => /^\/tableapi\/odata\/[A-Z]/.test(url) && !url.includes('Dmv_Table_Info'))
          .map(({ url, atMs, ms, status }) => ({ url, atMs, ms, status })),
        busy,
      };
    },
  };
}

const send = (reply: ServerReply) => process.send?.(reply);
let running: Running | undefined;

process.on('disconnect', () => process.exit(0));
process.on('message', async (message: Order | { readonly kind: 'stats' }) => {
  if (message.kind !== 'stats') {
    running = await start(message);
    send({ url: running.url, token: running.token });
  } else if (running !== undefined) {
    const { user, system } = process.cpuUsage();
    send({ ...running.stats(), cpuSeconds: (user + system) / 1e6 });
  }
});
