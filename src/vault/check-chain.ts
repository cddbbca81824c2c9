/** Checks the chain: manifests, tombstones and index, and that each place names the hash of the one before. */
import type { KeyObject } from 'node:crypto';
import pLimit from 'p-limit';
import * as z from 'zod';
import { sha256Hex } from '../core/digest.ts';
import { asTablevaultError, hasCode } from '../core/errors.ts';
import { canonicalJson } from '../core/json.ts';
import type { CallOptions } from '../storage/store.ts';
import { type Catalog, withTombstones } from './chain/catalog.ts';
import { type ChainEntry, entryOfManifest } from './chain/entry.ts';
import { type Manifest, manifestBytes, manifestProblems } from './chain/manifest.ts';
import { parseObject } from './chain/parse.ts';
import { signatureProblem } from './chain/signature.ts';
import { findUnfinishedCommits, whatCommitLacks } from './commit/recover.ts';
import { readOutcome } from './commit/run.ts';
import { collectFindings, type Findings } from './findings.ts';
import { LATEST_KEY, outcomeKey, snapshotKey, tombstoneKey } from './layout.ts';
import { readIfLive, type Vault } from './vault.ts';

const READERS = 4;

export interface ChainResult {
  /** The newest live snapshot whose manifest could be read, or is indexed. */
  readonly newestReadable: number | undefined;
  readonly unreadable: ReadonlySet<number>;
}

/** One place of the chain as far as it is known. */
type Link = ChainEntry & {
  /** Of manifests that were read. */
  readonly follows?: Manifest['follows'];
};

export interface ChainOptions extends CallOptions {
  /** Read every manifest and tombstone, not only those that the index does not hold, and the newest. */
  readonly all: boolean;
  /** Sequence of a snapshot whose manifest is read too. */
  readonly chosen?: number | undefined;
  /** Every manifest must be signed with one of these; undefined asks for no signature. Needs `all`. */
  readonly publicKeys?: readonly KeyObject[] | undefined;
}

/**
 * Checks the chain: no place is missing, each names the hash of the one before, ids and nonces are unique, no commit is unfinished. The index
 * tells of manifests that were read when they were new; with `all` every manifest is read again and held against it.
 */
export async function verifyChain(
  vault: Vault,
  catalog: Catalog,
  findings: Findings,
  call: ChainOptions,
): Promise<ChainResult> {
  const { signal, all, chosen } = call;
  for (const sequence of catalog.strays) {
    findings.add(
      'STRAY_OBJECT',
      snapshotKey(sequence),
      'it lies far behind the end of the chain: nothing reads it, and it can be removed',
    );
  }
  for (const { from, to } of catalog.missing) {
    const more = to > from ? `, and so up to ${snapshotKey(to)}` : '';
    findings.add(
      'SEQUENCE_MISSING',
      snapshotKey(from),
      `neither a manifest nor a tombstone exists for this sequence${more}`,
    );
  }
  if (catalog.lost !== undefined) {
    const { from, to } = catalog.lost;
    const what = to > from ? `snapshots up to ${snapshotKey(to)} were published` : 'a snapshot was published there';
    findings.add('SNAPSHOT_MISSING', snapshotKey(from), `${what}, as the index tells`);
  }
  const links = await checkTombstones(vault, catalog, findings, call);
  findings.checked.tombstones += catalog.retired.length;
  const unreadable = new Set<number>();
  const fewAtOnce = pLimit(READERS);
  const newest = catalog.live.at(-1);
  const isRead = (sequence: number) =>
    all ||
    sequence === newest ||
    sequence === chosen ||
    catalog.unreadable.has(sequence) ||
    catalog.contradicted.has(sequence);
  findings.checked.snapshots += catalog.live.length;
  await Promise.all(
    catalog.live.filter(isRead).map((sequence) =>
      fewAtOnce(async () => {
        const told = links.get(sequence) ?? catalog.presumed.get(sequence);
        const link = await checkManifest(vault, sequence, told, findings, call);
        if (link === undefined) unreadable.add(sequence);
        if (link === undefined || link === 'retired') links.delete(sequence);
        else links.set(sequence, link);
      }),
    ),
  );
  checkLinks(links, findings);
  checkIndex(catalog, findings);
  if (call.publicKeys !== undefined) checkOrder(links, findings);
  await checkRuns(vault, catalog, unreadable, findings, { signal });
  await checkHint(vault, catalog.head, findings, { signal });
  return { newestReadable: catalog.live.findLast((sequence) => links.has(sequence)), unreadable };
}

/** Runs a read; damage becomes a finding and undefined, everything else is thrown. */
async function damageTo<T>(
  findings: Findings,
  code: Parameters<Findings['add']>[0],
  object: string,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const fault = asTablevaultError(error);
    if (fault.code !== 'VAULT_CORRUPT' && fault.code !== 'OBJECT_MISSING') throw error;
    findings.add(code, object, fault.message);
    return undefined;
  }
}

