/**
 * When the instance is the limit: how much of the time its slots are busy with our requests; and what share of requests it refuses while
 * other clients hold its slots and most of its queue half of the time. Both by the word of the demo instance, in a process of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ORDER_LINES } from './lib/page-server.ts';
import { program } from './lib/program.ts';
import type { BusyFigures, InstanceBoundResult, RefusalFigures, SnapshotFigures } from './lib/results.ts';
import { takeSnapshot } from './lib/snapshot.ts';
import { type ServerStats, startServer } from './lib/snapshot-server.ts';
import { interpolate } from './lib/stats.ts';

const SLOTS = 2;
const LATENCY_MS = 40;
const BYTES_PER_SECOND = 20e6;
/** Other clients come and go at these paces, ms. */
const HALF_PERIODS_MS = [500, 2000, 10_000];

await program('instance-bound', async ({ smoke, say }): Promise<InstanceBoundResult> => {
  const { first, next } = await busySlots(smoke ? 50_000 : 320_000);
  say(`slots busy: ${percent(first.busyShare)}, next ${percent(next.busyShare)}`);
  const refusals: RefusalFigures[] = [];
  for (const halfPeriodMs of smoke ? [250] : HALF_PERIODS_MS) {
    const figures = await refusalsBy(halfPeriodMs, smoke);
    refusals.push(figures);
    say(`others ${halfPeriodMs} ms on and off: ${figures.refused} of ${figures.requests} requests refused`);
  }
  return { slots: SLOTS, latencyMs: LATENCY_MS, bytesPerSecondOfSlot: BYTES_PER_SECOND, first, next, refusals };
});

/** Two snapshots of one table into one vault, without compression, so that the rate of a slot is that of JSON. */
async function busySlots(rows: number): Promise<{ readonly first: BusyFigures; readonly next: BusyFigures }> {
  const server = await startServer({
    kind: 'instance',
    options: {
      tables: [ORDER_LINES, 'Dmv_Table_Info'],
      tableRows: { [ORDER_LINES]: rows },
      template: true,
      personality: { compression: [] },
      limits: { slots: SLOTS, latencyMs: LATENCY_MS, bytesPerSecond: BYTES_PER_SECOND },
    },
  });
  const vault = await mkdtemp(join(tmpdir(), 'tablevault-bench-'));
  try {
    const taken: BusyFigures[] = [];
    for (let seen = 0; taken.length < 2; ) {
      const figures = await takeSnapshot({ server, tables: [ORDER_LINES], profile: 'portable', vault, rows });
      const stats = await server.stats();
      taken.push(busyFigures(figures, { ...stats, tableRequests: stats.tableRequests.slice(seen) }));
      seen = stats.tableRequests.length;
    }
    return { first: taken[0]!, next: taken[1]! };
  } finally {
    await server.close();
    await rm(vault, { recursive: true, force: true });
  }
}

function busyFigures(figures: SnapshotFigures, { tableRequests, busy }: ServerStats): BusyFigures {
  const end = Math.max(...tableRequests.map(({ atMs, ms }) => atMs + Math.max(0, ms)));
  const window = (requests: ServerStats['tableRequests']) => {
    const from = Math.min(...requests.map(({ atMs }) => atMs));
    return { ms: end - from, share: (interpolate(busy, end) - interpolate(busy, from)) / ((end - from) * SLOTS) };
  };
  const all = window(tableRequests);
  const rows = window(tableRequests.filter(({ url }) => isForRows(url)));
  return {
    ...figures,
    windowMs: all.ms,
    busyShare: all.share,
    rowsWindowMs: rows.ms,
    rowsBusyShare: rows.share,
  };
}

/** The read of keys selects one column, probes ask for a few rows. */
function isForRows(url: string): boolean {
  const query = new URLSearchParams(url.split('?')[1]);
  return (query.get('$select') ?? '').includes(',') && !query.has('$top');
}

/** Snapshots of all tables, one after the other, for 25 seconds at least. */
async function refusalsBy(halfPeriodMs: number, smoke: boolean): Promise<RefusalFigures> {
  const leastMs = smoke ? 1 : 25_000;
  const others = { slots: SLOTS, queue: 4, onMs: halfPeriodMs, offMs: halfPeriodMs };
  const server = await startServer({
    kind: 'instance',
    options: { rows: smoke ? 0.01 : 1, limits: { latencyMs: LATENCY_MS, others } },
  });
  const from = performance.now();
  try {
    let snapshots = 0;
    for (; snapshots === 0 || performance.now() - from < leastMs; snapshots++) {
      await takeSnapshot({ server, tables: ['*'], profile: 'portable' });
    }
    const { requests, tooManyRequests } = await server.stats();
    return {
      halfPeriodMs,
      snapshots,
      requests,
      refused: tooManyRequests,
      share: tooManyRequests / requests,
      seconds: (performance.now() - from) / 1000,
    };
  } finally {
    await server.close();
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
