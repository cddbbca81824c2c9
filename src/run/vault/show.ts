/** `show`: one snapshot. */
import { isKeptAsText } from '../../odata/edm-types.ts';
import type { Manifest } from '../../vault/chain/manifest.ts';
import { type ReadSpan, readSpan } from '../../vault/chain/span.ts';
import { readPin } from '../../vault/gc/pins.ts';
import { snapshotKey } from '../../vault/layout.ts';
import { readSnapshot, type SnapshotQuery } from '../../vault/snapshots.ts';
import type { Vault } from '../../vault/vault.ts';

const DAMAGED_PIN = { reason: null, pinnedAt: null };

/** What `show` tells of one snapshot. */
export interface SnapshotDetails {
  readonly manifest: Manifest;
  /** The manifest's object, and the hash of its bytes that the next snapshot names. */
  readonly key: string;
  readonly sha256: string;
  /** Bytes of the manifest itself. */
  readonly bytes: number;
  /** Parts that `repair` put into quarantine, and that nobody has put back. Others may be missing: `verify` looks. */
  readonly missingParts: number;
  /** Null when it is not pinned. Without reason and date where the pin is damaged: it pins all the same. */
  readonly pin: { readonly reason: string | null; readonly pinnedAt: string | null } | null;
  /** From the first read to the commit. */
  readonly read: ReadSpan;
  /** Columns that the pipeline kept as the text that came, whatever `$metadata` declares. */
  readonly keptAsText: readonly { readonly table: string; readonly column: string; readonly edmType: string }[];
  /** How many of its parts were written by earlier runs. */
  readonly reusedParts: number;
}

/**
 * One snapshot by id, sequence, date or `latest`.
 * @throws TablevaultError `USAGE` when there is none.
 */
export async function showSnapshot(vault: Vault, wanted: string, query: SnapshotQuery = {}): Promise<SnapshotDetails> {
  const { manifest, sha256, bytes, missingParts } = await readSnapshot(vault, wanted, query);
  const pin = await readPin(vault, manifest.sequence, { signal: query.signal });
  const parts = manifest.tables.flatMap((table) => table.parts);
  return {
    manifest,
    key: snapshotKey(manifest.sequence),
    sha256,
    bytes,
    missingParts,
    pin: pin === undefined ? null : pin === 'unreadable' ? DAMAGED_PIN : { reason: pin.reason, pinnedAt: pin.pinnedAt },
    read: readSpan(manifest),
    keptAsText: manifest.tables.flatMap(({ name: table, schema }) =>
      schema.columns
        .filter(({ edmType, type }) => isKeptAsText(edmType, type))
        .map(({ name: column, edmType }) => ({ table, column, edmType })),
    ),
    reusedParts: parts.filter((part) => part.run !== manifest.run).length,
  };
}
