/** An opened vault, and how snapshots are found in it. */
import * as z from 'zod';
import { sha256Hex } from '../core/digest.ts';
import { hasCode, TablevaultError } from '../core/errors.ts';
import type { CallOptions, Store } from '../storage/store.ts';
import type { Manifest } from './chain/manifest.ts';
import { parseManifest } from './chain/manifest.ts';
import { parseSealed } from './chain/seal.ts';
import { readTombstone } from './chain/tombstones.ts';
import { RUN_ID, SNAPSHOTS, sequenceOf, snapshotKey, TOMBSTONES } from './layout.ts';

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

/** Every place of the chain: where a manifest can be read, and where one was retired. */
export interface Chain {
  /** Sequences of live snapshots, ascending. */
  readonly live: readonly number[];
  /** Sequences with a tombstone, ascending, whether their manifest still exists or not. */
  readonly retired: readonly number[];
  /** The greatest of both, 0 for an empty vault. */
  readonly head: number;
}

export interface StoredManifest {
  readonly manifest: Manifest;
  /** Of the stored bytes: what the next manifest names as its parent. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Lists the chain. Readers go by this, never by `latest.json`. */
export async function readChain(vault: Vault, call: CallOptions = {}): Promise<Chain> {
  // Snapshots first: one that is retired meanwhile is then seen as retired.
  const stored = await sequencesIn(vault.store, SNAPSHOTS, call);
  const retired = await sequencesIn(vault.store, TOMBSTONES, call);
  const gone = new Set(retired);
  return {
    live: stored.filter((sequence) => !gone.has(sequence)),
    retired,
    head: Math.max(0, stored.at(-1) ?? 0, retired.at(-1) ?? 0),
  };
}

async function sequencesIn(store: Store, folder: string, call: CallOptions): Promise<number[]> {
  const sequences: number[] = [];
  for await (const object of store.list(folder, call)) {
    const sequence = sequenceOf(object.key, folder);
    if (sequence !== undefined) sequences.push(sequence);
  }
  return sequences;
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

/**
 * The newest live snapshot, or the newest complete one; undefined when there is none. An unreadable manifest on the way is an
 * error: an older snapshot is never given for a newer one.
 */
export async function latestSnapshot(
  vault: Vault,
  options: CallOptions & { readonly complete?: boolean } = {},
): Promise<StoredManifest | undefined> {
  const { live } = await readChain(vault, options);
  for (const sequence of live.toReversed()) {
    const found = await readIfLive(vault, sequence, options);
    if (found !== undefined && (found.manifest.complete || options.complete !== true)) return found;
  }
  return undefined;
}

/**
 * A live snapshot by what a person types: `latest`, a sequence, or a snapshot's id.
 * @throws TablevaultError `USAGE` when there is no such snapshot, or it was retired.
 */
export async function readSnapshot(
  vault: Vault,
  wanted: string | number,
  call: CallOptions = {},
): Promise<StoredManifest> {
  const chain = await readChain(vault, call);
  const unknown = (why: string) =>
    new TablevaultError('USAGE', `no snapshot ${wanted} in ${vault.store.uri}: ${why}`, {
      at: { vault: vault.store.uri },
      hint: 'List the snapshots with `tablevault ls`.',
    });
  if (wanted === 'latest') {
    const latest = await latestSnapshot(vault, call);
    if (latest === undefined) throw unknown('the vault holds none yet');
    return latest;
  }
  if (RUN_ID.test(String(wanted))) {
    for (const sequence of chain.live.toReversed()) {
      const found = await readIfLive(vault, sequence, call);
      if (found?.manifest.snapshot === wanted) return found;
    }
    for (const sequence of chain.retired.toReversed()) {
      const tombstone = await readTombstone(vault.store, sequence, call);
      if (tombstone?.snapshot === wanted) throw unknown(`it was retired on ${tombstone.retiredAt}`);
    }
    throw unknown('none has this id');
  }
  const sequence = /^\d{1,15}$/.test(String(wanted)) ? Number(wanted) : 0;
  if (chain.retired.includes(sequence)) throw unknown('it was retired');
  if (sequence > 0 && !chain.live.includes(sequence)) throw unknown('no snapshot has this sequence');
  if (sequence === 0) throw unknown('it is neither a sequence, an id, nor `latest`');
  return readStoredManifest(vault, sequence, call);
}

/** Parses `vault.json`. */
export function parseVaultInfo(bytes: Uint8Array, key: string): VaultInfo {
  return parseSealed(vaultInfoSchema, bytes, key);
}
