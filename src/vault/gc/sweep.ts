/** Removes what a plan says, in an order that never leaves a live snapshot without its parts. */
import { hasCode } from '../../core/errors.ts';
import type { CallOptions, Store } from '../../storage/store.ts';
import { snapshotKey } from '../layout.ts';
import type { Vault } from '../vault.ts';
import type { SweepPlan } from './plan.ts';

/** What a sweep did. */
export interface Swept {
  readonly snapshots: number;
  readonly parts: number;
  readonly objects: number;
  readonly bytes: number;
  /** Objects that the store does not let go yet (Object Lock, rights): a later prune tries again. */
  readonly later: readonly string[];
}

/**
 * Carries a plan out. Manifests go first, and the parts of one that cannot be removed stay with it, so that no stored manifest ever
 * misses a part. Stopping at any point is safe: the next prune goes on.
 */
export async function sweep(vault: Vault, plan: SweepPlan, call: CallOptions = {}): Promise<Swept> {
  const { store } = vault;
  const later: string[] = [];
  const done = { snapshots: 0, parts: 0, objects: 0, bytes: 0 };
  const remove = async (key: string, bytes: number): Promise<boolean> => {
    call.signal?.throwIfAborted();
    const gone = await tryRemove(store, key, call);
    if (!gone) later.push(key);
    else {
      done.objects += 1;
      done.bytes += bytes;
    }
    return gone;
  };
  const held = new Set<string>();
  const heldRuns = new Set<string>();
  for (const { sequence, run, bytes, parts } of plan.manifests) {
    if (await remove(snapshotKey(sequence), bytes)) {
      done.snapshots += 1;
      continue;
    }
    heldRuns.add(run);
    for (const part of parts) held.add(part);
  }
  for (const { key, bytes } of plan.parts) {
    if (!held.has(key) && (await remove(key, bytes))) done.parts += 1;
  }
  for (const { key, bytes } of plan.remains) await remove(key, bytes);
  for (const { object, run } of plan.outcomes) {
    if (!heldRuns.has(run)) await remove(object.key, object.bytes);
  }
  return { ...done, later };
}

/** False when the store forbids it; every other failure ends the sweep. */
async function tryRemove(store: Store, key: string, call: CallOptions): Promise<boolean> {
  try {
    await store.remove(key, call);
    return true;
  } catch (error) {
    if (hasCode(error, 'DESTINATION_DENIED')) return false;
    throw error;
  }
}
