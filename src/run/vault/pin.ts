/** `pin`: keeps a snapshot from retention. */
import type { Clock } from '../../core/clock.ts';
import { TablevaultError } from '../../core/errors.ts';
import { pinSnapshot, readPin, readPinned, unpinSnapshot } from '../../vault/gc/pins.ts';
import { readSnapshot, type SnapshotQuery } from '../../vault/snapshots.ts';
import type { Vault } from '../../vault/vault.ts';

export interface Pinned {
  readonly snapshot: string;
  readonly sequence: number;
  /** Is it pinned now? */
  readonly pinned: boolean;
  /** Was it before? */
  readonly wasPinned: boolean;
}

/**
 * Keeps a snapshot (id, sequence or `latest`) from being retired. A reason takes the place of that of an earlier pin.
 * @throws TablevaultError `USAGE` when there is none, or it was retired meanwhile.
 */
export async function pin(
  vault: Vault,
  wanted: string,
  options: SnapshotQuery & { readonly reason?: string | undefined; readonly clock: Clock },
): Promise<Pinned> {
  const { signal, reason, clock, pipeline } = options;
  const { manifest } = await readSnapshot(vault, wanted, { signal, pipeline });
  const { sequence, snapshot } = manifest;
  const pinnedAt = new Date(clock.now()).toISOString();
  const wasPinned = (await readPinned(vault, { signal })).has(sequence);
  if (await pinSnapshot(vault, { sequence, snapshot, reason, pinnedAt }, { signal }))
    return { snapshot, sequence, pinned: true, wasPinned };
  throw new TablevaultError('USAGE', `snapshot ${snapshot} was retired just now`, {
    at: { vault: vault.store.uri },
    hint: 'Pin another one: `tablevault ls` lists them.',
  });
}

/** Lets retention decide again about a snapshot. One that is not pinned stays so. */
export async function unpin(vault: Vault, wanted: string, call: SnapshotQuery): Promise<Pinned> {
  const { sequence, snapshot } = await pinnedPlace(vault, wanted, call);
  const wasPinned = await unpinSnapshot(vault, sequence, call);
  return { snapshot, sequence, pinned: false, wasPinned };
}

/** The snapshot; of a pin that is named by its number, the pin tells it where the manifest cannot. */
async function pinnedPlace(
  vault: Vault,
  wanted: string,
  call: SnapshotQuery,
): Promise<{ readonly sequence: number; readonly snapshot: string }> {
  try {
    return (await readSnapshot(vault, wanted, call)).manifest;
  } catch (error) {
    const sequence = /^\d{1,15}$/.test(wanted) ? Number(wanted) : 0;
    const found = sequence === 0 ? undefined : await readPin(vault, sequence, { signal: call.signal });
    if (found === undefined) throw error;
    return { sequence, snapshot: found === 'unreadable' ? wanted : found.snapshot };
  }
}
