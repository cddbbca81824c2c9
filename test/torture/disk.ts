/** (f) A folder vault on a file system that fills up, breaks, becomes read-only, or loses its power. */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TablevaultError } from '../../src/core/errors.ts';
import type { FileSystem } from '../../src/storage/filesystem.ts';
import { createFolderStore } from '../../src/storage/folder.ts';
import { vaultState } from './lib/check-vault.ts';
import { crashStates, type RecordingFileSystem, recordingFileSystem } from './lib/crash-fs.ts';
import { type Budget, type Figures, tally } from './lib/figures.ts';
import { type MiniTask, miniRun, quickClock } from './lib/mini-run.ts';
import { random } from './lib/random.ts';

const ROOT = '/disk/vault';
const tasksOf = (round: number): MiniTask[] =>
  ['A/0', 'A/1', 'B/0'].map((name) => {
    const [table = '', task = ''] = name.split('/');
    return { table, task, content: Buffer.from(`rows of ${name} in round ${round} `.repeat(20)) };
  });

interface Acknowledged {
  readonly snapshot: string;
  /** Length of the recording when the commit had returned. */
  readonly at: number;
}

/** Two runs one after the other on a recorded disk. */
async function recorded(seed: number, fileSystem: RecordingFileSystem, scratch: string) {
  const acknowledged: Acknowledged[] = [];
  for (let round = 0; round < 2; round += 1) {
    const store = createFolderStore(ROOT, { fileSystem });
    const clock = quickClock(() => fileSystem.now());
    const rng = random(seed * 10 + round);
    const { manifest } = await miniRun(store, { pipeline: 'p', tasks: tasksOf(round), clock, random: rng, scratch });
    acknowledged.push({ snapshot: manifest.snapshot, at: fileSystem.log.length });
  }
  return acknowledged;
}

/**
 * Power cuts: after every system call of two runs, with nothing, everything, or some of what was not yet synced on the disk. Each state must
 * hold every snapshot that was acknowledged before, and must take the next one.
 */