async function checkManifest(
  vault: Vault,
  sequence: number,
  indexed: ChainEntry | undefined,
  findings: Findings,
  call: ChainOptions,
): Promise<Link | 'retired' | undefined> {
  const own = collectFindings();
  const link = await checkLiveManifest(vault, sequence, indexed, own, call);
  // What is wrong with a snapshot that is being pruned meanwhile is no damage.
  if (own.list.length > 0 && (await vault.store.head(tombstoneKey(sequence), call)) !== undefined) return 'retired';
  for (const finding of own.list) findings.list.push(finding);
  return link;
}

async function checkLiveManifest(
  vault: Vault,
  sequence: number,
  indexed: ChainEntry | undefined,
  findings: Findings,
  call: ChainOptions,
): Promise<Link | 'retired' | undefined> {
  const key = snapshotKey(sequence);
  const found = await damageTo(
    findings,
    'MANIFEST_UNREADABLE',
    key,
    async () => (await readIfLive(vault, sequence, call)) ?? 'retired',
  );
  if (found === undefined || found === 'retired') return found;
  const { manifest, sha256 } = found;
  if (sha256Hex(manifestBytes(manifest)) !== sha256)
    findings.add('MANIFEST_CONTRADICTION', key, 'its bytes differ from those that tablevault writes for this content');
  for (const problem of manifestProblems(manifest)) findings.add('MANIFEST_CONTRADICTION', key, problem);
  const entry = entryOfManifest(manifest, sha256);
  if (indexed !== undefined && canonicalJson(decisive(indexed)) !== canonicalJson(decisive(entry)))
    findings.add('MANIFEST_CHANGED', key, 'it is not the manifest that the index tells of');
  await checkOutcome(vault, manifest, findings, call);
  const unsigned = call.publicKeys === undefined ? undefined : signatureProblem(manifest, call.publicKeys);
  if (unsigned !== undefined) findings.add('SIGNATURE', key, `it ${unsigned}`);
  return { ...entry, follows: manifest.follows };
}

/** What decides which snapshot is chosen; the rest of a summary is for people, and its members may change with versions. */
function decisive({ summary, ...place }: ChainEntry): object {
  if (summary === null) return place;
  const { pipeline, database, complete, narrowed, finishedAt } = summary;
  return { ...place, pipeline, database, complete, narrowed, finishedAt };
}

/** The outcome holds the manifest a second time: it shows changes of the newest manifest, which no other names the hash of. */
async function checkOutcome(vault: Vault, manifest: Manifest, findings: Findings, call: CallOptions): Promise<void> {
  const object = outcomeKey(manifest.run);
  const outcome = await damageTo(findings, 'OUTCOME_UNREADABLE', object, async () => {
    const read = await readOutcome(vault, manifest.run, call);
    return read ?? 'missing';
  });
  if (outcome === undefined) return;
  if (outcome === 'missing') {
    findings.add('OUTCOME_MISSING', object, `the outcome of snapshot ${manifest.snapshot} is missing`);
    return;
  }
  const { sequence: _sequence, parent: _parent, ...draft } = manifest;
  const same = outcome.outcome === 'commit' && canonicalJson(outcome.manifest) === canonicalJson(draft);
  if (!same) {
    findings.add(
      'OUTCOME_DIFFERS',
      snapshotKey(manifest.sequence),
      `it is not the manifest that ${object} was to publish`,
    );
  }
}

/** Each place names the hash of the one before, and no two are the same snapshot: what was copied to another place is found. */
function checkLinks(links: ReadonlyMap<number, Link>, findings: Findings): void {
  const seen = new Map<string, number>();
  for (const [sequence, link] of [...links].sort(([a], [b]) => a - b)) {
    const before = links.get(sequence - 1);
    if (sequence === 1 && link.parent !== null)
      findings.add('CHAIN_BROKEN', snapshotKey(sequence), 'it names a parent and is the first');
    if (before !== undefined && link.parent !== before.sha256) {
      findings.add(
        'CHAIN_BROKEN',
        snapshotKey(sequence),
        `it names another parent than ${snapshotKey(sequence - 1)} as it is stored`,
      );
    }
    for (const unique of [link.snapshot, link.nonce]) {
      const other = seen.get(unique);
      if (other === undefined) seen.set(unique, sequence);
      else {
        findings.add(
          'CHAIN_BROKEN',
          snapshotKey(sequence),
          `it is snapshot ${link.snapshot} a second time, after ${snapshotKey(other)}`,
        );
        break;
      }
    }
  }
}

