/** Checkpoints: the finished tasks of a run, which a continued run does not read again. */
import pLimit from 'p-limit';
import * as z from 'zod';
import { hasCode, TablevaultError } from '../../core/errors.ts';
import { putSame } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import type { PartEntry } from '../chain/manifest.ts';
import { partEntrySchema } from '../chain/manifest.ts';
import { parseSealed, sealedBytes } from '../chain/seal.ts';
import { judgePart } from '../check-parts.ts';
import { checkpointFolder, checkpointKey } from '../layout.ts';
import type { Vault } from '../vault.ts';

const READERS = 8;
/** Numbers tried past the one asked for when others took them. */
const MAX_TRIES = 1_000;

/** A finished task of a scan: its parts are stored and whole. `proof` and `detail` are the scan's own, any JSON. */
const checkpointSchema = z.object({
  formatVersion: z.literal(1),
  table: z.string(),
  /** Names the task within the table's plan. */
  task: z.string(),
  range: z.object({ ge: z.string().optional(), le: z.string().optional() }).nullable(),
  rows: z.int().nonnegative(),
  parts: z.array(partEntrySchema),
  proof: z.unknown(),
  detail: z.unknown(),
});

export interface Checkpoint {
  readonly table: string;
  readonly task: string;
  readonly range: { readonly ge?: string | undefined; readonly le?: string | undefined } | null;
  readonly rows: number;
  readonly parts: readonly PartEntry[];
  readonly proof?: unknown;
  readonly detail?: unknown;
}

/**
 * Stores a checkpoint under the first free number from `n` on, create-only. Returns the number taken. A process that lost its
 * lease without knowing may write some too: its parts are as whole as ours, and `readCheckpoints` keeps one a task.
 */
export async function writeCheckpoint(
  vault: Vault,
  run: string,
  n: number,
  checkpoint: Checkpoint,
  call: CallOptions = {},
): Promise<number> {
  const bytes = sealedBytes({ formatVersion: 1, ...checkpoint });
  for (let number = n; number < n + MAX_TRIES; number += 1) {
    if (await putSame(vault.store, checkpointKey(run, checkpoint.table, number), bytes, call)) return number;
  }
  throw new TablevaultError('LOCKED', `another process writes checkpoints of ${checkpoint.table} in run ${run}`, {
    at: { run, table: checkpoint.table },
    hint: 'Make sure that only one host runs the pipeline, then run again.',
  });
}

export interface FoundCheckpoints {
  /** The first of each task, in the order of their numbers, tables in key order. */
  readonly checkpoints: readonly Checkpoint[];
  /** Checkpoints that cannot be used, with the reason: their tasks are read again. */
  readonly unusable: readonly { readonly key: string; readonly reason: string }[];
  /** The next free number of each table that has any. */
  readonly nextNumber: ReadonlyMap<string, number>;
}

/**
 * What a run has finished. A checkpoint counts only when each of its parts is there with the bytes that were written; one that is damaged,
 * or has a part that is, is told and left out, never believed.
 */
export async function readCheckpoints(vault: Vault, run: string, call: CallOptions = {}): Promise<FoundCheckpoints> {
  const fewAtOnce = pLimit(READERS);
  const keys: { key: string; number: number }[] = [];
  for await (const object of vault.store.list(checkpointFolder(run), call)) {
    const number = /\/(\d{1,15})\.json$/.exec(object.key)?.[1];
    if (number !== undefined) keys.push({ key: object.key, number: Number(number) });
  }
  const read = await Promise.all(
    keys.map(({ key, number }) => fewAtOnce(() => readOne(vault, run, key, number, call))),
  );
  const unusable: { key: string; reason: string }[] = [];
  const nextNumber = new Map<string, number>();
  const first = new Map<string, { number: number; checkpoint: Checkpoint }>();
  for (const one of read) {
    if ('reason' in one) {
      unusable.push({ key: one.key, reason: one.reason });
      continue;
    }
    const { checkpoint, number } = one;
    nextNumber.set(checkpoint.table, Math.max(nextNumber.get(checkpoint.table) ?? 0, number + 1));
    const id = JSON.stringify([checkpoint.table, checkpoint.task]);
    if ((first.get(id)?.number ?? Number.POSITIVE_INFINITY) > number) first.set(id, { number, checkpoint });
  }
  const kept = [...first.values()].sort(
    (a, b) => compare(a.checkpoint.table, b.checkpoint.table) || a.number - b.number,
  );
  return { checkpoints: kept.map(({ checkpoint }) => checkpoint), unusable, nextNumber };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

type Read = { key: string; reason: string } | { checkpoint: Checkpoint; number: number };

async function readOne(vault: Vault, run: string, key: string, number: number, call: CallOptions): Promise<Read> {
  let checkpoint: Checkpoint;
  try {
    checkpoint = parseSealed(checkpointSchema, await vault.store.get(key, call), key);
  } catch (error) {
    const unreadable = hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING');
    if (!unreadable) throw error;
    return { key, reason: error.message };
  }
  if (key !== checkpointKey(run, checkpoint.table, number))
    return { key, reason: `it is of table ${checkpoint.table}` };
  const rows = checkpoint.parts.reduce((sum, part) => sum + part.rows, 0);
  if (rows !== checkpoint.rows) return { key, reason: 'its rows are not the sum of its parts' };
  for (const part of checkpoint.parts) {
    const verdict = await judgePart(vault, part, { ...call, copyTo: undefined });
    if (verdict.kind === 'sound') continue;
    const why = verdict.kind === 'damaged' ? verdict.message : verdict.fault.message;
    return { key, reason: `${part.key}: ${why}` };
  }
  return { checkpoint, number };
}
