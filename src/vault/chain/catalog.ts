/** The catalog: what a vault holds, told by the index where there is one, and by the manifests where there is none. */
import pLimit from 'p-limit';
import { asTablevaultError, hasCode, TablevaultError } from '../../core/errors.ts';
import { plural } from '../../core/words.ts';
import { getIfPresent } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import {
  INDEX,
  indexKey,
  partInQuarantine,
  QUARANTINE,
  SNAPSHOTS,
  sequenceOf,
  snapshotKey,
  TOMBSTONES,
  tombstoneKey,
} from '../layout.ts';
import { readIfLive, type StoredManifest, type Vault } from '../vault.ts';
import { type ChainEntry, entryOfManifest, entryOfTombstone, isLive, type LiveEntry } from './entry.ts';
import { type IndexObject, parseIndex, planIndexReads } from './index-objects.ts';
import { distinctSeries, isSameSeries, type Series } from './series.ts';
import { readTombstone } from './tombstones.ts';

/** Manifests read at once. */
const READERS = 4;
/** Places that may be missing side by side; what lies farther on was not put there by tablevault. */
const MOST_MISSING = 1000;
/** Times that the chain is listed while it grows. */
const LOOKS = 5;
/** Objects so far away that they are strays; more of them are the chain, and what lies before them is lost. */
const MOST_STRAYS = 3;

/** Places of the chain, both ends included. */
export interface PlaceRange {
  readonly from: number;
  readonly to: number;
}

/** What can be told of a vault by its listings alone. */
export interface Places {
  /** Sequences with a manifest and no tombstone, ascending. */
  readonly live: readonly number[];
  /** Sequences with a manifest, ascending, retired or not. */
  readonly stored: readonly number[];
  /** Sequences with a tombstone, ascending, whether their manifest still exists or not. */
  readonly retired: readonly number[];
  /** When they were retired, by the store's clock. */
  readonly retiredMs: ReadonlyMap<number, number>;
  /** The greatest of both, 0 for an empty vault. */
  readonly head: number;
  /** Places before the head with neither, ascending. */
  readonly missing: readonly PlaceRange[];
  /** Sequences far behind the head, which are no part of the chain. */
  readonly strays: readonly number[];
}

export interface Catalog extends Places {
  /** Entries of live snapshots, ascending. */
  readonly snapshots: readonly LiveEntry[];
  /** Live places whose manifest had to be read, since the index does not hold them, and could not be. */
  readonly unreadable: ReadonlyMap<number, TablevaultError>;
  /** What is known of all places. Of a retired one only the index tells. */
  readonly entries: ReadonlyMap<number, ChainEntry>;
  /** How many parts a live snapshot lacks, by its sequence: those that `repair` put into quarantine and nobody has put back. */
  readonly lacking: ReadonlyMap<number, number>;
  /** Runs that were given up, as far as the index tells. */
  readonly abandoned: ReadonlySet<string>;
  /** Numbers of the index objects, ascending, also of those that cannot be read. */
  readonly index: readonly number[];
  readonly damagedIndex: readonly { readonly key: string; readonly message: string }[];
}

/** Objects of the chain by their place, with the time at which they were stored. */
type Stored = Map<number, number>;

/** Lists the places of the chain. Readers go by this, never by `latest.json`. */
export async function readPlaces(vault: Vault, call: CallOptions = {}): Promise<Places> {
  for (let look = 1; ; look += 1) {
    // Snapshots first: one that is retired meanwhile is then seen as retired.
    const stored = await storedIn(vault, SNAPSHOTS, call);
    const retired = await storedIn(vault, TOMBSTONES, call);
    const seen = placesOf(stored, retired);
    const found = await addOverlooked(vault, seen.missing, { stored, retired }, call);
    const places = found ? placesOf(stored, retired) : seen;
    // Whoever retires a snapshot keeps a later one. Where that was committed between the two listings, neither shows a live one.
    if (retired.size === 0 || look === LOOKS || !(await isTaken(vault, places.head + 1, call))) return places;
  }
}

/** Is there a manifest or a tombstone at a place? */
export async function isTaken({ store }: Vault, sequence: number, call: CallOptions = {}): Promise<boolean> {
  const found = (await store.head(snapshotKey(sequence), call)) ?? (await store.head(tombstoneKey(sequence), call));
  return found !== undefined;
}

/** Orders what listings gave. Pure. */
export function placesOf(stored: ReadonlyMap<number, number>, retired: ReadonlyMap<number, number>): Places {
  const known = [...new Set([...stored.keys(), ...retired.keys()])].sort((a, b) => a - b);
  const missing: PlaceRange[] = [];
  let head = 0;
  for (const [i, sequence] of known.entries()) {
    if (sequence - head - 1 > MOST_MISSING && known.length - i <= Math.min(MOST_STRAYS, i)) break;
    if (sequence > head + 1) missing.push({ from: head + 1, to: sequence - 1 });
    head = sequence;
  }
  const isPlace = (sequence: number) => sequence <= head;
  return {
    live: known.filter((sequence) => isPlace(sequence) && !retired.has(sequence)),
    stored: known.filter((sequence) => isPlace(sequence) && stored.has(sequence)),
    retired: known.filter((sequence) => isPlace(sequence) && retired.has(sequence)),
    retiredMs: retired,
    head,
    missing,
    strays: known.filter((sequence) => !isPlace(sequence)),
  };
}

