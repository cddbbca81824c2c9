/** What must hold of a vault after anything that may happen to its writers. */
import { verifyVault } from '../../../src/run/verify.ts';
import type { Store } from '../../../src/storage/store.ts';
import type { Manifest } from '../../../src/vault/manifest.ts';
import { openVault } from '../../../src/vault/open-vault.ts';
import { readChain, readStoredManifest, type Vault } from '../../../src/vault/vault.ts';

export interface VaultState {
  readonly vault: Vault;
  readonly manifests: readonly Manifest[];
  /** Findings of all live snapshots at level files; empty when all is well. */
  readonly findings: readonly string[];
}

/** Reads everything anew; undefined when there is no vault yet. */
export async function vaultState(store: Store): Promise<VaultState | undefined> {
  if ((await store.head('vault.json')) === undefined) return undefined;
  const vault = await openVault(store);
  const { live } = await readChain(vault);
  const manifests: Manifest[] = [];
  const findings: string[] = [];
  for (const sequence of live) {
    manifests.push((await readStoredManifest(vault, sequence)).manifest);
    const report = await verifyVault(vault, { snapshot: String(sequence), level: 'files' });
    findings.push(...report.findings.map(({ code, object, message }) => `${code} ${object}: ${message}`));
  }
  if (live.length === 0) {
    const report = await verifyVault(vault, { level: 'manifest' });
    findings.push(...report.findings.map(({ code, object, message }) => `${code} ${object}: ${message}`));
  }
  return { vault, manifests, findings: [...new Set(findings)] };
}
