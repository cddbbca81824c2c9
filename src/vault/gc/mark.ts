/** Marks: what a vault needs, and what became of its runs. Reads, and removes nothing. */
import pLimit from 'p-limit';
import { asTablevaultError, hasCode, TablevaultError } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import { type Catalog, readCatalog, withTombstones } from '../chain/catalog.ts';
import type { ChainEntry } from '../chain/entry.ts';
import type { Manifest } from '../chain/manifest.ts';
import { missingPlaces } from '../chain/places.ts';
import { readTombstone, tombstoneFault } from '../chain/tombstones.ts';
import { readReferences } from '../commit/refs.ts';
import { listRuns, readOutcome } from '../commit/run.ts';
import { snapshotKey } from '../layout.ts';
import { readStoredManifest, type Vault } from '../vault.ts';
import { readPinned } from './pins.ts';

const READERS = 4;
/** Times that the vault is looked at while others sweep it. */
const LOOKS = 5;

/** A retired snapshot whose manifest is still stored. */
export interface RetiredManifest {
  readonly sequence: number;
  readonly run: string;
  readonly bytes: number;
  readonly parts: readonly string[];
  /** When it was retired, by the store's clock; null when it is only planned to be. */
  readonly retiredMs: number | null;
  /** An undecided run means to use its parts. */
  readonly referenced: boolean;
}

/** What became of a run: `published` has a live manifest, `retired` a tombstone, `decided` neither yet. */
export type RunState = 'undecided' | 'abandoned' | 'decided' | 'published' | 'retired';

/** What the vault needs, as data. */
export interface Marks {
  /** Parts of live snapshots and of commits that were decided and not published. */
  readonly needed: ReadonlySet<string>;
  readonly retired: readonly RetiredManifest[];
  readonly runs: ReadonlyMap<string, RunState>;
  /** Number of live snapshots; 0 stops a sweep. */
  readonly live: number;
  /** By their run, retired places whose manifest is gone: their tombstones were not read yet. */
  readonly swept: ReadonlyMap<string, ChainEntry>;
}

/**
 * Marks what must stay, in steps whose order matters: what the chain holds; the pins; runs with their outcomes and references; the manifests.
 * A pinned snapshot whose manifest is stored is live, whatever tombstone a prune left that was ended: whoever pins one that has a tombstone by
 * then is told so. A tombstone counts when it was read and is of the manifest at its place. Every
 * tombstone this process wrote is there before the runs are read: a run that refers to a retired snapshot either shows its reference here,
 * or sees the tombstone. A run that begins later is not known here, and nothing of an unknown run is swept.
 *
 * @param retiring sequences to treat as if they had a tombstone (a dry run).
 * @throws TablevaultError when any manifest, tombstone, outcome or reference cannot be read, a place is missing, or a manifest is not the one
 * that was indexed: what it protects is unknown.
 */
export async function readMarks(vault: Vault, retiring: ReadonlySet<number>, call: CallOptions = {}): Promise<Marks> {
  for (let look = 1; look <= LOOKS; look += 1) {
    const marks = await markOnce(vault, retiring, call);
    if (marks !== undefined) return marks;
  }
  throw new TablevaultError(
    'LOCKED',
    `nothing was removed: others retire and remove snapshots of ${vault.store.uri} at once`,
    {
      at: { vault: vault.store.uri },
      hint: 'Let one prune run at a time, and run again.',
    },
  );
}

/**
 * Undefined when a snapshot that was live was retired and swept meanwhile: what it held may be in use by runs that began since, of which only a
 * later look tells.
 */
