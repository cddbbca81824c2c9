/**
 * A snapshot run made of the vault's own steps, in the order of `run/snapshot.ts`, on any store and without an instance: tasks are given as
 * rows that are "read" when their part is made.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../src/core/clock.ts';
import { sha256Hex } from '../../../src/core/digest.ts';
import type { Store } from '../../../src/storage/store.ts';
import { entryOfManifest } from '../../../src/vault/chain/entry.ts';
import type { PartEntry, TableEntry } from '../../../src/vault/chain/manifest.ts';
import { seriesName } from '../../../src/vault/chain/series.ts';
import { indexCommitted } from '../../../src/vault/chain/write-index.ts';
import { type Checkpoint, readCheckpoints, writeCheckpoint } from '../../../src/vault/commit/checkpoints.ts';
import { type Committed, commitSnapshot } from '../../../src/vault/commit/commit.ts';
import { finishCommits } from '../../../src/vault/commit/recover.ts';
import { declareReference } from '../../../src/vault/commit/refs.ts';
import { findResumable, newestOfSeries } from '../../../src/vault/commit/resume.ts';
import { beginRun, planHashOf } from '../../../src/vault/commit/run.ts';
import { newRunId } from '../../../src/vault/layout.ts';
import { acquireLease } from '../../../src/vault/lease/lease.ts';
import { openVault } from '../../../src/vault/open.ts';
import { putPart } from '../../../src/vault/parts.ts';
import { readNewestComplete } from '../../../src/vault/snapshots.ts';
import { draft, partEntry, SERIES, tableEntry } from '../../unit/vault/support.ts';
import type { Random } from './random.ts';

export interface MiniTask {
  readonly table: string;
  readonly task: string;
  readonly content: Uint8Array;
}

export interface MiniRun {
  readonly pipeline: string;
  readonly tasks: readonly MiniTask[];
  /** Tables whose parts are taken over from the last complete snapshot of the vault, where it has them. */
  readonly reuse?: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  /** A folder on the disk for finished parts. */
  readonly scratch: string;
  /** Called when a task is read. */
  readonly onRead?: (run: string, task: MiniTask) => void;
  readonly fresh?: boolean;
  /** Of some tables, as by `--tables`: never the newest complete snapshot. */
  readonly narrowed?: boolean;
  readonly persistence?: { readonly attempts: number; readonly firstPauseMs: number; readonly lastPauseMs: number };
}

export const QUICK = { attempts: 4, firstPauseMs: 1, lastPauseMs: 1 };

/** A clock whose short pauses end at once and whose long ones (the renewal of a lease) never do. */
export function quickClock(now: () => number): Clock {
  return {
    now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        if (ms < 5_000) setImmediate(resolve);
        else signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
  };
}

export async function miniRun(store: Store, options: MiniRun): Promise<Committed> {
  const { pipeline, tasks, clock, random } = options;
  const vault = await openVault(store, { write: true, tool: 'torture', clock });
  const series = { pipeline, database: SERIES.database };
  const lease = await acquireLease(store, seriesName(series), { clock, isGone: () => true });
  try {
    const deps = { clock, persistence: options.persistence ?? QUICK };
    const before = await finishCommits(vault, deps);
    const base = await readNewestComplete(vault, before.catalog, series);
    const newest = newestOfSeries(before.catalog, series);
    const narrowed = options.narrowed === true ? tasks.map(({ table }) => table) : null;
    const planHash = planHashOf({ pipeline, narrowed, tables: tasks.map(({ table }) => table) });
    const unfinished = options.fresh
      ? undefined
      : await findResumable(vault, { planHash, ...series, newest, withinMs: 6 * 3_600_000, nowMs: clock.now() });
    const run = unfinished?.run ?? newRunId(clock.now(), () => random.next().toString(16).slice(2, 10).padEnd(8, '0'));
    const { checkpoints, nextNumber } =
      unfinished === undefined
        ? { checkpoints: [], nextNumber: new Map<string, number>() }
        : await readCheckpoints(vault, run);
    if (unfinished === undefined)
      await beginRun(vault, { run, ...series, narrowed, planHash, after: newest, plan: null, tool: 'torture' }, deps);
    const numbers = new Map(nextNumber);
    const finished = new Map(checkpoints.map((each) => [`${each.table}/${each.task}`, each]));
    const reused = new Map<string, TableEntry>();
    if (base !== undefined && options.reuse !== undefined) {
      const place = { sequence: base.manifest.sequence, sha256: base.sha256 };
      if (await declareReference(vault, run, place)) {
        for (const table of base.manifest.tables) if (options.reuse.includes(table.name)) reused.set(table.name, table);
      }
    }
    const parts = new Map<string, PartEntry[]>();
    for (const task of tasks) {
      const { table } = task;
      const taken = reused.get(table);
      if (taken !== undefined) {
        parts.set(table, [...taken.parts]);
        continue;
      }
      let done = finished.get(`${table}/${task.task}`);
      if (done === undefined) {
        options.onRead?.(run, task);
        const n = numbers.get(table) ?? 0;
        numbers.set(table, n + 1);
        done = await storeTask(store, run, n, task, options.scratch);
      }
      parts.set(table, [...(parts.get(table) ?? []), ...done.parts]);
    }
    const tables = [...parts].map(([name, own]) => tableEntry(own, { name }));
    await lease.assertHeld();
    const nonce = Buffer.from(random.bytes(16)).toString('hex');
    const own = draft({
      run,
      nonce,
      tables,
      selection: { narrowed },
      pipeline: { name: pipeline, sha256: '0'.repeat(64) },
    });
    const committed = await commitSnapshot(vault, { ...own, finishedAt: new Date(clock.now()).toISOString() }, deps);
    await indexCommitted(vault, before, entryOfManifest(committed.manifest, committed.sha256));
    return committed;
  } finally {
    await lease.release();
  }

  async function storeTask(
    to: Store,
    run: string,
    n: number,
    { table, task, content }: MiniTask,
    scratch: string,
  ): Promise<Checkpoint> {
    const sha256 = sha256Hex(content);
    await mkdir(scratch, { recursive: true });
    const file = join(scratch, `${run}-${table}-${n}`);
    await writeFile(file, content);
    const bytes = content.byteLength;
    const key = await putPart({ ...vault, store: to }, { table, run, n, file, bytes, sha256 });
    await rm(file);
    const part = partEntry({ key, run, rows: 1, bytes, sha256 });
    const checkpoint: Checkpoint = { table, task, range: null, rows: 1, parts: [part], proof: null, detail: null };
    await writeCheckpoint(vault, run, n, checkpoint);
    return checkpoint;
  }
}