export async function torturePowerCuts(budget: Budget): Promise<Figures> {
  const figures = tally(
    'power cuts on a folder vault',
    ['acknowledged snapshots lost', 'unreadable snapshots', 'vault unusable'],
    budget,
  );
  const scratch = join(tmpdir(), `tablevault-torture-${process.pid}-disk`);
  let calls = 0;
  try {
    for (let round = 0; figures.more(); round += 1) {
      const seed = budget.seed + round;
      const disk = recordingFileSystem(seed);
      const acknowledged = await recorded(seed, disk, scratch);
      calls = disk.log.length;
      const rng = random(seed);
      for (let at = 0; at <= disk.log.length && figures.more(); at += 1) {
        for (const [mode, state] of crashStates(disk, at, rng)) {
          const where = `seed ${seed}, after call ${at} (${disk.log[at - 1]?.op ?? 'none'}), ${mode}`;
          await checkState(
            where,
            state,
            acknowledged.filter((each) => each.at <= at),
            figures,
            scratch,
          );
          figures.done();
        }
      }
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return figures.figures(`${calls} system calls, each with nothing, all or some of what was not synced`);
}

async function checkState(
  where: string,
  state: RecordingFileSystem,
  acknowledged: readonly Acknowledged[],
  figures: ReturnType<typeof tally>,
  scratch: string,
): Promise<void> {
  const store = createFolderStore(ROOT, { fileSystem: state });
  try {
    const before = await vaultState(store);
    for (const finding of before?.findings ?? []) figures.bad('unreadable snapshots', `${where}: ${finding}`);
    for (const { snapshot } of acknowledged) {
      if (!before?.manifests.some((manifest) => manifest.snapshot === snapshot))
        figures.bad('acknowledged snapshots lost', where);
    }
    const clock = quickClock(() => state.now());
    const { manifest } = await miniRun(store, { pipeline: 'p', tasks: tasksOf(9), clock, random: random(99), scratch });
    const after = await vaultState(store);
    for (const finding of after?.findings ?? []) figures.bad('unreadable snapshots', `${where}, then: ${finding}`);
    if (!after?.manifests.some(({ snapshot }) => snapshot === manifest.snapshot))
      figures.bad('acknowledged snapshots lost', `${where}, then`);
  } catch (error) {
    figures.bad('vault unusable', `${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What a system call may answer, once or from then on. */
const ERRNOS = ['ENOSPC', 'EIO', 'EROFS', 'EACCES', 'EDQUOT'] as const;

/**
 * Faults of the disk: at every system call of a run, one that passes and one that stays. The run may fail, with an error that says so; then
 * the vault is as it was, and the next run on a sound disk succeeds and re-reads no finished task.
 */
export async function tortureDiskFaults(budget: Budget): Promise<Figures> {
  const kinds = ['unreadable snapshots', 'wrong outcome reported', 'finished parts read again', 'error not explained'];
  const figures = tally('disk faults on a folder vault', kinds, budget);
  const scratch = join(tmpdir(), `tablevault-torture-${process.pid}-faults`);
  const refused = { runs: 0 };
  try {
    for (let round = 0; figures.more(); round += 1) {
      const calls = { count: Number.POSITIVE_INFINITY };
      for (let at = 1; at <= calls.count && figures.more(); at += 1) {
        const seed = budget.seed * 1000 + round * 500 + at;
        const rng = random(seed);
        const errno = rng.pick(ERRNOS);
        const lasting = rng.chance(0.5);
        const disk = recordingFileSystem(seed);
        const failing = failAt(disk, at, errno, lasting, calls);
        const where = `seed ${seed}, call ${at} ${errno}${lasting ? ' from then on' : ''}`;
        const finished = new Set<string>();
        const reads: string[] = [];
        const run = (fileSystem: FileSystem, reading: (name: string) => void) =>
          miniRun(createFolderStore(ROOT, { fileSystem }), {
            pipeline: 'p',
            tasks: tasksOf(0),
            clock: quickClock(() => disk.now()),
            random: rng,
            scratch,
            onRead: (id, { table, task }) => reading(`${id}/${table}/${task}`),
          });
        const result = await run(failing, () => {}).then(
          ({ manifest }) => manifest.snapshot,
          (error: unknown) => error,
        );
        const sound = createFolderStore(ROOT, { fileSystem: disk });
        const state = await vaultState(sound);
        for (const finding of state?.findings ?? []) figures.bad('unreadable snapshots', `${where}: ${finding}`);
        if (typeof result === 'string') {
          if (state?.manifests.length !== 1) figures.bad('wrong outcome reported', `${where}: published, not found`);
        } else {
          refused.runs += 1;
          const known = result instanceof TablevaultError && result.code !== 'BUG';
          if (!known) figures.bad('error not explained', `${where}: ${String(result)}`);
          const unknown = result instanceof TablevaultError && result.code === 'COMMIT_UNKNOWN';
          if (!unknown && (state?.manifests.length ?? 0) > 0)
            figures.bad('wrong outcome reported', `${where}: failed, but is published`);
          for await (const { key } of sound.list('runs/')) {
            const [, id, table, file] = /^runs\/([^/]+)\/ckpt\/(\w+)\/(\d+)\.json$/.exec(key) ?? [];
            if (table !== undefined) finished.add(`${id}/${table}/${file}`);
          }
          await run(disk, (name) => reads.push(name));
          for (const name of reads)
            if (finished.has(name)) figures.bad('finished parts read again', `${where}: ${name}`);
        }
        const after = await vaultState(sound);
        for (const finding of after?.findings ?? []) figures.bad('unreadable snapshots', `${where}, then: ${finding}`);
        figures.done();
      }
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return figures.figures(`${refused.runs} runs failed and were continued`);
}

/** A file system whose n-th call fails; sets the number of calls when a run made fewer. */
function failAt(inner: FileSystem, nth: number, errno: string, lasting: boolean, calls: { count: number }): FileSystem {
  let made = 0;
  const step = <T>(syscall: string, changes: boolean, act: () => Promise<T>): Promise<T> => {
    made += 1;
    const hit = made === nth || (lasting && made > nth);
    // A read-only or full disk can still be read.
    if (hit && (changes || errno === 'EIO')) {
      return Promise.reject(Object.assign(new Error(`${errno}: injected, ${syscall}`), { code: errno, syscall }));
    }
    calls.count = Number.isFinite(calls.count) ? Math.max(calls.count, made) : made;
    return act();
  };
  return {
    create: (path) =>
      step('open', true, async () => {
        const file = await inner.create(path);
        return {
          write: (bytes) => step('write', true, () => file.write(bytes)),
          sync: () => step('fsync', true, () => file.sync()),
          close: () => file.close(),
        };
      }),
    link: (from, to) => step('link', true, () => inner.link(from, to)),
    rename: (from, to) => step('rename', true, () => inner.rename(from, to)),
    unlink: (path) => step('unlink', true, () => inner.unlink(path)),
    mkdir: (path) => step('mkdir', true, () => inner.mkdir(path)),
    syncFolder: (path) => step('fsync', true, () => inner.syncFolder(path)),
    syncFile: (path) => step('fsync', true, () => inner.syncFile(path)),
    open: (path) =>
      step('open', false, async () => {
        const file = await inner.open(path);
        return {
          bytes: file.bytes,
          read: (into, at) => step('read', false, () => file.read(into, at)),
          close: () => file.close(),
        };
      }),
    stat: (path) => step('lstat', false, () => inner.stat(path)),
    readdir: (path) => step('readdir', false, () => inner.readdir(path)),
  };
}
