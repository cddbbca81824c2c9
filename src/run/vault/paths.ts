import { distance } from 'fastest-levenshtein';
import { TablevaultError } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import type { Manifest, TableEntry } from '../../vault/chain/manifest.ts';
import type { Vault } from '../../vault/vault.ts';
import { readSnapshot } from '../../vault/vault.ts';

export interface TablePaths {
  readonly snapshot: string;
  readonly table: string;
  /** Files a program can open, in key order: absolute paths, or `s3://` addresses. */
  readonly paths: readonly string[];
}

/**
 * The Parquet files of a table.
 * @throws TablevaultError `USAGE` for an unknown snapshot, `TABLE_UNKNOWN` for a table that it does not hold.
 */
export async function tablePaths(
  vault: Vault,
  table: string,
  options: CallOptions & { readonly snapshot?: string } = {},
): Promise<TablePaths> {
  const { manifest } = await readSnapshot(vault, options.snapshot ?? 'latest', options);
  const entry = tableOf(manifest, table);
  const { store } = vault;
  const root = store.uri.replace(/\/$/, '');
  const paths = entry.parts.map((part) => store.localPath?.(part.key) ?? `${root}/${part.key}`);
  return { snapshot: manifest.snapshot, table: entry.name, paths };
}

/** A snapshot's table, or an error that names near ones. */
export function tableOf(manifest: Manifest, table: string): TableEntry {
  const found = manifest.tables.find((entry) => entry.name === table);
  if (found !== undefined) return found;
  const failed = manifest.failed.find((entry) => entry.name === table);
  const near = manifest.tables
    .map((entry) => ({ name: entry.name, far: distance(entry.name.toLowerCase(), table.toLowerCase()) }))
    .filter(({ far }) => far <= Math.max(2, table.length / 3))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ name }) => name);
  const why = failed === undefined ? '' : `: it failed (${failed.error.code}: ${failed.error.message})`;
  throw new TablevaultError(
    'TABLE_UNKNOWN',
    `snapshot ${manifest.snapshot} holds no table ${JSON.stringify(table)}${why}`,
    {
      at: { snapshot: manifest.snapshot },
      hint:
        near.length > 0
          ? `Near names: ${near.join(', ')}.`
          : 'List its tables with `tablevault show`; names are case-sensitive.',
    },
  );
}
