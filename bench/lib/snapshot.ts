/** One snapshot by the executable, as an operator's scheduler runs it, with what it cost. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { SnapshotReport } from '../../src/run/snapshot/report.ts';
import { assertSame } from './program.ts';
import type { Profile, SnapshotFigures } from './results.ts';
import type { SnapshotServer } from './snapshot-server.ts';

/** The copy that `make bench` puts beside the compiled benchmarks, in `.cache/bench`. */
export const LAUNCHER = fileURLToPath(new URL('../../bin/tablevault.cjs', import.meta.url));
const USAGE = new URL('./usage-report.js', import.meta.url).href;

export interface SnapshotOrder {
  readonly server: SnapshotServer;
  /** Globs. */
  readonly tables: readonly string[];
  readonly profile: Profile;
  /** Folder of the vault; without, one that is removed afterwards. */
  readonly vault?: string;
  /** Rows that must have come, where they are known. */
  readonly rows?: number;
}

/** @throws when the snapshot fails, or holds other than the rows that were ordered */
export async function takeSnapshot(order: SnapshotOrder): Promise<SnapshotFigures> {
  const { server, tables, profile } = order;
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-bench-'));
  try {
    const file = join(folder, 'bench.yaml');
    const pipeline = {
      version: 1,
      instance: server.url,
      auth: { kind: 'reference-token', token: `\${env:TABLEVAULT_BENCH_TOKEN}` },
      tables: { include: tables },
      destination: order.vault ?? join(folder, 'vault'),
      parquet: { types: profile },
    };
    // JSON is YAML.
    await writeFile(file, JSON.stringify(pipeline));
    const { PATH, HOME, TMPDIR } = process.env;
    const env = { PATH, HOME, TMPDIR, UV_THREADPOOL_SIZE: '16', TABLEVAULT_PROGRESS: 'off' };
    const child = spawn(process.execPath, ['--import', USAGE, LAUNCHER, 'snapshot', file, '--json'], {
      env: { ...env, TABLEVAULT_BENCH_TOKEN: server.token },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const [stdout, stderr, usage] = await Promise.all([
      textOf(child.stdout!),
      textOf(child.stderr!),
      textOf(child.stdio[3] as Readable),
      child.exitCode === null ? once(child, 'exit') : null,
    ]);
    if (child.exitCode !== 0) throw new Error(`the snapshot ended with code ${child.exitCode}: ${stderr.slice(-2000)}`);
    const report = JSON.parse(stdout) as SnapshotReport;
    const rows = report.tables.reduce((sum, table) => sum + table.rows, 0);
    if (order.rows !== undefined) assertSame('rows of the snapshot', rows, order.rows);
    const { requests, durationMs, bytesReceived } = report;
    return { rows, requests, durationMs, bytesReceived, ...(JSON.parse(usage) as Usage) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Usage = Pick<SnapshotFigures, 'peakRssBytes' | 'cpuSeconds'>;

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
