/**
 * Whole snapshots over HTTP, by the executable in its own process, from a server that costs next to nothing in another. Both share the
 * machine's cores: the server's share of the processor is told.
 */
import { ORDER_LINES } from './lib/page-server.ts';
import { program } from './lib/program.ts';
import type { HttpProfile, HttpResult, Profile, SnapshotFigures } from './lib/results.ts';
import { takeSnapshot } from './lib/snapshot.ts';
import { startServer } from './lib/snapshot-server.ts';
import { spread } from './lib/stats.ts';

await program('http', async ({ smoke, say }): Promise<HttpResult> => {
  const rows = smoke ? 20_000 : 220_000;
  const rounds = smoke ? 1 : 3;
  const server = await startServer({ kind: 'pages', options: { rows, blocks: smoke ? 10 : 110, tellsRows: true } });
  try {
    const taken: Record<Profile, SnapshotFigures[]> = { portable: [], native: [] };
    const serverSeconds: Record<Profile, number> = { portable: 0, native: 0 };
    for (let round = 0; round < rounds; round++) {
      for (const profile of ['portable', 'native'] as const) {
        const before = (await server.stats()).cpuSeconds;
        const figures = await takeSnapshot({ server, tables: [ORDER_LINES], profile, rows });
        serverSeconds[profile] += (await server.stats()).cpuSeconds - before;
        taken[profile].push(figures);
        say(`${profile}: ${Math.round((figures.rows / figures.durationMs) * 1000)} rows/s`);
      }
    }
    const profileOf = (profile: Profile): HttpProfile => {
      const snapshots = taken[profile];
      return {
        rowsPerSecond: spread(snapshots.map((each) => (each.rows / each.durationMs) * 1000)),
        megabytesPerSecond: spread(snapshots.map((each) => each.bytesReceived / each.durationMs / 1000)),
        serverShare: serverSeconds[profile] / snapshots.reduce((sum, each) => sum + each.cpuSeconds, 0),
        snapshots,
      };
    };
    const bytes = taken.portable[0]?.bytesReceived ?? 0;
    return { rows, bytes, profiles: { portable: profileOf('portable'), native: profileOf('native') } };
  } finally {
    await server.close();
  }
});
