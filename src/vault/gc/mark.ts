/** Marks: what a vault needs, and what became of its runs. Reads, and removes nothing. */
import pLimit from 'p-limit';
import { hasCode, TablevaultError } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import type { Manifest } from '../chain/manifest.ts';
import { readTombstone, type Tombstone } from '../chain/tombstones.ts';
import { readReferences } from '../commit/refs.ts';
import { listRuns, readOutcome } from '../commit/run.ts';
import { doneKey, SNAPSHOTS, sequenceOf, snapshotKey, TOMBSTONES } from '../layout.ts';
import type { Vault } from '../vault.ts';
import { readStoredManifest } from '../vault.ts';

const READERS = 4;

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
  /** By the run whose snapshot was retired. */
  readonly tombstones: ReadonlyMap<string, Tombstone>;
  /** Number of live snapshots; 0 stops a sweep. */
  readonly live: number;
}

/**
 * Marks what must stay, in four steps whose order matters: the names of manifests and tombstones; runs with their outcomes and references;
 * the manifests; the tombstones. Every tombstone this process wrote is there before the runs are read: a run that refers to a retired
 * snapshot either shows its reference here, or sees the tombstone. A run that begins later is not known here, and nothing of an unknown run
 * is swept.
 *
 * @param retiring sequences to treat as if they had a tombstone (a dry run).
 * @throws TablevaultError when any manifest, tombstone, outcome or reference cannot be read: what it protects is unknown.
 */
export async function readMarks(vault: Vault, retiring: ReadonlySet<number>, call: CallOptions = {}): Promise<Marks> {
  const names = await listNames(vault, retiring, call);
  const runs = await readRuns(vault, call);
  const manifests = await readManifests(vault, names, runs.referenced, call);
  const tombstones = await readTombstones(vault, names, call);

  const states = new Map(runs.states);
  const needed = new Set(manifests.needed);
  const retiredNonces = new Set([...manifests.retiredNonces, ...[...tombstones.values()].map(({ nonce }) => nonce)]);
  for (const { run, nonce, parts } of runs.decided) {
    if (manifests.publishedNonces.has(nonce)) states.set(run, 'published');
    else if (retiredNonces.has(nonce)) states.set(run, 'retired');
    else {
      states.set(run, 'decided');
      for (const part of parts) needed.add(part);
    }
  }
  return { needed, retired: manifests.retired, runs: states, tombstones, live: manifests.publishedNonces.size };
}

/** Places of the chain: where a manifest is stored, and which are retired, with the time of their tombstone (null: only planned). */
interface Names {
  readonly stored: readonly number[];
  readonly retiredAt: ReadonlyMap<number, number | null>;
}

/** Manifests first: one that is retired meanwhile is then seen as retired. */
async function listNames(vault: Vault, retiring: ReadonlySet<number>, call: CallOptions): Promise<Names> {
  const stored: number[] = [];
  for await (const { key } of vault.store.list(SNAPSHOTS, call)) {
    const sequence = sequenceOf(key, SNAPSHOTS);
    if (sequence !== undefined) stored.push(sequence);
  }
  const retiredAt = new Map<number, number | null>([...retiring].map((sequence) => [sequence, null]));
  for await (const { key, modifiedMs } of vault.store.list(TOMBSTONES, call)) {
    const sequence = sequenceOf(key, TOMBSTONES);
    if (sequence !== undefined) retiredAt.set(sequence, modifiedMs);
  }
  await addOverlooked(vault, stored, retiredAt, call);
  return { stored, retiredAt };
}

interface Runs {
  /** Of all runs but those whose commit was decided: what became of these, only the chain tells. */
  readonly states: ReadonlyMap<string, RunState>;
  readonly decided: readonly { readonly run: string; readonly nonce: string; readonly parts: readonly string[] }[];
  /** Sequences that undecided runs refer to. */
  readonly referenced: ReadonlySet<number>;
}

async function readRuns(vault: Vault, call: CallOptions): Promise<Runs> {
  const states = new Map<string, RunState>();
  const decided: { readonly run: string; readonly nonce: string; readonly parts: readonly string[] }[] = [];
  const referenced = new Set<number>();
  for (const run of await listRuns(vault, call)) {
    const { outcome, references, isOver } = await readRun(vault, run, call);
    if (outcome?.outcome === 'abandoned') states.set(run, 'abandoned');
    else if (outcome !== undefined) decided.push({ run, nonce: outcome.nonce, parts: partsOf(outcome.manifest) });
    else {
      states.set(run, isOver ? 'retired' : 'undecided');
      for (const { snapshot } of references) referenced.add(snapshot.sequence);
    }
  }
  return { states, decided, referenced };
}

