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
 * Marks what must stay. Reads in this order: tombstones and manifests' names, then runs with their outcomes and references, then the
 * manifests. Every tombstone this process wrote is there before: a run that refers to a retired snapshot either shows its reference here, or
 * sees the tombstone. A run that begins later is not known here, and nothing of an unknown run is swept.
 *
 * @param retiring sequences to treat as if they had a tombstone (a dry run).
 * @throws TablevaultError when any manifest, tombstone, outcome or reference cannot be read: what it protects is unknown.
 */
export async function readMarks(vault: Vault, retiring: ReadonlySet<number>, call: CallOptions = {}): Promise<Marks> {
  const { store } = vault;
  const fewAtOnce = pLimit(READERS);
  const stored: number[] = [];
  for await (const { key } of store.list(SNAPSHOTS, call)) {
    const sequence = sequenceOf(key, SNAPSHOTS);
    if (sequence !== undefined) stored.push(sequence);
  }
  const retiredAt = new Map<number, number | null>([...retiring].map((sequence) => [sequence, null]));
  for await (const { key, modifiedMs } of store.list(TOMBSTONES, call)) {
    const sequence = sequenceOf(key, TOMBSTONES);
    if (sequence !== undefined) retiredAt.set(sequence, modifiedMs);
  }
  await addOverlooked(vault, stored, retiredAt, call);
  const runs = new Map<string, RunState>();
  const needed = new Set<string>();
  const referenced = new Set<number>();
  const decided: { readonly run: string; readonly nonce: string; readonly parts: readonly string[] }[] = [];
  for (const run of await listRuns(vault, call)) {
    const { outcome, references, settled } = await readRun(vault, run, call);
    if (outcome === undefined) {
      runs.set(run, settled ? 'retired' : 'undecided');
      for (const { snapshot } of references) referenced.add(snapshot.sequence);
    } else if (outcome.outcome === 'abandoned') runs.set(run, 'abandoned');
    else decided.push({ run, nonce: outcome.nonce, parts: partsOf(outcome.manifest) });
  }

  const stateOf = new Map<string, RunState>();
  const tombstones = new Map<string, Tombstone>();
  let live = 0;
  const retired = await Promise.all(
    stored.map((sequence) =>
      fewAtOnce(async (): Promise<RetiredManifest | undefined> => {
        const manifest = await manifestOf(vault, sequence, retiredAt.has(sequence), call);
        if (manifest === undefined) return undefined;
        const parts = partsOf(manifest.manifest);
        const retiredMs = retiredAt.get(sequence);
        if (retiredMs === undefined) {
          live += 1;
          stateOf.set(manifest.manifest.nonce, 'published');
          for (const part of parts) needed.add(part);
          return undefined;
        }
        const { run, nonce } = manifest.manifest;
        stateOf.set(nonce, 'retired');
        return { sequence, run, bytes: manifest.bytes, parts, retiredMs, referenced: referenced.has(sequence) };
      }),
    ),
  );
  await Promise.all(
    [...retiredAt].map(([sequence, retiredMs]) =>
      fewAtOnce(async () => {
        const tombstone = retiredMs === null ? undefined : await readTombstone(store, sequence, call);
        if (tombstone === undefined) return;
        stateOf.set(tombstone.nonce, 'retired');
        tombstones.set(tombstone.run, tombstone);
      }),
    ),
  );
  for (const { run, nonce, parts } of decided) {
    const state = stateOf.get(nonce) ?? 'decided';
    runs.set(run, state);
    if (state === 'decided') for (const part of parts) needed.add(part);
  }
  return { needed, retired: retired.filter((each) => each !== undefined), runs, tombstones, live };
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
        hint: 'What it refers to is unknown. Restore the manifest from a copy of the vault.',
      });
    }
  }
}

/** Outcome and references of a run; read again when another prune sweeps them at the same time. */
async function readRun(vault: Vault, run: string, call: CallOptions) {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await readOutcome(vault, run, call);
    if (outcome !== undefined) return { outcome, references: [], settled: true };
    try {
      const references = await readReferences(vault, run, call);
      if ((await vault.store.head(doneKey(run), call)) === undefined) return { outcome, references, settled: false };
      // The outcome of a swept snapshot has gone and `done.json` stands for it, unless the run came to both of them just now.
      const again = await readOutcome(vault, run, call);
      return { outcome: again, references, settled: true };
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
      hint: 'What it refers to is unknown. Run `tablevault verify`, and restore the manifest from a copy of the vault.',
    });
  }
}

const partsOf = (manifest: Pick<Manifest, 'tables'>): string[] =>
  manifest.tables.flatMap((table) => table.parts.map((part) => part.key));