async function markOnce(vault: Vault, retiring: ReadonlySet<number>, call: CallOptions): Promise<Marks | undefined> {
  const catalog = await readCatalog(vault, call);
  for (const fault of catalog.unreadable.values()) throw notPruned(vault, fault);
  const missing = missingPlaces({
    missing: [...catalog.missing, ...(catalog.lost === undefined ? [] : [catalog.lost])],
  });
  if (missing !== undefined) {
    throw new TablevaultError('VAULT_CORRUPT', `${missing}, so prune removes nothing`, {
      at: { vault: vault.store.uri },
      hint: 'Only the manifest says which parts the snapshot needs. Restore it from a copy of the vault.',
    });
  }
  const stored = new Set(catalog.stored);
  const pinned = new Set([...(await readPinned(vault, call))].filter((sequence) => stored.has(sequence)));
  const isRetired: IsRetired = (sequence) =>
    (catalog.retiredMs.has(sequence) && !pinned.has(sequence)) || retiring.has(sequence);
  const places = await withTombstones(vault, catalog, call);
  const runs = await readRuns(vault, stateOfRuns(places, isRetired), call);
  const manifests = await readManifests(vault, catalog, { isRetired, places, referenced: runs.referenced }, call);
  if (manifests === undefined) return undefined;

  const states = new Map(runs.states);
  const needed = new Set(manifests.needed);
  const published = new Map([...places.values()].map(({ nonce, sequence }) => [nonce, sequence]));
  for (const { run, nonce, parts } of runs.decided) {
    const sequence = published.get(nonce);
    if (sequence === undefined) {
      states.set(run, 'decided');
      for (const part of parts) needed.add(part);
    } else states.set(run, isRetired(sequence) ? 'retired' : 'published');
  }
  const gone = [...places.values()].filter(({ sequence }) => catalog.retiredMs.has(sequence) && !stored.has(sequence));
  const swept = new Map(gone.map((entry) => [entry.run, entry]));
  return { needed, retired: manifests.retired, runs: states, live: manifests.live, swept };
}

/** Is a snapshot retired, or to be treated so? */
type IsRetired = (sequence: number) => boolean;

/**
 * Reads the tombstones of the snapshots whose last objects a plan removes. Those of stored manifests were read when they were marked.
 * @throws TablevaultError `VAULT_CORRUPT` when one cannot be read, or is of another snapshot: then nobody retired that one
 */
export async function confirmTombstones(
  vault: Vault,
  swept: Marks['swept'],
  freed: Iterable<string>,
  call: CallOptions = {},
): Promise<void> {
  const fewAtOnce = pLimit(READERS);
  const entries = [...new Set(freed)].flatMap((run) => swept.get(run) ?? []);
  const confirm = async (entry: ChainEntry) => {
    const fault = await tombstoneFault(vault.store, entry.sequence, entry, call);
    if (fault !== undefined) throw notPruned(vault, fault);
  };
  await Promise.all(entries.map((entry) => fewAtOnce(() => confirm(entry))));
}

/** What became of the runs whose snapshot has a place in the chain. */
function stateOfRuns(places: ReadonlyMap<number, ChainEntry>, isRetired: IsRetired): Map<string, RunState> {
  return new Map(
    [...places.values()].map(({ run, sequence }): [string, RunState] => [
      run,
      isRetired(sequence) ? 'retired' : 'published',
    ]),
  );
}

interface Runs {
  /** Of all runs but those whose commit was decided and whose place in the chain is not known. */
  readonly states: ReadonlyMap<string, RunState>;
  readonly decided: readonly { readonly run: string; readonly nonce: string; readonly parts: readonly string[] }[];
  /** Sequences that undecided runs refer to. */
  readonly referenced: ReadonlySet<number>;
}

/** @param states of runs that need not be looked at; completed by those of the others */
async function readRuns(vault: Vault, states: Map<string, RunState>, call: CallOptions): Promise<Runs> {
  const fewAtOnce = pLimit(READERS);
  const decided: { readonly run: string; readonly nonce: string; readonly parts: readonly string[] }[] = [];
  const referenced = new Set<number>();
  const readOne = async (run: string) => {
    const { outcome, references } = await readRun(vault, run, call);
    if (outcome?.outcome === 'abandoned') states.set(run, 'abandoned');
    else if (outcome !== undefined) decided.push({ run, nonce: outcome.nonce, parts: partsOf(outcome.manifest) });
    else {
      states.set(run, 'undecided');
      for (const { snapshot } of references) referenced.add(snapshot.sequence);
    }
  };
  const unknown = (await listRuns(vault, call)).filter((run) => !states.has(run));
  await Promise.all(unknown.map((run) => fewAtOnce(() => readOne(run))));
  return { states, decided, referenced };
}

