/** The catalog: what a vault holds, told by the index where there is one, and by the manifests where there is none. */
import pLimit from 'p-limit';
import { hasCode, TablevaultError } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import { partInQuarantine, QUARANTINE, snapshotKey } from '../layout.ts';
import { readIfLive, type StoredManifest, type Vault } from '../vault.ts';
import { type ChainEntry, entryOfManifest, entryOfTombstone, isLive, type LiveEntry } from './entry.ts';
import { contradictedPlace, type DamagedIndex, openIndex, placesBehind } from './index-trust.ts';
import { isTaken, type PlaceRange, type Places, readPlaces } from './places.ts';
import { distinctSeries, isSameSeries, type Series } from './series.ts';
import { readTombstone, tombstoneFault } from './tombstones.ts';

/** Manifests read at once. */
const READERS = 4;
/** Times that the chain is listed while it grows. */
const LOOKS = 5;

export interface Catalog extends Places {
  /** Entries of live snapshots, ascending. */
  readonly snapshots: readonly LiveEntry[];
  /** Places whose manifest had to be read and could not be, or that a tombstone hides that is not theirs. */
  readonly unreadable: ReadonlyMap<number, TablevaultError>;
  /** Places behind the head of which the index tells: their manifests are missing. */
  readonly lost: PlaceRange | undefined;
  /** What is known of the places that are live or retired. Of retired ones only the index tells. */
  readonly entries: ReadonlyMap<number, ChainEntry>;
  /** What the index tells of places whose manifest is missing or cannot be read. */
  readonly presumed: ReadonlyMap<number, ChainEntry>;
  /** How many parts a live snapshot lacks, by its sequence: those that `repair` put into quarantine and nobody has put back. */
  readonly lacking: ReadonlyMap<number, number>;
  /** Runs that were given up, as far as the index tells. */
  readonly abandoned: ReadonlySet<string>;
  /** Numbers of the index objects, ascending, also of those that cannot be read. */
  readonly index: readonly number[];
  /** Objects of the index that are of no use: the next writer writes them anew. */
  readonly damagedIndex: readonly DamagedIndex[];
  /** What those told of places that hold something else. */
  readonly contradicted: ReadonlyMap<number, ChainEntry>;
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
  const index = await openIndex(vault, call);
  const reader = readerOf(vault, places, known, call);
  const { read, faults, retiredSince } = reader;
  const fewAtOnce = pLimit(READERS);
  const contradicted = new Map<number, ChainEntry>();
  let lacking: Catalog['lacking'] | undefined;
  for (;;) {
    const told = await index.read(places.head);
    const wrong = await contradictedPlace(told.entries, { ...reader, head: places.head });
    if (wrong !== undefined) {
      contradicted.set(wrong, told.entries.get(wrong)!);
      index.drop(wrong);
      continue;
    }
    const entries = new Map([...told.entries].filter(([sequence]) => sequence <= places.head));
    for (const [sequence, entry] of read) entries.set(sequence, entry);
    const live = places.live.filter((sequence) => !retiredSince.has(sequence));
    const snapshots = live.flatMap((sequence) => {
      const entry = entries.get(sequence);
      return entry !== undefined && isLive(entry) && !faults.has(sequence) ? [entry] : [];
    });
    const isUnknown = (sequence: number) => {
      const entry = entries.get(sequence);
      return entry?.summary == null || entry.bytes !== places.storedBytes.get(sequence);
    };
    const newest = newestOfEach(snapshots, lacking ?? new Map());
    const wanted = [...live.filter(isUnknown), ...newest.map(({ sequence }) => sequence)];
    const unread = [...new Set(wanted)].filter((sequence) => !read.has(sequence) && !faults.has(sequence));
    if (unread.length > 0) {
      await Promise.all(unread.map((sequence) => fewAtOnce(() => reader.look(sequence))));
      continue;
    }
    if (lacking === undefined) {
      lacking = await lackingParts(vault, snapshots, call);
      if (lacking.size > 0) continue;
    }
    const unreadable = new Map([...faults].filter(([sequence]) => live.includes(sequence)));
    for (const [sequence, fault] of await hiddenWrongly(vault, { places, entries, newest }, call))
      unreadable.set(sequence, fault);
    const isPresumed = (sequence: number) =>
      unreadable.has(sequence) || places.missing.some(({ from, to }) => from <= sequence && sequence <= to);
    const behind = placesBehind(told.entries, places.head);
    // Published since the chain was listed.
    const hasGrown = behind !== undefined && (await isTaken(vault, behind.from, call));
    const catalog: Catalog = {
      ...places,
      live,
      snapshots,
      lacking,
      unreadable,
      lost: hasGrown ? undefined : behind,
      entries: new Map([...entries].filter(([sequence]) => !isPresumed(sequence))),
      presumed: new Map([...entries].filter(([sequence]) => isPresumed(sequence))),
      abandoned: told.abandoned,
      index: index.numbers,
      damagedIndex: index.damaged,
      contradicted,
    };
    return { catalog, isOutdated: retiredSince.size > 0 || hasGrown };
  }
}

