/**
 * Growth: snapshots of one table of 0.1 to 5 million rows, each by a new process into a new vault; and one response of 2 GB. Time per row
 * is without start-up, which is what a snapshot of a thousand rows takes.
 */
import { ORDER_LINES } from './lib/page-server.ts';
import { program } from './lib/program.ts';
import type { GrowthResult, GrowthStep, SnapshotFigures } from './lib/results.ts';
import { takeSnapshot } from './lib/snapshot.ts';
import { startServer } from './lib/snapshot-server.ts';

const BASE_ROWS = 1000;
const BLOCKS = 50;

await program('growth', async ({ smoke, say }): Promise<GrowthResult> => {
  const take = (rows: number) => snapshotOf(rows, true, smoke);
  const compared = smoke ? 20_000 : 500_000;
  const greatest = smoke ? 50_000 : 5_000_000;
  const order = smoke
    ? [BASE_ROWS, compared, greatest]
    : [BASE_ROWS, 100_000, compared, BASE_ROWS, 1_000_000, compared, greatest, compared, BASE_ROWS, 100_000];
  const taken = new Map<number, SnapshotFigures[]>();
  for (const rows of order) {
    const figures = await take(rows);
    taken.set(rows, [...(taken.get(rows) ?? []), figures]);
    say(`${rows} rows: ${figures.durationMs} ms, ${Math.round(figures.peakRssBytes / 2 ** 20)} MB`);
  }
  const base = median(taken.get(BASE_ROWS)!);
  const sizes = [...taken.keys()]
    .filter((rows) => rows !== BASE_ROWS)
    .sort((a, b) => a - b)
    .map((rows): GrowthStep => {
      const all = taken.get(rows)!;
      const figures = median(all);
      const microsecondsPerRow = ((figures.durationMs - base.durationMs) * 1000) / (rows - BASE_ROWS);
      return { ...figures, taken: all.length, microsecondsPerRow };
    });
  const perRow = (rows: number) => sizes.find((step) => step.rows === rows)!.microsecondsPerRow;
  const singleResponse = await snapshotOf(smoke ? 10_000 : 1_100_000, false, smoke);
  say(
    `one response of ${Math.round(singleResponse.bytesReceived / 1e6)} MB: ${Math.round(singleResponse.peakRssBytes / 2 ** 20)} MB`,
  );
  return { base, sizes, ratio: perRow(greatest) / perRow(compared), ratioOf: [greatest, compared], singleResponse };
});

/** A server that tells no row count gets the table read in one response. */
async function snapshotOf(rows: number, tellsRows: boolean, smoke: boolean): Promise<SnapshotFigures> {
  const server = await startServer({ kind: 'pages', options: { rows, blocks: smoke ? 5 : BLOCKS, tellsRows } });
  try {
    return await takeSnapshot({ server, tables: [ORDER_LINES], profile: 'portable', rows });
  } finally {
    await server.close();
  }
}

/** Of the snapshots of one size, the one with the median duration, with the greatest memory of all. */
function median(all: readonly SnapshotFigures[]): SnapshotFigures {
  const middle = all.toSorted((a, b) => a.durationMs - b.durationMs)[Math.floor((all.length - 1) / 2)]!;
  return { ...middle, peakRssBytes: Math.max(...all.map((each) => each.peakRssBytes)) };
}
