/** Writes the index on: what a new snapshot adds to it, and what an older vault lacks of it. */
import { hasCode } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import { INDEX, indexKey } from '../layout.ts';
import type { Vault } from '../vault.ts';
import { type Catalog, readCatalog, withTombstones } from './catalog.ts';
import type { ChainEntry } from './entry.ts';
import { firstOf, indexBytes, objectsFor } from './index-objects.ts';

/**
 * Writes the objects that the chain up to the catalog's head lacks, takes the place of those that are damaged or tell what is not so, and
 * removes those that later ones hold. Where a place is unknown (missing, or damaged), nothing from there on is indexed.
 *
 * @param abandoned runs that are known to be given up
 * @throws TablevaultError of the store, when an object can be neither written nor found. A caller may go on: the index only saves work.
 */
export async function writeIndex(
  vault: Vault,
  catalog: Catalog,
  abandoned: ReadonlySet<string>,
  call: CallOptions = {},
): Promise<void> {
  // The index keeps what it told of a manifest that was lost since: its hash, and whose it was.
  const entries = new Map([...catalog.presumed, ...(await withTombstones(vault, catalog, call))]);
  const damaged = new Set(catalog.damagedIndex.map(({ key }) => key));
  // Where the index could not even be listed, it cannot be written either.
  if (damaged.has(INDEX)) return;
  const present = new Set(catalog.index.filter((to) => !damaged.has(indexKey(to))));
  const wanted = objectsFor(catalog.head);
  for (const to of wanted.toReversed()) {
    if (present.has(to)) continue;
    const from = firstOf(to);
    const own: ChainEntry[] = [];
    for (let sequence = from; sequence <= to; sequence += 1) {
      const entry = entries.get(sequence);
      if (entry === undefined) return;
      own.push(entry);
    }
    const bytes = indexBytes({ vault: vault.info.id, from, to, entries: own, abandoned: [...abandoned] });
    if (damaged.has(indexKey(to))) await vault.store.replace(indexKey(to), bytes, call);
    else await putIfAbsent(vault.store, indexKey(to), bytes, call);
  }
  // A reader may have listed the one before.
  const kept = new Set([...wanted, ...objectsFor(catalog.head - 1)]);
  try {
    for (const to of catalog.index) {
      const isOver = to < catalog.head ? !kept.has(to) : to > catalog.head && damaged.has(indexKey(to));
      if (isOver) await vault.store.remove(indexKey(to), call);
    }
  } catch (error) {
    // A role that may only create leaves them to prune.
    if (!hasCode(error, 'DESTINATION_DENIED')) throw error;
  }
}

/** How long the index may take after a commit, ms: it only saves later work. */
const INDEX_MS = 60_000;

/** What the vault held before a commit. */
export interface KnownBefore {
  readonly catalog: Catalog;
  readonly abandoned: ReadonlySet<string>;
}

/** Writes the index on after a commit. The snapshot is published: nothing that fails here changes that. */
export async function indexCommitted(
  vault: Vault,
  { catalog: before, abandoned }: KnownBefore,
  committed: ChainEntry,
  emit: Emit = () => {},
): Promise<void> {
  const call = { signal: AbortSignal.timeout(INDEX_MS) };
  try {
    const known = new Map([...before.entries, [committed.sequence, committed] as const]);
    await writeIndex(vault, await readCatalog(vault, call, known), abandoned, call);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    emit({ type: 'log', level: 'info', message: `the index of the vault was not written on: ${why}` });
  }
}
