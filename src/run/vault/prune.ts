/** `prune`: retires snapshots by a policy and removes what nothing needs any more. */
import type { Clock } from '../../core/clock.ts';
import { hasCode, TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { readOnlyStore } from '../../storage/read-only.ts';
import { rehearsalStore } from '../../storage/rehearsal.ts';
import type { CallOptions, ListedObject } from '../../storage/store.ts';
import { type Catalog, readCatalog, readEntry, withTombstones } from '../../vault/chain/catalog.ts';
import { writeTombstone } from '../../vault/chain/tombstones.ts';
import { writeIndex } from '../../vault/chain/write-index.ts';
import { verifyChain } from '../../vault/check-chain.ts';
import { finishCommits } from '../../vault/commit/recover.ts';
import { abandonRun, leaseOf, listRuns, readOutcome, readPlan } from '../../vault/commit/run.ts';
import { collectFindings } from '../../vault/findings.ts';
import { confirmTombstones, type Marks, readMarks } from '../../vault/gc/mark.ts';
import { readPinned, unretirePinned } from '../../vault/gc/pins.ts';
import { planSweep, type SweepPlan } from '../../vault/gc/plan.ts';
import {
  type Kept,
  planRetention,
  type RetentionPlan,
  type RetentionPolicy,
  type RetentionSnapshot,
} from '../../vault/gc/retention.ts';
import { type Swept, sweep } from '../../vault/gc/sweep.ts';
import { PROBES, planKey, RUNS, runFolder, runOfPart, TABLES } from '../../vault/layout.ts';
import { isLeased } from '../../vault/lease/lease.ts';
import type { Vault } from '../../vault/vault.ts';

/** Findings that say nothing of what the vault needs: nobody relies on these objects. */
const HARMLESS: ReadonlySet<string> = new Set(['INDEX_UNREADABLE', 'STRAY_OBJECT', 'VAULT_EMPTY']);
/** Time that readers have to finish with a retired snapshot, and that leftovers stay. */
const DEFAULT_GRACE_MS = 24 * 60 * 60 * 1000;
/** An undecided run in which nothing was written for so long, and whose pipeline's lease nobody holds, is given up. */
const ABANDON_AFTER_MS = 7 * 24 * 60 * 60 * 1000;

export interface PruneOptions extends CallOptions {
  readonly policy: RetentionPolicy;
  /** Show the plan, change nothing. */
  readonly dryRun: boolean;
  readonly graceMs?: number;
  readonly abandonAfterMs?: number;
}

export interface PruneDeps {
  readonly clock: Clock;
  readonly emit?: Emit;
}

export interface PruneReport {
  readonly dryRun: boolean;
  readonly kept: readonly Kept[];
  /** Retired by this prune. */
  readonly retired: readonly RetentionSnapshot[];
  /** Removed, or in a dry run what would be. */
  readonly swept: Omit<Swept, 'later'>;
  /** Retired snapshots that still hold their parts: in their grace, or used by an unfinished run. */
  readonly waiting: { readonly snapshots: number; readonly parts: number };
  /** Objects that the store does not let go yet. */
  readonly later: readonly string[];
  /** Dead runs given up. */
  readonly abandoned: readonly string[];
}

/**
 * Retires what the policy does not keep, and sweeps what nothing needs any more.
 *
 * All that may refuse does so before the first write: the chain is verified, and the whole sweep is planned, for which every manifest is read.
 * The order of the rest makes it safe beside running snapshots, readers and other prunes: tombstones are written, then outcomes and references
 * are read, and only then are objects listed and removed (`vault/gc/mark.ts`).
 *
 * @throws TablevaultError `USAGE` for an empty policy; `VAULT_CORRUPT`, and nothing is changed, when anything of the chain is damaged.
 */
export async function pruneVault(opened: Vault, options: PruneOptions, deps: PruneDeps): Promise<PruneReport> {
  const { dryRun, signal, graceMs = DEFAULT_GRACE_MS } = options;
  const call = { signal };
  planRetention([], options.policy, 0);
  await refuseDamage(opened, await readCatalog(opened, call), call);
  // What prune would do, commits that are not finished yet included: all else that may refuse is in it.
  const rehearsal = await rehearsed(opened, dryRun ? deps : { clock: deps.clock }, call);
  const found = await readCatalog(rehearsal, call);
  const vault = dryRun ? rehearsal : opened;
  const nowMs = await vault.store.serverNowMs(call);
  const planOf = async (each: Catalog) => planRetention(await candidates(vault, each, call), options.policy, nowMs);
  const foreseen = await planOf(found);
  const foreseenSweep = await readSweepPlan(rehearsal, foreseen.retire, graceMs, call);
  if (found.live.length === 0) throw noneIsLive(opened);
  if (!dryRun) {
    await finishCommits(vault, { ...deps, signal });
    const { stored, retiredMs } = found;
    await unretirePinned(
      vault,
      stored.filter((sequence) => retiredMs.has(sequence)),
      call,
    );
  }
  const catalog = dryRun ? found : await readCatalog(vault, call);
  const plan = dryRun ? foreseen : await planOf(catalog);
  const retired = dryRun ? plan.retire : await retire(vault, plan, catalog, deps, call);
  const abandoned = await abandonDead(vault, catalog, nowMs, options, deps);
  const sweepPlan = dryRun ? foreseenSweep : await readLiveSweepPlan(vault, graceMs, call);
  const swept = dryRun ? wouldSweep(sweepPlan) : await sweepAll(vault, sweepPlan, graceMs, call);
  // What later objects of the index hold, where the writers may not delete; and what an older vault lacks of it.
  if (!dryRun) await writeIndex(vault, await readCatalog(vault, call), catalog.abandoned, call);
  const { later, ...done } = swept;
  return {
    dryRun,
    kept: plan.keep,
    retired,
    swept: done,
    waiting: {
      snapshots: sweepPlan.waiting.length,
      parts: new Set(sweepPlan.waiting.flatMap(({ parts }) => parts)).size,
    },
    later,
    abandoned,
  };
}

/** The vault as it is looked at before anything is written: with the commits that prune finishes first, which stay in memory. */
async function rehearsed(opened: Vault, { clock, emit }: PruneDeps, { signal }: CallOptions): Promise<Vault> {
  const store = rehearsalStore(opened.store, clock);
  const { finished } = await finishCommits({ ...opened, store }, { clock, signal });
  for (const { manifest } of finished) {
    const message = `the commit of run ${manifest.run} is not finished: prune finishes it first, as sequence ${manifest.sequence}`;
    emit?.({ type: 'log', level: 'info', message });
  }
  return { ...opened, store: readOnlyStore(store, clock) };
}

/** Nothing is removed of a vault that is damaged: what is missing may be what protected it. */
async function refuseDamage(vault: Vault, catalog: Catalog, { signal }: CallOptions): Promise<void> {
  const findings = collectFindings();
  // Every manifest is read when what the vault needs is marked.
  await verifyChain(vault, catalog, findings, { signal, all: false });
  const [first] = findings.list.filter(({ code }) => !HARMLESS.has(code));
  if (first === undefined) return;
  throw new TablevaultError(
    'VAULT_CORRUPT',
    `nothing was pruned, since the vault is damaged: ${first.object}: ${first.message}`,
    {
      at: { vault: vault.store.uri, findings: findings.list.length },
      hint: 'Run `tablevault verify` and repair what it finds (a copy of the vault, or `tablevault repair`), then prune.',
    },
  );
}

async function candidates(vault: Vault, catalog: Catalog, call: CallOptions): Promise<readonly RetentionSnapshot[]> {
  const pinned = await readPinned(vault, call);
  return catalog.snapshots.map(({ sequence, snapshot, summary }) => {
    const { pipeline, database, complete, narrowed, finishedAt } = summary;
    const missingParts = catalog.lacking.get(sequence) ?? 0;
    const held = { missingParts, finishedAt, pinned: pinned.has(sequence) };
    return { sequence, snapshot, pipeline, database, complete, narrowed, ...held };
  });
}

/** Writes the tombstones; takes back those of snapshots that were pinned at the same time. */
async function retire(
  vault: Vault,
  plan: RetentionPlan,
  catalog: Catalog,
  { clock }: PruneDeps,
  call: CallOptions,
): Promise<readonly RetentionSnapshot[]> {
  const begun: number[] = [];
  let pinned: ReadonlySet<number> = new Set();
  try {
    for (const { sequence } of plan.retire) {
      call.signal?.throwIfAborted();
      // From the manifest itself: the chain is checked across what its tombstone keeps.
      const read = await readEntry(vault, catalog.entries.get(sequence)!, call);
      if (read === undefined) continue;
      const { snapshot, run, nonce, parent } = read.manifest;
      const retiredAt = new Date(clock.now()).toISOString();
      const tombstone = { sequence, snapshot, run, nonce, parent, sha256: read.sha256, retiredAt, reason: 'retention' };
      begun.push(sequence);
      await writeTombstone(vault.store, tombstone, call);
    }
  } finally {
    // Also after an interrupt. Where it cannot be done any more, the next prune does it.
    pinned = await unretirePinned(vault, begun);
  }
  return plan.retire.filter(({ sequence }) => !pinned.has(sequence));
}

/** Gives up runs that nobody continues any more, so that what they wrote can be swept. */
async function abandonDead(
  vault: Vault,
  catalog: Catalog,
  nowMs: number,
  options: PruneOptions,
  { clock }: PruneDeps,
): Promise<readonly string[]> {
  const { signal, dryRun, abandonAfterMs = ABANDON_AFTER_MS } = options;
  const dead: string[] = [];
  const places = await withTombstones(vault, catalog, { signal });
  const over = new Set([...[...places.values()].map(({ run }) => run), ...catalog.abandoned]);
  for (const run of await listRuns(vault, { signal })) {
    if (over.has(run) || (await readOutcome(vault, run, { signal })) !== undefined) continue;
    let lastMs = Number.NEGATIVE_INFINITY;
    for await (const { modifiedMs } of vault.store.list(runFolder(run), { signal }))
      lastMs = Math.max(lastMs, modifiedMs);
    if (nowMs - lastMs < abandonAfterMs || (await mayLive(vault, run, signal))) continue;
    const reason = 'pruned: nothing was written to it for long';
    if (dryRun || (await abandonRun(vault, run, reason, { clock })) === 'abandoned') dead.push(run);
  }
  return dead;
}

async function mayLive(vault: Vault, run: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const plan = await readPlan(vault, run, { signal });
    return plan !== undefined && (await isLeased(vault.store, leaseOf(plan), { signal }));
  } catch (error) {
    // A run whose plan is damaged cannot be continued by anybody.
    if (hasCode(error, 'VAULT_CORRUPT') && error.at['object'] === planKey(run)) return false;
    throw error;
  }
}

