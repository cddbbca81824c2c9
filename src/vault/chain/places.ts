/** The places of the chain, as the listings of a vault tell them. */
import { hasCode } from '../../core/errors.ts';
import { plural } from '../../core/words.ts';
import type { CallOptions, ObjectFacts } from '../../storage/store.ts';
import { SNAPSHOTS, sequenceOf, snapshotKey, TOMBSTONES, tombstoneKey } from '../layout.ts';
import { readStoredManifest, type Vault } from '../vault.ts';
import { readTombstone } from './tombstones.ts';

/** Places that may be missing side by side; what lies farther on is the chain's only where it can be read. */
const MOST_MISSING = 1000;
/** Times that the chain is listed while it grows. */
const LOOKS = 5;
/** Objects so far away that they may be strays; more of them are the chain, and what lies before them is lost. */
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
  /** Sizes of the manifests that are stored. */
  readonly storedBytes: ReadonlyMap<number, number>;
  /** The greatest of both, 0 for an empty vault. */
  readonly head: number;
  /** Places before the head with neither, ascending. */
  readonly missing: readonly PlaceRange[];
  /** Sequences far behind the head, which are no part of the chain. */
  readonly strays: readonly number[];
}

/** Objects of the chain by their place, with their size and the time at which they were stored. */
type Stored = ReadonlyMap<number, ObjectFacts>;

/** Lists the places of the chain. Readers go by this, never by `latest.json`. */
export async function readPlaces(vault: Vault, call: CallOptions = {}): Promise<Places> {
  for (let look = 1; ; look += 1) {
    // Snapshots first: one that is retired meanwhile is then seen as retired.
    const stored = await storedIn(vault, SNAPSHOTS, call);
    const retired = await storedIn(vault, TOMBSTONES, call);
    const { strays } = placesOf(stored, retired);
    const proven = await placesAmong(vault, strays, { stored, retired }, call);
    const seen = placesOf(stored, retired, proven);
    const found = await addOverlooked(vault, seen.missing, { stored, retired }, call);
    const places = found ? placesOf(stored, retired, proven) : seen;
    // Whoever retires a snapshot keeps a later one. Where that was committed between the two listings, neither shows a live one.
    if (retired.size === 0 || look === LOOKS || !(await isTaken(vault, places.head + 1, call))) return places;
  }
}

/** Is there a manifest or a tombstone at a place? */
export async function isTaken({ store }: Vault, sequence: number, call: CallOptions = {}): Promise<boolean> {
  const found = (await store.head(snapshotKey(sequence), call)) ?? (await store.head(tombstoneKey(sequence), call));
  return found !== undefined;
}

/**
 * Orders what listings gave. Pure.
 * @param proven places whose object was read and is of its place: it is the chain's, however far away it is
 */
export function placesOf(stored: Stored, retired: Stored, proven: ReadonlySet<number> = new Set()): Places {
  const known = [...new Set([...stored.keys(), ...retired.keys()])].sort((a, b) => a - b);
  const missing: PlaceRange[] = [];
  let head = 0;
  for (const [i, sequence] of known.entries()) {
    const isFar = sequence - head - 1 > MOST_MISSING && known.length - i <= Math.min(MOST_STRAYS, i);
    if (isFar && !known.slice(i).some((each) => proven.has(each))) break;
    if (sequence > head + 1) missing.push({ from: head + 1, to: sequence - 1 });
    head = sequence;
  }
  const isPlace = (sequence: number) => sequence <= head;
  return {
    live: known.filter((sequence) => isPlace(sequence) && !retired.has(sequence)),
    stored: known.filter((sequence) => isPlace(sequence) && stored.has(sequence)),
    retired: known.filter((sequence) => isPlace(sequence) && retired.has(sequence)),
    retiredMs: new Map([...retired].map(([sequence, { modifiedMs }]) => [sequence, modifiedMs])),
    storedBytes: new Map([...stored].map(([sequence, { bytes }]) => [sequence, bytes])),
    head,
    missing,
    strays: known.filter((sequence) => !isPlace(sequence)),
  };
}

/** Those whose manifest or tombstone can be read and is of its place: what lies before them is missing, they are no strays. */
async function placesAmong(
  vault: Vault,
  strays: readonly number[],
  { stored, retired }: { readonly stored: Stored; readonly retired: Stored },
  call: CallOptions,
): Promise<ReadonlySet<number>> {
  const proven = new Set<number>();
  for (const sequence of strays) {
    try {
      if (stored.has(sequence)) await readStoredManifest(vault, sequence, call);
      else if (retired.has(sequence)) await readTombstone(vault.store, sequence, call);
      proven.add(sequence);
    } catch (error) {
      if (!hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING')) throw error;
    }
  }
  return proven;
}

async function storedIn(vault: Vault, folder: string, call: CallOptions): Promise<Map<number, ObjectFacts>> {
  const found = new Map<number, ObjectFacts>();
  for await (const { key, bytes, modifiedMs } of vault.store.list(folder, call)) {
    const sequence = sequenceOf(key, folder);
    if (sequence !== undefined) found.set(sequence, { bytes, modifiedMs });
  }
  return found;
}

/** A folder's listing may overlook what is created while it is read: each place that seems empty is looked at. False: none was overlooked. */
async function addOverlooked(
  { store }: Vault,
  missing: readonly PlaceRange[],
  { stored, retired }: { readonly stored: Map<number, ObjectFacts>; readonly retired: Map<number, ObjectFacts> },
  call: CallOptions,
): Promise<boolean> {
  const before = stored.size + retired.size;
  for (const { from, to } of missing) {
    if (to - from >= MOST_MISSING) continue;
    for (let sequence = from; sequence <= to; sequence += 1) {
      const manifest = await store.head(snapshotKey(sequence), call);
      if (manifest !== undefined) stored.set(sequence, manifest);
      const tombstone = await store.head(tombstoneKey(sequence), call);
      if (tombstone !== undefined) retired.set(sequence, tombstone);
    }
  }
  return stored.size + retired.size > before;
}

/**
 * Why what is missing of the chain keeps a caller from going on; undefined when nothing does.
 * @param presumed places of which enough is known
 */
export function missingPlaces(
  { missing }: Pick<Places, 'missing'>,
  presumed: ReadonlyMap<number, unknown> = new Map(),
): string | undefined {
  const isKnown = ({ from, to }: PlaceRange) => {
    for (let sequence = from; sequence <= to; sequence += 1) if (!presumed.has(sequence)) return false;
    return true;
  };
  const [first, ...others] = missing.filter((range) => !isKnown(range));
  if (first === undefined) return undefined;
  const places = [first, ...others].reduce((sum, { from, to }) => sum + to - from + 1, 0);
  return places === 1
    ? `${snapshotKey(first.from)} is missing`
    : `${plural(places, 'manifest')} are missing, the first is ${snapshotKey(first.from)}`;
}