/** Signed manifests name the one they follow: it must stand, or have stood, at an earlier place, with the very bytes. */
function checkOrder(links: ReadonlyMap<number, Link>, findings: Findings): void {
  for (const [sequence, { follows }] of links) {
    if (follows === undefined || follows === null) continue;
    const found = [...links].some(
      ([at, link]) => at < sequence && link.snapshot === follows.snapshot && link.sha256 === follows.sha256,
    );
    if (!found) {
      const what = `it was written after snapshot ${follows.snapshot}, which is missing before it or has changed since`;
      findings.add('SIGNATURE', snapshotKey(sequence), what);
    }
  }
}

const hintSchema = z.object({ sequence: z.int().positive(), snapshot: z.string() });

/**
 * Objects of the index that are of no use, and manifests that are not those of which the index tells. Where nothing else is wrong with the
 * manifest, the index is.
 */
function checkIndex({ damagedIndex, contradicted }: Catalog, findings: Findings): void {
  const damaged = new Set(findings.list.map(({ object }) => object));
  const isChanged = (sequence: number) => damaged.has(snapshotKey(sequence));
  const changed = [...contradicted.keys()].filter(isChanged);
  for (const sequence of changed)
    findings.add('MANIFEST_CHANGED', snapshotKey(sequence), 'it is not the manifest that the index tells of');
  for (const { key, message, contradictedAt } of damagedIndex)
    if (contradictedAt === undefined || !isChanged(contradictedAt)) findings.add('INDEX_UNREADABLE', key, message);
}

/**
 * What is known of all places, with the tombstones that are read: those of which nothing else tells, and those whose manifest is still stored,
 * which a prune is to remove. With `all`, every one.
 */
async function checkTombstones(
  vault: Vault,
  catalog: Catalog,
  findings: Findings,
  { all, signal }: ChainOptions,
): Promise<Map<number, Link>> {
  const { entries, retired, retiredMs } = catalog;
  const stored = new Set(catalog.stored);
  const isRead = (sequence: number) => retiredMs.has(sequence) && (all || stored.has(sequence));
  const told = new Map([...entries].filter(([sequence]) => !isRead(sequence)));
  const links = await withTombstones(vault, { entries: told, retired }, { signal }, (fault, sequence) =>
    findings.add('TOMBSTONE_UNREADABLE', tombstoneKey(sequence), fault.message),
  );
  for (const [sequence, { sha256 }] of links) {
    const known = isRead(sequence) ? entries.get(sequence) : undefined;
    if (known !== undefined && known.sha256 !== sha256)
      findings.add('TOMBSTONE_UNREADABLE', tombstoneKey(sequence), 'it is not of the snapshot at its place');
  }
  return new Map(links);
}

/** Decided commits that were not published. */
async function checkRuns(
  vault: Vault,
  catalog: Catalog,
  unreadable: ReadonlySet<number>,
  findings: Findings,
  call: CallOptions,
): Promise<void> {
  // With unreadable manifests about, a commit may seem unfinished that is there; the manifests are found already.
  if (unreadable.size + catalog.unreadable.size > 0) return;
  try {
    for (const outcome of (await findUnfinishedCommits(vault, catalog, call)).outcomes) {
      const { run } = outcome;
      const lacks = await whatCommitLacks(vault, outcome, catalog, call);
      if (lacks !== undefined) findings.add('COMMIT_LACKS_PARTS', outcomeKey(run), lacks);
      else findings.notice('COMMIT_UNFINISHED', outcomeKey(run), `the next run publishes the snapshot of run ${run}`);
    }
  } catch (error) {
    if (!hasCode(error, 'VAULT_CORRUPT')) throw error;
    const object = String(error.at['object'] ?? vault.store.uri);
    if (!findings.list.some((finding) => finding.object === object)) {
      findings.add('OUTCOME_UNREADABLE', object, error.message);
    }
  }
}

async function readHint(vault: Vault, key: string, call: CallOptions) {
  try {
    return parseObject(hintSchema, await vault.store.get(key, call), key);
  } catch (error) {
    const { code } = asTablevaultError(error);
    // Nothing relies on it, whatever stands there.
    if (['VAULT_CORRUPT', 'OBJECT_MISSING', 'DESTINATION_MISSING', 'DESTINATION_DENIED'].includes(code))
      return undefined;
    throw error;
  }
}

async function checkHint(vault: Vault, head: number, findings: Findings, call: CallOptions): Promise<void> {
  if (head === 0) return;
  const hint = await readHint(vault, LATEST_KEY, call);
  if (hint !== undefined && hint.sequence >= head) return;
  findings.notice(
    'HINT_WRONG',
    LATEST_KEY,
    'it is missing or does not name the newest snapshot; readers do not depend on it',
  );
}