async function readSweepPlan(
  vault: Vault,
  retiring: readonly RetentionSnapshot[],
  graceMs: number,
  call: CallOptions,
): Promise<SweepPlan> {
  const marks = await readMarks(vault, new Set(retiring.map(({ sequence }) => sequence)), call);
  return sweepPlanOf(vault, marks, graceMs, call);
}

async function readLiveSweepPlan(vault: Vault, graceMs: number, call: CallOptions): Promise<SweepPlan> {
  let marks = await readMarks(vault, new Set(), call);
  // A snapshot may be committed, and another prune may retire those before it, while they are listed.
  for (let attempt = 1; marks.live === 0 && attempt < 3; attempt += 1) marks = await readMarks(vault, new Set(), call);
  if (marks.live === 0) throw noneIsLive(vault);
  return sweepPlanOf(vault, marks, graceMs, call);
}

function noneIsLive(vault: Vault): TablevaultError {
  return new TablevaultError(
    'VAULT_CORRUPT',
    `no live snapshot was found in ${vault.store.uri}, so prune removes nothing`,
    {
      at: { vault: vault.store.uri },
      hint: 'Take a snapshot first. If the vault should hold snapshots, look at what the store lists below snapshots/.',
    },
  );
}

async function sweepPlanOf(vault: Vault, marks: Marks, graceMs: number, call: CallOptions): Promise<SweepPlan> {
  const objects: ListedObject[] = [];
  for (const prefix of [TABLES, RUNS, PROBES]) {
    for await (const object of vault.store.list(prefix, call)) objects.push(object);
  }
  const plan = planSweep({ marks, objects, nowMs: await vault.store.serverNowMs(call), graceMs });
  const freed = [...plan.parts.map(({ key }) => runOfPart(key)!), ...plan.outcomes.map(({ run }) => run)];
  await confirmTombstones(vault, marks.swept, freed, call);
  return plan;
}

async function sweepAll(vault: Vault, plan: SweepPlan, graceMs: number, call: CallOptions): Promise<Swept> {
  const swept = await sweep(vault, plan, call);
  // Files that a killed writer left half written; only folders have them.
  const files = (await vault.store.sweepTemporary?.(Math.max(graceMs, 60 * 60 * 1000), call)) ?? {
    objects: 0,
    bytes: 0,
  };
  return { ...swept, objects: swept.objects + files.objects, bytes: swept.bytes + files.bytes };
}

function wouldSweep(plan: SweepPlan): Swept {
  const { manifests, parts, remains, outcomes, bytes } = plan;
  const objects = manifests.length + parts.length + remains.length + outcomes.length;
  return { snapshots: manifests.length, parts: parts.length, objects, bytes, later: [] };
}
