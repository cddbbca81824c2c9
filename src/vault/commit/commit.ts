/** The commit: where a run becomes a snapshot. */
import type { Clock } from '../../core/clock.ts';
import { sha256Hex } from '../../core/digest.ts';
import { hasCode, TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { canonicalBytes } from '../../core/json.ts';
import type { RetryPolicy } from '../../core/retry.ts';
import type { CallOptions } from '../../storage/store.ts';
import { readCatalog, withTombstones } from '../chain/catalog.ts';
import type { ChainEntry } from '../chain/entry.ts';
import type { Manifest, ManifestDraft, ParentLink } from '../chain/manifest.ts';
import { manifestProblems, parseManifest, placeManifest } from '../chain/manifest.ts';
import { readPlaces } from '../chain/places.ts';
import { readTombstone } from '../chain/tombstones.ts';
import { LATEST_KEY, outcomeKey, snapshotKey, tombstoneKey } from '../layout.ts';
import { findUnstoredParts, tellUnstored } from '../stored-parts.ts';
import type { Vault } from '../vault.ts';
import { assertSameVault, readIfLive, readStoredManifest } from '../vault.ts';
import { putConfirmed } from './confirm.ts';
import type { Outcome } from './run.ts';
import { readOutcome } from './run.ts';

/**
 * The commit: `outcome.json` decides that the run is to be published, the manifest publishes it. Both are create-only puts whose
 * answers are not believed but read back (`confirm.ts`). Once the outcome may stand, every failure means "unknown": a later
 * writer finishes the commit (`recover.ts`), and nothing is deleted.
 */
export interface CommitDeps {
  readonly clock: Clock;
  readonly emit?: Emit;
  readonly persistence?: RetryPolicy;
  /** Heeded until the outcome is sent; a commit that was begun is finished. */
  readonly signal?: AbortSignal | undefined;
}

export interface Committed {
  readonly manifest: Manifest;
  readonly key: string;
  /** Of the stored bytes. */
  readonly sha256: string;
}

/**
 * Publishes the snapshot of a run whose outcome is open.
 * @throws TablevaultError `VAULT_NOT_FOUND` when the vault was moved away; `OBJECT_MISSING` or `VAULT_CORRUPT` when a part is missing or has another
 * size; `LOCKED` when the run was given up by another process; an error of the store when it refused the outcome; `COMMIT_UNKNOWN` when the snapshot may be, or come to be, published.
 */
export async function commitSnapshot(vault: Vault, draft: ManifestDraft, deps: CommitDeps): Promise<Committed> {
  const problems = manifestProblems({ ...draft, sequence: 1, parent: null });
  if (problems.length > 0) {
    throw new TablevaultError('BUG', `the manifest contradicts itself: ${problems.slice(0, 3).join('; ')}`, {
      at: { run: draft.run },
      hint: 'Nothing was published. Please report this.',
    });
  }
  await assertSameVault(vault, { signal: deps.signal });
  // Before the outcome: whoever finishes this commit in our place comes after this head, so walking from here meets it.
  const { head } = await readPlaces(vault, { signal: deps.signal });
  const outcome = outcomeKey(draft.run);
  if ((await vault.store.head(outcome)) !== undefined) throw await lostRun(vault, draft, outcome);
  await assertPartsStored(vault, draft, { signal: deps.signal });
  deps.signal?.throwIfAborted();
  const start = await placeAfter(vault, head);
  await decideCommit(vault, draft, deps);
  await refuseIfRetired(vault, draft);
  const committed = await publish(vault, draft, start, deps);
  await doubtIfMoved(vault, draft, committed);
  return committed;
}

/** A snapshot is published whole: what was stored hours ago may be gone. */
async function assertPartsStored(vault: Vault, draft: ManifestDraft, call: CallOptions): Promise<void> {
  const unstored = await findUnstoredParts(vault, draft.tables, call);
  const [first] = unstored;
  if (first === undefined) return;
  // A process that slept since its snapshot was retired: prune has freed the parts.
  if ((await placeOf(vault, draft)) !== undefined) throw await lostRun(vault, draft, outcomeKey(draft.run));
  const code = first.code === 'PART_MISSING' ? 'OBJECT_MISSING' : 'VAULT_CORRUPT';
  throw new TablevaultError(
    code,
    `nothing was published, since parts are no longer as stored: ${tellUnstored(unstored)}`,
    {
      at: { vault: vault.store.uri, object: first.key },
      hint: 'Find out what removes or changes objects of the vault (a clean-up job, a life-cycle rule), then run again: only what is missing is read again.',
    },
  );
}

/** Where the vault went away at the very moment of the commit, the manifest stands somewhere else. A look that fails says nothing. */
async function doubtIfMoved(vault: Vault, draft: ManifestDraft, { key }: Committed): Promise<void> {
  try {
    await assertSameVault(vault);
  } catch (error) {
    if (hasCode(error, 'VAULT_NOT_FOUND')) throw commitUnknown(vault, draft, key, error);
  }
}

/** Creates `outcome.json`. */
async function decideCommit(vault: Vault, draft: ManifestDraft, deps: CommitDeps): Promise<void> {
  const outcome = { formatVersion: 1, outcome: 'commit', run: draft.run, nonce: draft.nonce, manifest: draft };
  const key = outcomeKey(draft.run);
  const bytes = canonicalBytes(outcome);
  const result = await putConfirmed(vault.store, key, bytes, {
    ...deps,
    isMine: (stored) => Buffer.from(bytes).equals(stored),
  });
  switch (result.state) {
    case 'mine':
      return;
    case 'refused':
      throw result.error;
    case 'unknown':
      throw commitUnknown(vault, draft, key, result.error);
    case 'other':
      throw await lostRun(vault, draft, key);
  }
}

/**
 * The outcome of a run whose snapshot was retired is swept, and its place in the chain tells of it: a process that slept since then could win
 * the outcome a second time, of parts that are gone.
 */
async function refuseIfRetired(vault: Vault, draft: ManifestDraft): Promise<void> {
  let own: ChainEntry | undefined;
  try {
    own = await placeOf(vault, draft);
  } catch (error) {
    throw commitUnknown(vault, draft, outcomeKey(draft.run), error);
  }
  // With our nonce, another process has finished this commit already.
  if (own === undefined || own.nonce === draft.nonce) return;
  await vault.store.remove(outcomeKey(draft.run)).catch(() => undefined);
  throw await lostRun(vault, draft, outcomeKey(draft.run));
}

/** The place of the chain that a run's snapshot has, or had. */
async function placeOf(vault: Vault, { run }: ManifestDraft): Promise<ChainEntry | undefined> {
  const places = await withTombstones(vault, await readCatalog(vault));
  return [...places.values()].find((place) => place.run === run);
}

async function lostRun(vault: Vault, draft: ManifestDraft, key: string): Promise<TablevaultError> {
  const outcome: Outcome | undefined = await readOutcome(vault, draft.run);
  if (outcome?.outcome === 'abandoned') {
    return new TablevaultError('LOCKED', `the run ${draft.run} was abandoned by another process: ${outcome.reason}`, {
      at: { object: key },
      hint: 'Nothing of it was published. Make sure that only one host runs the pipeline, then run again.',
    });
  }
  return new TablevaultError('LOCKED', `the run ${draft.run} was committed by another process`, {
    at: { object: key },
    hint: 'Look at the newest snapshot with `tablevault ls`; make sure that only one host runs the pipeline.',
  });
}

/** Where to begin to look for a free place. */
export interface StartPlace {
  readonly head: number;
  readonly parent: ParentLink;
}

/**
 * Puts the manifest at the first free place after the head. Also called to finish another's commit; both write the same bytes.
 * @throws TablevaultError `COMMIT_UNKNOWN`.
 */
export async function publish(
  vault: Vault,
  draft: ManifestDraft,
  start: StartPlace,
  deps: CommitDeps,
): Promise<Committed> {
  try {
    let place = placeBehind(start.head, start.parent);
    for (;;) {
      const tried = await tryPlace(vault, draft, place, deps);
      if ('committed' in tried) return tried.committed;
      place = tried.next;
    }
  } catch (error) {
    throw commitUnknown(vault, draft, snapshotKey(start.head + 1), error);
  }
}

/** A place of the chain, and the link that a manifest there must hold. */
interface Place {
  readonly sequence: number;
  readonly parent: ParentLink;
}

const placeBehind = (sequence: number, parent: ParentLink): Place => ({ sequence: sequence + 1, parent });

/** Puts the manifest at a place, or finds that another snapshot has it: then the next one is to be tried. */
async function tryPlace(
  vault: Vault,
  draft: ManifestDraft,
  place: Place,
  deps: CommitDeps,
): Promise<{ readonly committed: Committed } | { readonly next: Place }> {
  const { sequence } = place;
  const key = snapshotKey(sequence);
  const behind = (sha256: string) => ({ next: placeBehind(sequence, { sequence, sha256 }) });
  const retired = await readTombstone(vault.store, sequence);
  if (retired?.nonce === draft.nonce) {
    // Another process finished this commit for us, and the snapshot was retired since.
    const { manifest } = placeManifest(draft, { sequence, parent: retired.parent });
    return { committed: { manifest, key, sha256: retired.sha256 } };
  }
  if (retired !== undefined) return behind(retired.sha256);
  const placed = placeManifest(draft, place);
  const result = await putConfirmed(vault.store, key, placed.bytes, {
    ...deps,
    isMine: (stored) => parseManifest(stored, key).nonce === draft.nonce,
  });
  if (result.state === 'refused' || result.state === 'unknown') throw result.error;
  const sha256 = sha256Hex(result.bytes);
  if (result.state === 'other') return behind(sha256);
  if (await wasRetiredBefore(vault, sequence, sha256)) {
    // Its tombstone is seen when the place is tried again.
    await vault.store.remove(key);
    return { next: place };
  }
  const committed = { manifest: placed.manifest, key, sha256 };
  await leaveHint(vault, committed, deps);
  return { committed };
}

/**
 * The place after a head, with the link to it: the hash of its manifest, or the one its tombstone keeps.
 * Of a manifest that is damaged the index tells the hash.
 * @throws TablevaultError `VAULT_CORRUPT` when the head cannot be read, and no index tells of it: nothing is built on damage.
 */
export async function placeAfter(vault: Vault, head: number): Promise<StartPlace> {
  if (head === 0) return { head, parent: null };
  return { head, parent: { sequence: head, sha256: await hashOf(vault, head) } };
}

async function hashOf(vault: Vault, head: number): Promise<string> {
  try {
    // Once more, where it was retired and swept between the two looks.
    const found =
      (await readTombstone(vault.store, head)) ??
      (await readIfLive(vault, head)) ??
      (await readTombstone(vault.store, head));
    return (found ?? (await readStoredManifest(vault, head))).sha256;
  } catch (error) {
    const told = hasCode(error, 'VAULT_CORRUPT') ? (await readCatalog(vault)).presumed.get(head) : undefined;
    if (told === undefined) throw error;
    return told.sha256;
  }
}

/**
 * A put can only succeed at a retired place when the manifest there was already swept, thus after its tombstone was written:
 * this look cannot miss it. When it cannot be taken, success stays success.
 */
async function wasRetiredBefore(vault: Vault, sequence: number, sha256: string): Promise<boolean> {
  try {
    if ((await vault.store.head(tombstoneKey(sequence))) === undefined) return false;
    return (await readTombstone(vault.store, sequence))?.sha256 !== sha256;
  } catch {
    return false;
  }
}

/** `latest.json` is for people and other programs: that it cannot be written is told and changes nothing. */
async function leaveHint(vault: Vault, { manifest, sha256 }: Committed, deps: CommitDeps): Promise<void> {
  const hint = {
    formatVersion: 1,
    sequence: manifest.sequence,
    snapshot: manifest.snapshot,
    nonce: manifest.nonce,
    sha256,
  };
  try {
    await vault.store.replace(LATEST_KEY, canonicalBytes(hint));
  } catch (error) {
    deps.emit?.({ type: 'log', level: 'info', message: `${LATEST_KEY} could not be written: ${String(error)}` });
  }
}

function commitUnknown(vault: Vault, draft: ManifestDraft, object: string, cause: unknown): TablevaultError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TablevaultError(
    'COMMIT_UNKNOWN',
    `it is not known whether snapshot ${draft.snapshot} is published: ${why}`,
    {
      at: { vault: vault.store.uri, object },
      cause,
      hint: 'Nothing was deleted. When the destination answers again, the next `tablevault snapshot` finishes the commit; `tablevault ls` shows it then.',
    },
  );
}
