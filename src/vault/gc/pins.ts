/** Pins: snapshots that no retention retires. */
import * as z from 'zod';
import { putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import { sealedBytes } from '../chain/seal.ts';
import { PINS, pinKey, RUN_ID, sequenceOf, tombstoneKey } from '../layout.ts';
import type { Vault } from '../vault.ts';

/** A snapshot that no retention retires: `pins/<seq>.json`. */
export const pinSchema = z.object({
  formatVersion: z.literal(1),
  sequence: z.int().positive(),
  snapshot: z.string().regex(RUN_ID),
  reason: z.string(),
  pinnedAt: z.iso.datetime(),
});
export type Pin = Readonly<z.infer<typeof pinSchema>>;

/**
 * Pins a snapshot, then looks whether it is being retired. Prune writes its tombstone first and lists the pins after, and takes
 * the tombstone back where it finds one: one of the two sees the other.
 * @returns false when the snapshot is retired already: the pin was not kept.
 */
export async function pinSnapshot(
  vault: Vault,
  pin: Omit<Pin, 'formatVersion'>,
  call: CallOptions = {},
): Promise<boolean> {
  await putIfAbsent(vault.store, pinKey(pin.sequence), sealedBytes({ formatVersion: 1, ...pin }), call);
  if ((await vault.store.head(tombstoneKey(pin.sequence), call)) === undefined) return true;
  await vault.store.remove(pinKey(pin.sequence), call);
  return false;
}

export async function unpinSnapshot(vault: Vault, sequence: number, call: CallOptions = {}): Promise<void> {
  await vault.store.remove(pinKey(sequence), call);
}

/** Sequences that are pinned. The name alone counts: a damaged pin still pins. */
export async function readPinned(vault: Vault, call: CallOptions = {}): Promise<ReadonlySet<number>> {
  const pinned = new Set<number>();
  for await (const { key } of vault.store.list(PINS, call)) {
    const sequence = sequenceOf(key, PINS);
    if (sequence !== undefined) pinned.add(sequence);
  }
  return pinned;
}
