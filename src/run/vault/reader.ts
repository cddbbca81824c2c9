/** A vault as a program reads it: opened by its address, closed when done. Nothing here writes. */
import { type Clock, systemClock } from '../../core/clock.ts';
import { openStore } from '../../storage/open.ts';
import type { CallOptions, Store } from '../../storage/store.ts';
import type { Manifest } from '../../vault/chain/manifest.ts';
import { openVault } from '../../vault/open.ts';
import { readSnapshot, type SnapshotQuery } from '../../vault/snapshots.ts';
import type { Vault } from '../../vault/vault.ts';
import { damage, listSnapshots, type SnapshotList, staleness } from './list.ts';
import { type TablePaths, tablePaths } from './paths.ts';

export interface VaultReaderOptions extends CallOptions {
  /** Where S3 settings and credentials are looked up. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Tells how old a snapshot is. Default: the system's clock. */
  readonly clock?: Clock;
}

/** Every call asks the store anew: a snapshot that was committed since is seen. Errors of the store are `DESTINATION_*`. */
export interface VaultReader {
  /** `s3://bucket/prefix`, or the absolute path of the folder. */
  readonly uri: string;
  /** Random, from `vault.json`: tells apart two vaults that stood at the same address. */
  readonly id: string;

  /**
   * The snapshots, oldest first, and which one is the newest complete one.
   * @throws TablevaultError `VAULT_CORRUPT` when a manifest cannot be read: it is never left out.
   */
  listSnapshots(call?: SnapshotQuery): Promise<SnapshotList>;

  /**
   * As `listSnapshots`, when the newest complete snapshot was finished no longer than `maxAgeMs` milliseconds ago.
   * Snapshots whose manifests are damaged are listed apart (`unreadable`).
   * @throws TablevaultError `VAULT_STALE` when it is older, when there is none, or when it is dated later than now; `VAULT_CORRUPT` when the
   * manifest of a later one cannot be read; `USAGE` when `maxAgeMs` is no number, or below 0.
   */
  requireFresh(maxAgeMs: number, call?: SnapshotQuery): Promise<SnapshotList>;

  /**
   * What a snapshot is: its tables with their columns, rows and parts, what was left out, and what failed.
   * @param snapshot an id, a sequence number, a date, or `latest` (the default): the newest complete one that is not narrowed.
   * @throws TablevaultError `USAGE` when there is no such snapshot.
   */
  readManifest(snapshot?: string | number, call?: SnapshotQuery): Promise<Manifest>;

  /**
   * The Parquet files of tables, those of each in key order.
   * @param tables a name, a glob, or several
   * @throws TablevaultError `TABLE_UNKNOWN` for a name or glob that matches no table of the snapshot, `USAGE` when there is no such snapshot.
   */
  listPaths(tables: string | readonly string[], options?: ListPathsOptions): Promise<TablePaths>;

  /** Ends the connections to the store. The vault is not used after it. */
  close(): Promise<void>;
}

export interface ListPathsOptions extends SnapshotQuery {
  /** An id, a sequence number, a date, or `latest`. Default `latest`. */
  readonly snapshot?: string;
}

/**
 * Opens a vault for reading: a folder's path, a `file:` URL, or `s3://bucket/prefix`. Close it when done.
 * @throws TablevaultError `USAGE` for another kind of address, `VAULT_NOT_FOUND` when there is no vault, `VAULT_CORRUPT`.
 */
export async function openVaultReader(uri: string, options: VaultReaderOptions = {}): Promise<VaultReader> {
  const { clock = systemClock, ...storeOptions } = options;
  const store = await openStore(uri, storeOptions);
  try {
    return readerOf(await openVault(store, { signal: options.signal }), store, clock);
  } catch (error) {
    await store.close();
    throw error;
  }
}

function readerOf(vault: Vault, store: Store, clock: Clock): VaultReader {
  const list = (call: SnapshotQuery = {}) => listSnapshots(vault, { ...call, nowMs: clock.now() });
  const wholeList = async (call?: SnapshotQuery) => {
    const found = await list(call);
    const fault = damage(found, store.uri);
    if (fault !== undefined) throw fault;
    return found;
  };
  return {
    uri: store.uri,
    id: vault.info.id,
    listSnapshots: wholeList,
    async requireFresh(maxAgeMs, call) {
      const found = await list(call);
      const stale = staleness(found, maxAgeMs, store.uri);
      if (stale !== undefined) throw stale;
      return found;
    },
    readManifest: async (snapshot = 'latest', call) => (await readSnapshot(vault, snapshot, call)).manifest,
    listPaths: (tables, options) => tablePaths(vault, tables, options),
    close: () => store.close(),
  };
}
