/** Tables of one snapshot by their names. */
import { TablevaultError } from '../../core/errors.ts';
import { chooseByGlobs } from '../../core/globs.ts';
import type { Manifest, TableEntry } from '../../vault/chain/manifest.ts';

/**
 * The tables of a snapshot that a glob of the list matches, in the snapshot's order.
 * @throws TablevaultError TABLE_UNKNOWN for a glob that matches nothing: with near names, or with the reason why that table failed
 */
export function tablesOf(manifest: Manifest, globs: readonly string[]): readonly TableEntry[] {
  const failed = manifest.failed.find(({ name }) => globs.includes(name));
  if (failed !== undefined) {
    const { code, message } = failed.error;
    throw new TablevaultError(
      'TABLE_UNKNOWN',
      `snapshot ${manifest.snapshot} holds no table ${failed.name}: it failed (${code}: ${message})`,
      { at: { snapshot: manifest.snapshot }, hint: 'Name another snapshot with --snapshot, or take a new one.' },
    );
  }
  return chooseByGlobs(manifest.tables, globs, {
    none: `no table of snapshot ${manifest.snapshot}`,
    hint: '`tablevault show` lists its tables; upper and lower case count.',
  });
}
