/** Opens a vault, and creates one where a run may write. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import { putIfAbsent } from '../storage/conditional.ts';
import type { CallOptions, Store } from '../storage/store.ts';
import { tryCreateOnly } from '../storage/try-create-only.ts';
import { sealedBytes } from './chain/seal.ts';
import { VAULT_KEY } from './layout.ts';
import type { Vault, VaultInfo } from './vault.ts';
import { readVaultInfo } from './vault.ts';

export interface OpenVaultOptions extends CallOptions {
  /**
   * For writing: the store is first tried for create-only puts, and the vault is created where there is none. Without it the
   * vault must exist, and nothing is written. Default false.
   */
  readonly write?: boolean;
  /** Version of tablevault, kept in `vault.json`. */
  readonly tool?: string;
  readonly clock?: Clock;
}

/**
 * Opens the vault of a store.
 * @throws TablevaultError `VAULT_NOT_FOUND`, `VAULT_CORRUPT`, `DESTINATION_UNSAFE` and other errors of the store.
 */
export async function openVault(store: Store, options: OpenVaultOptions = {}): Promise<Vault> {
  const call = { signal: options.signal };
  if (options.write === true) await tryCreateOnly(store, call);
  const found = await readVaultInfo(store, call);
  if (found !== undefined) return { store, info: found };
  if (options.write !== true) {
    throw new TablevaultError('VAULT_NOT_FOUND', `there is no vault at ${store.uri}`, {
      at: { vault: store.uri },
      hint: 'Check the address; `tablevault snapshot` creates the vault with its first snapshot.',
    });
  }
  await refuseForeignContent(store, call);
  const info: VaultInfo = {
    formatVersion: 1,
    id: randomUUID(),
    createdAt: new Date((options.clock ?? systemClock).now()).toISOString(),
    tool: options.tool ?? 'unknown',
  };
  await putIfAbsent(store, VAULT_KEY, sealedBytes(info), call);
  // Read back: another process may have been first.
  const created = await readVaultInfo(store, call);
  if (created !== undefined) return { store, info: created };
  throw new TablevaultError('DESTINATION_UNSAFE', `${store.uri} acknowledged ${VAULT_KEY} but does not have it`, {
    at: { vault: store.uri },
    hint: 'The store does not keep what it acknowledges: choose another destination.',
  });
}

/** A vault that lost its `vault.json` is not begun anew on top of its snapshots. */
async function refuseForeignContent(store: Store, call: CallOptions): Promise<void> {
  for await (const object of store.list('snapshots/', call)) {
    throw new TablevaultError('VAULT_CORRUPT', `${store.uri} holds ${object.key} but no ${VAULT_KEY}`, {
      at: { vault: store.uri },
      hint: `Restore ${VAULT_KEY} from a copy of the vault, or choose an empty destination.`,
    });
  }
}
