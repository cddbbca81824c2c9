/** Checks the chain: every manifest and tombstone, and that each names the hash of the one before. */
import type { KeyObject } from 'node:crypto';
import pLimit from 'p-limit';
import * as z from 'zod';
import { sha256Hex } from '../core/digest.ts';
import { asTablevaultError, hasCode } from '../core/errors.ts';
import { canonicalJson } from '../core/json.ts';
import type { CallOptions } from '../storage/store.ts';
import type { Manifest, ParentLink } from './chain/manifest.ts';
import { manifestBytes, manifestProblems } from './chain/manifest.ts';
import { parseObject } from './chain/parse.ts';
import { signatureProblem } from './chain/signature.ts';
import { readTombstone } from './chain/tombstones.ts';
import { findUnfinishedCommits } from './commit/recover.ts';
import { listRuns, readOutcome } from './commit/run.ts';
import { collectFindings, type Findings } from './findings.ts';
import { doneKey, LATEST_KEY, outcomeKey, snapshotKey, tombstoneKey } from './layout.ts';
import type { Vault } from './vault.ts';
import { readChain, readIfLive } from './vault.ts';

const READERS = 4;

export interface ChainResult {
  /** The newest live snapshot whose manifest can be read. */
  readonly newestReadable: number | undefined;
  readonly unreadable: ReadonlySet<number>;
}

/** One place of the chain as far as it is known. */
interface Link {
  readonly sha256: string;
  readonly parent: ParentLink;
  readonly snapshot: string;
  /** Of manifests alone. */
  readonly follows?: Manifest['follows'];
}

export interface ChainOptions extends CallOptions {
  /** Every manifest must be signed with one of these; undefined asks for no signature. */
  readonly publicKeys?: readonly KeyObject[] | undefined;
}

/** Checks all manifests and tombstones, and that each names the hash of the one before. */
export async function verifyChain(vault: Vault, findings: Findings, call: ChainOptions): Promise<ChainResult> {
  const chain = await readChain(vault, call);
  const fewAtOnce = pLimit(READERS);
  const links = new Map<number, Link>();
  const unreadable = new Set<number>();
  /** Retired since the chain was listed. */
  const late = new Set<number>();
  await Promise.all([
    ...chain.live.map((sequence) =>
      fewAtOnce(async () => {
        const link = await checkManifest(vault, sequence, findings, call);
        if (link === 'retired') {
          late.add(sequence);
          return;
        }
        findings.checked.snapshots += 1;
        if (link === undefined) unreadable.add(sequence);
        else links.set(sequence, link);
      }),
    ),
    ...chain.retired.map((sequence) =>
      fewAtOnce(async () => {
        findings.checked.tombstones += 1;
        const tombstone = await damageTo(findings, 'TOMBSTONE_UNREADABLE', tombstoneKey(sequence), () =>
          readTombstone(vault.store, sequence, call),
        );
        if (tombstone !== undefined) links.set(sequence, tombstone);
      }),
    ),
  ]);
  for (const sequence of late) {
    const tombstone = await damageTo(findings, 'TOMBSTONE_UNREADABLE', tombstoneKey(sequence), () =>
      readTombstone(vault.store, sequence, call),
    );
    if (tombstone !== undefined) links.set(sequence, tombstone);
  }
  const known = new Set([...chain.live, ...chain.retired]);
  await addOverlooked(vault, known, chain.head, call);
  checkLinks(known, chain.head, links, findings);
  if (call.publicKeys !== undefined) checkOrder(links, findings);
  await checkRuns(vault, chain.head, unreadable, findings, call);
  await checkHint(vault, chain.head, findings, call);
  return { newestReadable: chain.live.findLast((sequence) => links.has(sequence)), unreadable };
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
  findings: Findings,
  call: ChainOptions,
): Promise<Link | 'retired' | undefined> {
  const own = collectFindings();
  const link = await checkLiveManifest(vault, sequence, own, call);
  // What is wrong with a snapshot that is being pruned meanwhile is no damage.
  if (own.list.length > 0 && (await vault.store.head(tombstoneKey(sequence), call)) !== undefined) return 'retired';
  for (const finding of own.list) findings.list.push(finding);
  return link;
}