interface Manifests {
  /** Parts of live snapshots. */
  readonly needed: ReadonlySet<string>;
  readonly live: number;
  readonly retired: readonly RetiredManifest[];
}

async function readManifests(
  vault: Vault,
  catalog: Catalog,
  {
    isRetired,
    places,
    referenced,
  }: {
    readonly isRetired: IsRetired;
    readonly places: ReadonlyMap<number, ChainEntry>;
    readonly referenced: ReadonlySet<number>;
  },
  call: CallOptions,
): Promise<Manifests | undefined> {
  const fewAtOnce = pLimit(READERS);
  const needed = new Set<string>();
  const retired: RetiredManifest[] = [];
  let live = 0;
  let isOutdated = catalog.live.length < catalog.stored.filter((sequence) => !catalog.retiredMs.has(sequence)).length;
  const readOne = async (sequence: number) => {
    const found = await manifestOf(vault, sequence, catalog, call);
    if (found === undefined) {
      isOutdated ||= !catalog.retiredMs.has(sequence);
      return;
    }
    const parts = partsOf(found.manifest);
    if (!isRetired(sequence)) {
      live += 1;
      for (const part of parts) needed.add(part);
      return;
    }
    const { run, snapshot } = found.manifest;
    const retiredMs = catalog.retiredMs.get(sequence) ?? null;
    // A slow writer may have put another manifest at the place since: then the chain tells what was retired there.
    const named = places.get(sequence + 1)?.parent;
    const held = named == null ? { snapshot, sha256: found.sha256 } : { sha256: named };
    const fault = retiredMs === null ? undefined : await tombstoneFault(vault.store, sequence, held, call);
    if (fault !== undefined) throw notPruned(vault, fault);
    retired.push({ sequence, run, bytes: found.bytes, parts, retiredMs, referenced: referenced.has(sequence) });
  };
  await Promise.all(catalog.stored.map((sequence) => fewAtOnce(() => readOne(sequence))));
  if (isOutdated) return undefined;
  return { needed, live, retired: retired.sort((a, b) => a.sequence - b.sequence) };
}

/** Outcome and references of a run; read again when another prune sweeps them at the same time. */
async function readRun(vault: Vault, run: string, call: CallOptions) {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await readOutcome(vault, run, call);
    if (outcome !== undefined) return { outcome, references: [] };
    try {
      const references = await readReferences(vault, run, call);
      // A run may be decided while its references are read.
      return { outcome: await readOutcome(vault, run, call), references };
    } catch (error) {
      if (!hasCode(error, 'OBJECT_MISSING') || attempt === 3) throw error;
    }
  }
}

/** A stored manifest; undefined when it is retired and another process has swept it meanwhile. */
async function manifestOf(vault: Vault, sequence: number, { entries, retiredMs }: Catalog, call: CallOptions) {
  try {
    const found = await readStoredManifest(vault, sequence, call);
    const indexed = retiredMs.has(sequence) ? undefined : entries.get(sequence);
    if (indexed === undefined || indexed.sha256 === found.sha256) return found;
    throw new TablevaultError('VAULT_CORRUPT', `${snapshotKey(sequence)} is not the manifest that was indexed`);
  } catch (error) {
    const gone = hasCode(error, 'OBJECT_MISSING');
    if (gone && (retiredMs.has(sequence) || (await readTombstone(vault.store, sequence, call)) !== undefined))
      return undefined;
    throw notPruned(vault, error, sequence);
  }
}

function notPruned(vault: Vault, cause: unknown, sequence?: number): TablevaultError {
  const fault = asTablevaultError(cause);
  const object = sequence === undefined ? String(fault.at['object']) : snapshotKey(sequence);
  return new TablevaultError('VAULT_CORRUPT', `prune removes nothing: ${fault.message}`, {
    at: { vault: vault.store.uri, object },
    cause,
    hint: 'What it protects is unknown. Run `tablevault verify`, and restore the object from a copy of the vault.',
  });
}

const partsOf = (manifest: Pick<Manifest, 'tables'>): string[] =>
  manifest.tables.flatMap((table) => table.parts.map((part) => part.key));
