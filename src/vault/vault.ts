/** An opened vault, and its manifests by their place. */
import * as z from 'zod';
import { sha256Hex } from '../core/digest.ts';
import { hasCode, TablevaultError } from '../core/errors.ts';
import { getIfPresent } from '../storage/conditional.ts';
import type { CallOptions, Store } from '../storage/store.ts';
import type { Manifest } from './chain/manifest.ts';
import { parseManifest } from './chain/manifest.ts';
import { parseSealed } from './chain/seal.ts';
import { readTombstone } from './chain/tombstones.ts';
import { snapshotKey, VAULT_KEY } from './layout.ts';

/** An opened vault: its store, and what `vault.json` says. */
export interface Vault {
  readonly store: Store;
  readonly info: VaultInfo;
}

export const vaultInfoSchema = z.object({
  formatVersion: z.literal(1),
  /** Random; tells two vaults apart that stood at the same address. */
  id: z.uuid(),
  createdAt: z.iso.datetime(),
  tool: z.string(),
});
export type VaultInfo = Readonly<z.infer<typeof vaultInfoSchema>>;

export interface StoredManifest {
  readonly manifest: Manifest;
  /** Of the stored bytes: what the next manifest names as its parent. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * The manifest at a place of the chain.
 * @throws TablevaultError `OBJECT_MISSING`, `VAULT_CORRUPT` when it cannot be read or belongs to another place.
 */
export async function readStoredManifest(
  vault: Vault,
  sequence: number,
  call: CallOptions = {},
): Promise<StoredManifest> {
  const key = snapshotKey(sequence);
  const bytes = await vault.store.get(key, call);
  const manifest = parseManifest(bytes, key);
  if (manifest.sequence !== sequence) {
    throw new TablevaultError('VAULT_CORRUPT', `${key} holds the manifest of sequence ${manifest.sequence}`, {
      at: { object: key, vault: vault.store.uri },
      hint: 'Somebody moved objects of the vault: restore the folder `snapshots/` from a copy.',
    });
  }
  return { manifest, sha256: sha256Hex(bytes), bytes: bytes.byteLength };
}

/** As `readStoredManifest`; undefined when the snapshot was retired since the chain was listed. */
export async function readIfLive(
  vault: Vault,
  sequence: number,
  call: CallOptions = {},
): Promise<StoredManifest | undefined> {
  try {
    return await readStoredManifest(vault, sequence, call);
  } catch (error) {
    const missing = hasCode(error, 'OBJECT_MISSING');
    if (missing && (await readTombstone(vault.store, sequence, call)) !== undefined) return undefined;
    throw error;
  }
}

/** What `vault.json` says now; undefined when there is none. */
export async function readVaultInfo(store: Store, call: CallOptions = {}): Promise<VaultInfo | undefined> {
  const bytes = await getIfPresent(store, VAULT_KEY, call);
  return bytes === undefined ? undefined : parseSealed(vaultInfoSchema, bytes, VAULT_KEY);
}

/**
 * Looks whether the vault still stands where it was opened: its volume may be gone, or another one may have been put in its place.
 * @throws TablevaultError `VAULT_NOT_FOUND`
 */
export async function assertSameVault({ store, info }: Vault, call: CallOptions = {}): Promise<void> {
  const now = await readVaultInfo(store, call);
  if (now?.id === info.id) return;
  const what = now === undefined ? `it has no ${VAULT_KEY} any more` : 'another vault stands there now';
  throw new TablevaultError('VAULT_NOT_FOUND', `the vault is no longer at ${store.uri}: ${what}`, {
    at: { vault: store.uri },
    hint: 'Mount its volume again, or put the vault back in its place, then run again: what was stored in it is not read again.',
  });
}
