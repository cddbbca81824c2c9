/** `paths`: the Parquet files of a table. */
import { TablevaultError } from '../../core/errors.ts';
import type { TableEntry } from '../../vault/chain/manifest.ts';
import { readSnapshot, type SnapshotQuery } from '../../vault/snapshots.ts';
import type { Vault } from '../../vault/vault.ts';
import { tablesOf } from './tables.ts';

export interface TablePaths {
  readonly snapshot: string;
  /** In the snapshot's order; `paths` are those of the table, in key order. */
  readonly tables: readonly { readonly name: string; readonly paths: readonly string[] }[];
  /** Files a program can open, those of all tables: absolute paths, or `s3://` addresses. */
  readonly paths: readonly string[];
}

/**
 * The Parquet files of tables.
 * @param tables a name, a glob, or several
 * @throws TablevaultError `USAGE` for an unknown snapshot, `TABLE_UNKNOWN` for a glob that matches none of its tables, `VAULT_CORRUPT` for files
 * of which `repair` found that they are damaged, and that nobody has put back.
 */
export async function tablePaths(
  vault: Vault,
  tables: string | readonly string[],
  options: SnapshotQuery & { readonly snapshot?: string } = {},
): Promise<TablePaths> {
  const { manifest, missingParts } = await readSnapshot(vault, options.snapshot ?? 'latest', options);
  const { store } = vault;
  const root = store.uri.replace(/\/$/, '');
  const pathsOf = ({ parts }: TableEntry) => parts.map((part) => store.localPath?.(part.key) ?? `${root}/${part.key}`);
  const chosen = tablesOf(manifest, typeof tables === 'string' ? [tables] : tables);
  if (missingParts > 0) await refuseMissing(vault, manifest.snapshot, chosen, options);
  const found = chosen.map((table) => ({ name: table.name, paths: pathsOf(table) }));
  return { snapshot: manifest.snapshot, tables: found, paths: found.flatMap(({ paths }) => paths) };
}

async function refuseMissing(
  { store }: Vault,
  snapshot: string,
  tables: readonly TableEntry[],
  { signal }: SnapshotQuery,
): Promise<void> {
  for (const { name, parts } of tables) {
    for (const { key } of parts) {
      if ((await store.head(key, { signal })) !== undefined) continue;
      throw new TablevaultError('VAULT_CORRUPT', `snapshot ${snapshot} is damaged: it lacks ${key} of table ${name}`, {
        at: { vault: store.uri, object: key },
        hint: 'Take another snapshot, or put the file back from a copy of the vault: `tablevault verify` tells more.',
      });
    }
  }
}
