/** What must hold of a vault after anything that may happen to its writers. */

import { digestStream } from '../../../src/core/digest.ts';
import { verifyVault } from '../../../src/run/vault/verify.ts';
import type { Store } from '../../../src/storage/store.ts';
import type { Manifest } from '../../../src/vault/chain/manifest.ts';
import { readPlaces } from '../../../src/vault/chain/places.ts';
import { openVault } from '../../../src/vault/open.ts';
import { readStoredManifest, type Vault } from '../../../src/vault/vault.ts';

export interface VaultState {
  readonly vault: Vault;
  readonly manifests: readonly Manifest[];
  /** Findings of all live snapshots at level files; empty when all is well. */
  readonly findings: readonly string[];
}

/** Reads everything anew; undefined when there is no vault yet. The chain is verified once, and every part that a live manifest names. */
export async function vaultState(store: Store): Promise<VaultState | undefined> {
  if ((await store.head('vault.json')) === undefined) return undefined;
  const vault = await openVault(store);
  const report = await verifyVault(vault, { level: 'manifest', all: true });
  const found = report.findings.filter(({ code }) => code !== 'VAULT_EMPTY');
  const findings = found.map(({ code, object, message }) => `${code} ${object}: ${message}`);
  const { live } = await readPlaces(vault);
  const manifests: Manifest[] = [];
  const parts = new Map<string, string>();
  for (const sequence of live) {
    const { manifest } = await readStoredManifest(vault, sequence);
    manifests.push(manifest);
    for (const table of manifest.tables) for (const part of table.parts) parts.set(part.key, part.sha256);
  }
  for (const [key, sha256] of parts) {
    const stored = await digestStream(store.stream(key)).catch(() => undefined);
    if (stored?.sha256 !== sha256) findings.push(`${key} is ${stored === undefined ? 'missing' : 'damaged'}`);
  }
  return { vault, manifests, findings };
}