async function storedIn(vault: Vault, folder: string, call: CallOptions): Promise<Stored> {
  const found: Stored = new Map();
  for await (const { key, modifiedMs } of vault.store.list(folder, call)) {
    const sequence = sequenceOf(key, folder);
    if (sequence !== undefined) found.set(sequence, modifiedMs);
  }
  return found;
}

/** A folder's listing may overlook what is created while it is read: each place that seems empty is looked at. False: none was overlooked. */
async function addOverlooked(
  { store }: Vault,
  missing: readonly PlaceRange[],
  { stored, retired }: { readonly stored: Stored; readonly retired: Stored },
  call: CallOptions,
): Promise<boolean> {
  const before = stored.size + retired.size;
  for (const { from, to } of missing) {
    if (to - from >= MOST_MISSING) continue;
    for (let sequence = from; sequence <= to; sequence += 1) {
      const manifest = await store.head(snapshotKey(sequence), call);
      if (manifest !== undefined) stored.set(sequence, manifest.modifiedMs);
      const tombstone = await store.head(tombstoneKey(sequence), call);
      if (tombstone !== undefined) retired.set(sequence, tombstone.modifiedMs);
    }
  }
  return stored.size + retired.size > before;
}

/**
 * Reads what a vault holds. The cost depends on the snapshots since the last that was indexed, not on the age of the vault.
 * @param known entries that the caller read before, of manifests that need not be read again
 */
export async function readCatalog(
  vault: Vault,
  call: CallOptions = {},
  known: ReadonlyMap<number, ChainEntry> = new Map(),
): Promise<Catalog> {
  let read = await readOnce(vault, call, known);
  // What replaced a snapshot that was retired meanwhile is not in it.
  for (let look = 2; read.isOutdated && look <= LOOKS; look += 1) {
    read = await readOnce(vault, call, read.catalog.entries);
  }
  return read.catalog;
}