/** Reads places of the chain, each once. What a caller knows of them counts as read. */
function readerOf(vault: Vault, places: Places, known: ReadonlyMap<number, ChainEntry>, call: CallOptions) {
  const [live, stored] = [new Set(places.live), new Set(places.stored)];
  // A live place is known by its manifest alone.
  const read = new Map([...known].filter(([sequence, entry]) => !live.has(sequence) || isLive(entry)));
  const faults = new Map<number, TablevaultError>();
  const retiredSince = new Set<number>();
  const readOne = async (sequence: number): Promise<ChainEntry | undefined> => {
    const found = stored.has(sequence) ? await readIfLive(vault, sequence, call) : undefined;
    if (found !== undefined) return entryOfManifest(found.manifest, found.sha256, found.bytes);
    if (live.has(sequence)) retiredSince.add(sequence);
    const tombstone = await readTombstone(vault.store, sequence, call);
    return tombstone === undefined ? undefined : entryOfTombstone(tombstone);
  };
  const look = async (sequence: number): Promise<ChainEntry | undefined> => {
    if (read.has(sequence) || faults.has(sequence)) return read.get(sequence);
    try {
      const entry = await readOne(sequence);
      if (entry !== undefined) read.set(sequence, entry);
      return entry;
    } catch (error) {
      if (!hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING')) throw error;
      faults.set(sequence, error);
      return undefined;
    }
  };
  return { read, faults, retiredSince, look };
}

/** The newest whole snapshot of each series. */
function newestOfEach(snapshots: readonly LiveEntry[], lacking: Catalog['lacking']): readonly LiveEntry[] {
  const newest = new Map<string, LiveEntry>();
  for (const entry of snapshots) {
    const { sequence, summary } = entry;
    if (isWhole({ ...summary, missingParts: lacking.get(sequence) ?? 0 }))
      newest.set(JSON.stringify([summary.pipeline, summary.database]), entry);
  }
  return [...newest.values()];
}

/**
 * Stored manifests that a tombstone hides which cannot be read or is not theirs, as far as they are newer than the newest whole snapshot of their
 * series: retention never retires those.
 */
async function hiddenWrongly(
  vault: Vault,
  { places, entries, newest }: { places: Places; entries: Catalog['entries']; newest: readonly LiveEntry[] },
  call: CallOptions,
): Promise<ReadonlyMap<number, TablevaultError>> {
  const wrong = new Map<number, TablevaultError>();
  for (const sequence of places.stored.filter((each) => places.retiredMs.has(each))) {
    const entry = entries.get(sequence);
    const isOlder = newest.some(
      (each) => each.sequence > sequence && entry?.summary != null && isSameSeries(each.summary, entry.summary),
    );
    if (isOlder) continue;
    const fault = await tombstoneFault(vault.store, sequence, entry, call);
    if (fault !== undefined) wrong.set(sequence, fault);
  }
  return wrong;
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

/** A place, or several side by side, of which nobody knows what they hold. */
export interface Unknown extends PlaceRange {
  readonly fault: TablevaultError;
}

/** Places whose manifest is missing or cannot be read, ascending. */
export function unknownPlaces({ unreadable, missing, lost }: Catalog): readonly Unknown[] {
  const damaged = [...unreadable].map(([sequence, fault]): Unknown => ({ from: sequence, to: sequence, fault }));
  const gone = [...missing, ...(lost === undefined ? [] : [lost])].map((range): Unknown => {
    const [first, last] = [snapshotKey(range.from), snapshotKey(range.to)];
    const what = range.to > range.from ? `the manifests from ${first} to ${last} are missing` : `${first} is missing`;
    const fault = new TablevaultError('VAULT_CORRUPT', what, {
      at: { object: first },
      hint: 'Run `tablevault verify`, and restore the manifest from a copy of the vault. Older snapshots can be used by their number.',
    });
    return { ...range, fault };
  });
  return [...damaged, ...gone].sort((a, b) => a.from - b.from);
}

/**
 * The newest whole snapshot of a series; undefined when there is none.
 * @param onFault told of a later manifest that is missing or cannot be read. Default: it is thrown, since an older snapshot is never given
 * for a newer one.
 */
export function newestComplete(
  catalog: Catalog,
  series: Series,
  onFault: (fault: TablevaultError) => void = (fault) => {
    throw fault;
  },
): LiveEntry | undefined {
  const newest = catalog.snapshots.findLast(
    ({ sequence, summary }) =>
      isWhole({ ...summary, missingParts: catalog.lacking.get(sequence) ?? 0 }) && isSameSeries(summary, series),
  );
  const later = unknownPlaces(catalog).find(({ to }) => to > (newest?.sequence ?? 0));
  if (later !== undefined) onFault(later.fault);
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