interface Manifests {
  /** Parts of live snapshots. */
  readonly needed: ReadonlySet<string>;
  readonly publishedNonces: ReadonlySet<string>;
  readonly retiredNonces: ReadonlySet<string>;
  readonly retired: readonly RetiredManifest[];
}

async function readManifests(
  vault: Vault,
  { stored, retiredAt }: Names,
  referenced: ReadonlySet<number>,
  call: CallOptions,
): Promise<Manifests> {
  const fewAtOnce = pLimit(READERS);
  const needed = new Set<string>();
  const publishedNonces = new Set<string>();
  const retiredNonces = new Set<string>();
  const retired: RetiredManifest[] = [];
  const readOne = async (sequence: number) => {
    const found = await manifestOf(vault, sequence, retiredAt.has(sequence), call);
    if (found === undefined) return;
    const { run, nonce } = found.manifest;
    const parts = partsOf(found.manifest);
    const retiredMs = retiredAt.get(sequence);
    if (retiredMs === undefined) {
      publishedNonces.add(nonce);
      for (const part of parts) needed.add(part);
    } else {
      retiredNonces.add(nonce);
      retired.push({ sequence, run, bytes: found.bytes, parts, retiredMs, referenced: referenced.has(sequence) });
    }
  };
  await Promise.all(stored.map((sequence) => fewAtOnce(() => readOne(sequence))));
  return { needed, publishedNonces, retiredNonces, retired: retired.sort((a, b) => a.sequence - b.sequence) };
}

/** By the run whose snapshot was retired. */
async function readTombstones(
  vault: Vault,
  { retiredAt }: Names,
  call: CallOptions,
): Promise<ReadonlyMap<string, Tombstone>> {
  const fewAtOnce = pLimit(READERS);
  const written = [...retiredAt].flatMap(([sequence, retiredMs]) => (retiredMs === null ? [] : [sequence]));
  const read = await Promise.all(
    written.map((sequence) => fewAtOnce(() => readTombstone(vault.store, sequence, call))),
  );
  return new Map(read.flatMap((tombstone) => (tombstone === undefined ? [] : [[tombstone.run, tombstone]])));
}

/**
 * A folder's listing may overlook what is created while it is read. Every place up to the head must be known: what an overlooked manifest
 * refers to would be swept.
 */
async function addOverlooked(
  vault: Vault,
  stored: number[],
  retiredAt: ReadonlyMap<number, number | null>,
  call: CallOptions,
): Promise<void> {
  const known = new Set(stored);
  const head = Math.max(0, ...stored, ...retiredAt.keys());
  for (let sequence = 1; sequence <= head; sequence += 1) {
    if (known.has(sequence) || retiredAt.has(sequence)) continue;
    if ((await vault.store.head(snapshotKey(sequence), call)) !== undefined) stored.push(sequence);
    else if ((await readTombstone(vault.store, sequence, call)) === undefined) {
      throw new TablevaultError('VAULT_CORRUPT', `${snapshotKey(sequence)} is missing, so nothing is pruned`, {
        at: { vault: vault.store.uri, object: snapshotKey(sequence) },
        hint: 'Only the manifest says which parts the snapshot needs. Restore it from a copy of the vault.',
      });
    }
  }
}

/** Outcome and references of a run; read again when another prune sweeps them at the same time. */
async function readRun(vault: Vault, run: string, call: CallOptions) {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await readOutcome(vault, run, call);
    if (outcome !== undefined) return { outcome, references: [], isOver: true };
    try {
      const references = await readReferences(vault, run, call);
      if ((await vault.store.head(doneKey(run), call)) === undefined) return { outcome, references, isOver: false };
      // The outcome of a swept snapshot has gone and `done.json` stands for it, unless the run came to both of them just now.
      const again = await readOutcome(vault, run, call);
      return { outcome: again, references, isOver: true };
    } catch (error) {
      if (!hasCode(error, 'OBJECT_MISSING') || attempt === 3) throw error;
    }
  }
}

/** A listed manifest; undefined when it is retired and another process has swept it meanwhile. */
async function manifestOf(vault: Vault, sequence: number, retired: boolean, call: CallOptions) {
  try {
    return await readStoredManifest(vault, sequence, call);
  } catch (error) {
    const gone = hasCode(error, 'OBJECT_MISSING');
    if (gone && (retired || (await readTombstone(vault.store, sequence, call)) !== undefined)) return undefined;
    throw new TablevaultError('VAULT_CORRUPT', `${snapshotKey(sequence)} cannot be read, so nothing is pruned`, {
      at: { vault: vault.store.uri, object: snapshotKey(sequence) },
      cause: error,
      hint: 'Only the manifest says which parts the snapshot needs. Run `tablevault verify`, and restore the manifest from a copy of the vault.',
    });
  }
}

const partsOf = (manifest: Pick<Manifest, 'tables'>): string[] =>
  manifest.tables.flatMap((table) => table.parts.map((part) => part.key));
