/** `paths`: the Parquet files of a table. */
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
 * @throws TablevaultError `USAGE` for an unknown snapshot, `TABLE_UNKNOWN` for a glob that matches none of its tables.
 */
export async function tablePaths(
  vault: Vault,
  tables: string | readonly string[],
  options: SnapshotQuery & { readonly snapshot?: string } = {},
): Promise<TablePaths> {
  const { manifest } = await readSnapshot(vault, options.snapshot ?? 'latest', options);
  const { store } = vault;
  const root = store.uri.replace(/\/$/, '');
  const pathsOf = ({ parts }: TableEntry) => parts.map((part) => store.localPath?.(part.key) ?? `${root}/${part.key}`);
  const found = tablesOf(manifest, typeof tables === 'string' ? [tables] : tables).map((table) => ({
    name: table.name,
    paths: pathsOf(table),
  }));
  return { snapshot: manifest.snapshot, tables: found, paths: found.flatMap(({ paths }) => paths) };
}
