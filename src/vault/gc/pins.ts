/** Pins: snapshots that no retention retires. */
import * as z from 'zod';
import { hasCode } from '../../core/errors.ts';
import { getIfPresent, putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import { parseSealed, sealedBytes } from '../chain/seal.ts';
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
 * the tombstone back where it finds one: one of the two sees the other. A pin that was there before stays, whatever tombstone there is:
 * it was made before the tombstone, which the next prune takes back.
 * @param pin its reason takes the place of an earlier one; without a reason, a pin that is there stays as it is
 * @returns false when the snapshot is retired already: a new pin was not kept.
 */
export async function pinSnapshot(
  vault: Vault,
  pin: Omit<Pin, 'formatVersion' | 'reason'> & { readonly reason?: string | undefined },
  call: CallOptions = {},
): Promise<boolean> {
  const key = pinKey(pin.sequence);
  const bytes = sealedBytes({ formatVersion: 1, ...pin, reason: pin.reason ?? '' });
  const wasPinned = (await vault.store.head(key, call)) !== undefined;
  if (pin.reason === undefined) await putIfAbsent(vault.store, key, bytes, call);
  else await vault.store.replace(key, bytes, call);
  if (wasPinned || (await vault.store.head(tombstoneKey(pin.sequence), call)) === undefined) return true;
  await vault.store.remove(key, call);
  return false;
}

/** @returns false when it was not pinned */
export async function unpinSnapshot(vault: Vault, sequence: number, call: CallOptions = {}): Promise<boolean> {
  const pinned = (await vault.store.head(pinKey(sequence), call)) !== undefined;
  if (pinned) await vault.store.remove(pinKey(sequence), call);
  return pinned;
}

/** What the pin of a snapshot says: undefined when it is not pinned, `unreadable` for a damaged pin, which pins all the same. */
export async function readPin(
  vault: Vault,
  sequence: number,
  call: CallOptions = {},
): Promise<Pin | 'unreadable' | undefined> {
  const key = pinKey(sequence);
  const bytes = await getIfPresent(vault.store, key, call);
  if (bytes === undefined) return undefined;
  try {
    return parseSealed(pinSchema, bytes, key);
  } catch (error) {
    if (hasCode(error, 'VAULT_CORRUPT')) return 'unreadable';
    throw error;
  }
}

/** Takes back the tombstones of those among some snapshots that are pinned. Returns which. */
export async function unretirePinned(
  vault: Vault,
  sequences: readonly number[],
  call: CallOptions = {},
): Promise<ReadonlySet<number>> {
  const pinned = sequences.length === 0 ? new Set<number>() : await readPinned(vault, call);
  const taken = sequences.filter((sequence) => pinned.has(sequence));
  for (const sequence of taken) await vault.store.remove(tombstoneKey(sequence), call);
  return new Set(taken);
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
