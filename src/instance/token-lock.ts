/**
 * A reference token is used by one process at a time on a host: using one from several is a licence violation. The lock is a file in the
 * folder for temporary files, named by the token's fingerprint; that of a dead process is taken over.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { TablevaultError } from '../core/errors.ts';
import { processStart, processState } from '../core/process-state.ts';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  /** Start of the process in clock ticks since boot, where the system tells: a number of a process may be given again. */
  started: z.string().nullable(),
  since: z.string(),
});
type Holder = z.infer<typeof holderSchema>;

export interface TokenLock {
  release(): void;
}

export interface TokenLockOptions {
  /** Hexadecimal SHA-256 of the token. */
  readonly fingerprint: string;
  /** Milliseconds since 1970, for the reader of the file. */
  readonly now: number;
  /** Default: the system's folder for temporary files. */
  readonly folder?: string | undefined;
}

/** Locks held by this process, by path: opening an instance twice in one process is no second process. */
const held = new Map<string, number>();

/** @throws LOCKED when another living process holds it */
export function lockToken({ fingerprint, now, folder = tmpdir() }: TokenLockOptions): TokenLock {
  const path = join(folder, `tablevault-token-${fingerprint.slice(0, 32)}.lock`);
  const before = held.get(path) ?? 0;
  if (before === 0) take(path, now);
  held.set(path, before + 1);
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      const left = (held.get(path) ?? 1) - 1;
      if (left > 0) {
        held.set(path, left);
        return;
      }
      held.delete(path);
      removeIfThere(path);
    },
  };
}

function take(path: string, now: number): void {
  const mine: Holder = { pid: process.pid, started: processStart(process.pid), since: new Date(now).toISOString() };
  for (let tried = 0; tried < 5; tried += 1) {
    if (putIfAbsent(path, `${JSON.stringify(mine)}\n`)) return;
    const holder = readHolder(path);
    if (holder === 'gone') continue;
    if (holder === 'unreadable') throw lockedBy(path, undefined);
    if (isAlive(holder)) throw lockedBy(path, holder);
    moveAway(path);
  }
  throw lockedBy(path, undefined);
}

/** The file appears whole or not at all: `link` never replaces. */
function putIfAbsent(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}.${randomUUID()}`;
  try {
    writeFileSync(draft, text, { flag: 'wx', mode: 0o600 });
    linkSync(draft, path);
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return false;
    throw unusable(path, thrown);
  } finally {
    removeIfThere(draft);
  }
}

/** Takes a dead process's file out of the way. Another may have done so just before, and put its own there: that one is put back. */
function moveAway(path: string): void {
  const aside = `${path}.${process.pid}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return;
    throw unusable(path, thrown);
  }
  const moved = readHolder(aside);
  if (typeof moved === 'object' && isAlive(moved)) {
    try {
      linkSync(aside, path);
    } catch (thrown) {
      // A third process was quicker: it holds the lock now.
      if (codeOf(thrown) !== 'EEXIST') throw unusable(path, thrown);
    } finally {
      removeIfThere(aside);
    }
    throw lockedBy(path, moved);
  }
  removeIfThere(aside);
}

function readHolder(path: string): Holder | 'gone' | 'unreadable' {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    return codeOf(thrown) === 'ENOENT' ? 'gone' : 'unreadable';
  }
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return 'unreadable';
  }
}

function isAlive({ pid, started }: Holder): boolean {
  return pid !== process.pid && processState(pid, started) !== 'ended';
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw unusable(path, thrown);
  }
}

function lockedBy(path: string, holder: Holder | undefined): TablevaultError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid}, since ${holder.since}`;
  return new TablevaultError('LOCKED', `this reference token is in use by ${who}`, {
    at: { lock: path },
    hint:
      holder === undefined
        ? 'If no other tablevault runs on this machine, remove the file named here.'
        : 'One token may be used by one process at a time: wait for it, or give each pipeline a token of its own.',
  });
}

function unusable(path: string, cause: unknown): TablevaultError {
  return new TablevaultError(
    'LOCKED',
    `the lock of the reference token cannot be used (${codeOf(cause) ?? 'unknown error'})`,
    {
      at: { lock: path },
      hint: 'Check the rights on the folder for temporary files (TMPDIR).',
      cause,
    },
  );
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