async function readOnce(
  vault: Vault,
  call: CallOptions,
  known: ReadonlyMap<number, ChainEntry>,
): Promise<{ readonly catalog: Catalog; readonly isOutdated: boolean }> {
  const places = await readPlaces(vault, call);
  const index = [...(await storedIn(vault, INDEX, call)).keys()].sort((a, b) => a - b);
  const { objects, damaged } = await readIndex(vault, index, places.head, call);
  const entries = new Map(known);
  for (const object of objects) for (const entry of object.entries) entries.set(entry.sequence, entry);

  const fewAtOnce = pLimit(READERS);
  const unreadable = new Map<number, TablevaultError>();
  const retiredSince: number[] = [];
  const readOne = async (sequence: number) => {
    try {
      const found = await readIfLive(vault, sequence, call);
      if (found === undefined) retiredSince.push(sequence);
      else entries.set(sequence, entryOfManifest(found.manifest, found.sha256));
    } catch (error) {
      if (!hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING')) throw error;
      unreadable.set(sequence, error);
    }
  };
  const unknown = places.live.filter((sequence) => entries.get(sequence)?.summary == null);
  await Promise.all(unknown.map((sequence) => fewAtOnce(() => readOne(sequence))));
  const live = places.live.filter((sequence) => !retiredSince.includes(sequence));
  const snapshots = live.flatMap((sequence) => {
    const entry = entries.get(sequence);
    return entry !== undefined && isLive(entry) ? [entry] : [];
  });
  const catalog: Catalog = {
    ...places,
    live,
    snapshots,
    lacking: await lackingParts(vault, snapshots, call),
    unreadable,
    entries,
    abandoned: new Set(objects.flatMap(({ abandoned }) => abandoned)),
    index,
    damagedIndex: damaged,
  };
  return { catalog, isOutdated: retiredSince.length > 0 };
}

/** The objects of the index that cover most of the chain. One that cannot be read is done without. */
async function readIndex(vault: Vault, index: readonly number[], head: number, call: CallOptions) {
  const objects = new Map<number, IndexObject>();
  const damaged: { readonly key: string; readonly message: string }[] = [];
  const usable = new Set(index);
  for (;;) {
    const next = planIndexReads(usable, head).objects.find((to) => !objects.has(to));
    if (next === undefined) break;
    const key = indexKey(next);
    try {
      const bytes = await getIfPresent(vault.store, key, call);
      if (bytes !== undefined) {
        objects.set(next, parseIndex(bytes, key, next));
        continue;
      }
    } catch (error) {
      if (!hasCode(error, 'VAULT_CORRUPT')) throw error;
      damaged.push({ key, message: asTablevaultError(error).message });
    }
    // Removed since it was listed, or damaged.
    usable.delete(next);
  }
  const chosen = planIndexReads(usable, head).objects;
  return { objects: chosen.map((to) => objects.get(to)!), damaged };
}

/**
 * The entries of a catalog, and those of retired places that only a tombstone tells of.
 * @param onDamage told of a tombstone that cannot be read. Default: it is thrown.
 */
export async function withTombstones(
  vault: Vault,
  { entries, retired }: Pick<Catalog, 'entries' | 'retired'>,
  call: CallOptions = {},
  onDamage: (fault: TablevaultError, sequence: number) => void = (fault) => {
    throw fault;
  },
): Promise<ReadonlyMap<number, ChainEntry>> {
  const all = new Map(entries);
  const fewAtOnce = pLimit(READERS);
  const readOne = async (sequence: number) => {
    try {
      const tombstone = await readTombstone(vault.store, sequence, call);
      if (tombstone !== undefined) all.set(sequence, entryOfTombstone(tombstone));
    } catch (error) {
      if (!hasCode(error, 'VAULT_CORRUPT')) throw error;
      onDamage(error, sequence);
    }
  };
  const unknown = retired.filter((sequence) => !all.has(sequence));
  await Promise.all(unknown.map((sequence) => fewAtOnce(() => readOne(sequence))));
  return all;
}

/** Parts in quarantine, but for those that are in their place again, and the snapshots that need them. */
async function lackingParts(
  vault: Vault,
  snapshots: readonly LiveEntry[],
  call: CallOptions,
): Promise<ReadonlyMap<number, number>> {
  const missing = new Set<string>();
  for await (const { key } of vault.store.list(QUARANTINE, call)) {
    const part = partInQuarantine(key);
    if (part !== undefined && (await vault.store.head(part, call)) === undefined) missing.add(part);
  }
  const lacking = new Map<number, number>();
  if (missing.size === 0) return lacking;
  const fewAtOnce = pLimit(READERS);
  const readOne = async (entry: LiveEntry) => {
    const found = await readEntry(vault, entry, call).catch((error: unknown) => {
      // Damage of its own, which whoever reads it is told of.
      if (hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING')) return undefined;
      throw error;
    });
    const parts = found?.manifest.tables.flatMap((table) => table.parts) ?? [];
    const lacks = parts.filter(({ key }) => missing.has(key)).length;
    if (lacks > 0) lacking.set(entry.sequence, lacks);
  };
  await Promise.all(snapshots.map((entry) => fewAtOnce(() => readOne(entry))));
  return lacking;
}

/** The series of the live snapshots. */
export function seriesIn(catalog: Catalog): readonly Series[] {
  return distinctSeries(catalog.snapshots.map(({ summary }) => summary));
}

/**
 * Does a snapshot count as a whole one: complete, not narrowed, and without a part that is known to be missing? Whatever looks for "the newest
 * complete snapshot" goes by this.
 */
export function isWhole(snapshot: {
  readonly complete: boolean;
  readonly narrowed: boolean;
  readonly missingParts: number;
}): boolean {
  return snapshot.complete && !snapshot.narrowed && snapshot.missingParts === 0;
}

/**
 * The newest whole snapshot of a series; undefined when there is none.
 * @throws TablevaultError the fault of a later manifest that cannot be read: an older snapshot is never given for a newer one
 */
export function newestComplete(catalog: Catalog, series: Series): LiveEntry | undefined {
  const newest = catalog.snapshots.findLast(
    ({ sequence, summary }) =>
      isWhole({ ...summary, missingParts: catalog.lacking.get(sequence) ?? 0 }) && isSameSeries(summary, series),
  );
  for (const [sequence, error] of catalog.unreadable) if (sequence > (newest?.sequence ?? 0)) throw error;
  return newest;
}

/**
 * The manifest of an entry; undefined when its snapshot was retired since the catalog was read.
 * @throws TablevaultError `VAULT_CORRUPT` when it cannot be read, or is not the one that was indexed
 */
export async function readEntry(
  vault: Vault,
  { sequence, sha256 }: ChainEntry,
  call: CallOptions = {},
): Promise<StoredManifest | undefined> {
  const found = await readIfLive(vault, sequence, call);
  if (found === undefined || found.sha256 === sha256) return found;
  throw new TablevaultError('VAULT_CORRUPT', `${snapshotKey(sequence)} is not the manifest that was indexed`, {
    at: { object: snapshotKey(sequence), vault: vault.store.uri },
    hint: 'It was changed since it was written. Run `tablevault verify --all`; restore it from a copy of the vault.',
  });
}

/** Why what is missing of the chain keeps a caller from going on; undefined when nothing is. */
export function missingPlaces({ missing }: Places): string | undefined {
  const [first] = missing;
  if (first === undefined) return undefined;
  const places = missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  return places === 1
    ? `${snapshotKey(first.from)} is missing`
    : `${plural(places, 'manifest')} are missing, the first is ${snapshotKey(first.from)}`;
}
