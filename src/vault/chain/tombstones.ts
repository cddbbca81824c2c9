/** Tombstones: what stays of a retired snapshot. */
import * as z from 'zod';
import { hasCode, TablevaultError } from '../../core/errors.ts';
import { getIfPresent, putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions, Store } from '../../storage/store.ts';
import { RUN_ID, tombstoneKey } from '../layout.ts';
import { parseSealed, sealedBytes } from './seal.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * What stays of a retired snapshot: enough to check the chain across it, and to know that its run was committed.
 * Readers do not see a snapshot that has a tombstone, whether or not its manifest still exists.
 */
export const tombstoneSchema = z.object({
  formatVersion: z.literal(1),
  sequence: z.int().positive(),
  snapshot: z.string().regex(RUN_ID),
  run: z.string().regex(RUN_ID),
  nonce: z.string().min(16),
  /** Of the manifest's stored bytes. */
  sha256: hash,
  parent: z.object({ sequence: z.int().positive(), sha256: hash }).nullable(),
  retiredAt: z.iso.datetime(),
  reason: z.string(),
});
export type Tombstone = Readonly<z.infer<typeof tombstoneSchema>>;

/** The tombstone of a sequence, undefined when there is none; `VAULT_CORRUPT` when it cannot be read. */
export async function readTombstone(
  store: Store,
  sequence: number,
  call: CallOptions = {},
): Promise<Tombstone | undefined> {
  const key = tombstoneKey(sequence);
  const bytes = await getIfPresent(store, key, call);
  if (bytes === undefined) return undefined;
  const tombstone = parseSealed(tombstoneSchema, bytes, key);
  if (tombstone.sequence === sequence) return tombstone;
  throw new TablevaultError('VAULT_CORRUPT', `${key} is the tombstone of sequence ${tombstone.sequence}`, {
    at: { object: key },
    hint: 'Somebody moved objects of the vault: restore the folder `tombstones/` from a copy.',
  });
}

/**
 * Why the tombstone of a place does not retire what is stored there; undefined when it does, or is gone.
 * @param entry what the place holds, or the hash that the next place names; undefined where that is not known
 */
export async function tombstoneFault(
  store: Store,
  sequence: number,
  entry: { readonly sha256: string; readonly snapshot?: string } | undefined,
  call: CallOptions = {},
): Promise<TablevaultError | undefined> {
  try {
    const tombstone = await readTombstone(store, sequence, call);
    if (tombstone === undefined || entry === undefined) return undefined;
    const { snapshot = tombstone.snapshot, sha256 } = entry;
    if (tombstone.snapshot === snapshot && tombstone.sha256 === sha256) return undefined;
    return new TablevaultError('VAULT_CORRUPT', `${tombstoneKey(sequence)} is not of the snapshot at its place`, {
      at: { object: tombstoneKey(sequence) },
      hint: 'Nobody retired that snapshot by it. Restore the object from a copy of the vault, or remove it: then the snapshot is there again.',
    });
  } catch (error) {
    if (hasCode(error, 'VAULT_CORRUPT')) return error;
    throw error;
  }
}

/** Retires a snapshot: from here on readers do not see it. One that is retired already stays as it is. */
export async function writeTombstone(
  store: Store,
  tombstone: Omit<Tombstone, 'formatVersion'>,
  call: CallOptions = {},
): Promise<void> {
  const bytes = sealedBytes({ formatVersion: 1, ...tombstone });
  await putIfAbsent(store, tombstoneKey(tombstone.sequence), bytes, call);
}