async function checkLiveManifest(
  vault: Vault,
  sequence: number,
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
  await checkOutcome(vault, manifest, findings, call);
  const unsigned = call.publicKeys === undefined ? undefined : signatureProblem(manifest, call.publicKeys);
  if (unsigned !== undefined) findings.add('SIGNATURE', key, `it ${unsigned}`);
  const { parent, snapshot, follows } = manifest;
  return { sha256, parent, snapshot, follows };
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

/** A folder's listing may overlook what is created while it is read: look at each place that seems empty. */
async function addOverlooked(vault: Vault, known: Set<number>, head: number, call: CallOptions): Promise<void> {
  for (let sequence = 1; sequence <= head; sequence += 1) {
    if (known.has(sequence)) continue;
    if (await isKnown(vault, sequence, call)) known.add(sequence);
  }
}

function checkLinks(
  known: ReadonlySet<number>,
  head: number,
  links: ReadonlyMap<number, Link>,
  findings: Findings,
): void {
  for (let sequence = 1; sequence <= head; sequence += 1) {
    if (!known.has(sequence)) {
      findings.add(
        'SEQUENCE_MISSING',
        snapshotKey(sequence),
        'neither a manifest nor a tombstone exists for this sequence',
      );
      continue;
    }
    const link = links.get(sequence);
    const before = links.get(sequence - 1);
    if (link === undefined || (sequence > 1 && before === undefined)) continue;
    const expected = before === undefined ? null : { sequence: sequence - 1, sha256: before.sha256 };
    if (canonicalJson(link.parent) !== canonicalJson(expected)) {
      const what =
        expected === null
          ? 'it names a parent and is the first'
          : `it names another parent than ${snapshotKey(sequence - 1)} as it is stored`;
      findings.add('CHAIN_BROKEN', snapshotKey(sequence), what);
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

const doneSchema = z.object({ sequence: z.int().positive(), snapshot: z.string() });

/** Runs that say they were published beyond the chain's head, and decided commits that were not published. */
async function checkRuns(
  vault: Vault,
  head: number,
  unreadable: ReadonlySet<number>,
  findings: Findings,
  call: CallOptions,
): Promise<void> {
  const fewAtOnce = pLimit(READERS);
  await Promise.all(
    (await listRuns(vault, call)).map((run) =>
      fewAtOnce(async () => {
        const key = doneKey(run);
        if ((await vault.store.head(key, call)) === undefined) return;
        const done = await readHint(vault, key, call);
        if (done === undefined) findings.notice('HINT_WRONG', key, 'it cannot be read; it only saves a search');
        // Listed before: a snapshot that was published since is beyond the head and there.
        else if (done.sequence > head && !(await isKnown(vault, done.sequence, call))) {
          findings.add('SNAPSHOT_MISSING', snapshotKey(done.sequence), `snapshot ${done.snapshot} was published there`);
        }
      }),
    ),
  );
  // With unreadable manifests about, a commit may seem unfinished that is there; the manifests are found already.
  if (unreadable.size > 0) return;
  try {
    for (const { run } of (await findUnfinishedCommits(vault, call)).outcomes) {
      findings.notice('COMMIT_UNFINISHED', outcomeKey(run), `the next run publishes the snapshot of run ${run}`);
    }
  } catch (error) {
    if (!hasCode(error, 'VAULT_CORRUPT')) throw error;
    const object = String(error.at['object'] ?? vault.store.uri);
    if (!findings.list.some((finding) => finding.object === object)) {
      findings.add('OUTCOME_UNREADABLE', object, error.message);
    }
  }
}

/** Is there a manifest or, as of one that was retired since the chain was listed, a tombstone? */
async function isKnown(vault: Vault, sequence: number, call: CallOptions): Promise<boolean> {
  const { store } = vault;
  const found = (await store.head(snapshotKey(sequence), call)) ?? (await store.head(tombstoneKey(sequence), call));
  return found !== undefined;
}

async function readHint(vault: Vault, key: string, call: CallOptions) {
  try {
    return parseObject(doneSchema, await vault.store.get(key, call), key);
  } catch (error) {
    const { code } = asTablevaultError(error);
    if (code === 'VAULT_CORRUPT' || code === 'OBJECT_MISSING') return undefined;
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
