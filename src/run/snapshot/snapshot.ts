/** Takes a snapshot: opens the instance and the vault, plans, reads all tables, commits. */
import pLimit from 'p-limit';
import { type Clock, systemClock } from '../../core/clock.ts';
import { type Closers, createClosers } from '../../core/closers.ts';
import { type Deadline, startDeadline } from '../../core/deadline.ts';
import { TablevaultError } from '../../core/errors.ts';
import type { Continued, Emit } from '../../core/events.ts';
import { maxRowBytesOf, type Pipeline } from '../../core/pipeline.ts';
import { anySignal } from '../../core/signals.ts';
import { plural } from '../../core/words.ts';
import { type Instance, type InstanceDeps, openInstance } from '../../instance/open.ts';
import { readSensitiveColumns } from '../../instance/sensitive.ts';
import { userAgent } from '../../instance/user-agent.ts';
import { groupBytesOf } from '../../parquet/group-bytes.ts';
import { WriterPool } from '../../parquet/pool.ts';
import { CountKnowledge } from '../../read/counts.ts';
import { type ChosenTable, chooseTables, planTables } from '../../read/plan.ts';
import { type ProbeResult, probeInstance, readTableRows } from '../../read/probe.ts';
import { clearTextWarning, openStore } from '../../storage/open.ts';
import { makeTemporaryFolder } from '../../storage/temporary-folder.ts';
import { type Catalog, seriesIn } from '../../vault/chain/catalog.ts';
import { entryOfManifest } from '../../vault/chain/entry.ts';
import type { Manifest, ManifestDraft } from '../../vault/chain/manifest.ts';
import { addressOf, isSameSeries, type Series, seriesName, seriesOf } from '../../vault/chain/series.ts';
import { indexCommitted } from '../../vault/chain/write-index.ts';
import { commitSnapshot } from '../../vault/commit/commit.ts';
import { finishCommits } from '../../vault/commit/recover.ts';
import { newestOfSeries } from '../../vault/commit/resume.ts';
import { acquireLease, type Lease } from '../../vault/lease/lease.ts';
import { openVault } from '../../vault/open.ts';
import type { Vault } from '../../vault/vault.ts';
import { type BegunRun, begin } from './begin.ts';
import { draftManifest, finishEntry, signedDraft } from './draft.ts';
import { interrupted, orVaultGone, outweighsInterrupt, withNextStep } from './errors.ts';
import { checkExpectations, goneTables } from './expectations.ts';
import { identityOf } from './identity.ts';
import { readPrevious } from './previous.ts';
import { forgetProbe, readCachedProbe, storeProbe } from './probe-cache.ts';
import type { TableContext } from './read-table.ts';
import { readTables } from './read-tables.ts';
import { createRefusalWatch, isRefusal, type RefusalWatch, refuseEarlierRuns } from './refusal.ts';
import { outcomeOf, type SnapshotOutcome } from './report.ts';
import { TableResults, tellNotRead } from './tables.ts';

export type { SnapshotOutcome, SnapshotReport, TableReport } from './report.ts';

export interface SnapshotOptions {
  /** Globs that narrow the pipeline's tables. Default: all of them. */
  readonly tables?: readonly string[];
  /** Publish a snapshot marked incomplete when tables fail. Default false. */
  readonly allowPartial?: boolean;
  /** Do not continue an unfinished run. Default false. */
  readonly fresh?: boolean;
}

export interface SnapshotDeps {
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Called with everything that happens, in order. Default: nobody listens. */
  readonly emit?: Emit;
  /** Ends the run when it aborts; what was read is kept for the next run. Default: nothing does. */
  readonly signal?: AbortSignal;
}

/** How long the instance is waited for, and where tokens are locked: set by tests. */
type Patience = Pick<InstanceDeps, 'tuning' | 'lockFolder'>;

/** Times the schema may change under a run before it is given up. */
const MAX_SCHEMA_ROUNDS = 3;

/**
 * Takes a snapshot of the pipeline's tables and publishes it in the pipeline's vault. Returns a report whatever happens; its error is the
 * cause, and without a snapshot id nothing was published.
 */
export async function runSnapshot(
  pipeline: Pipeline,
  options: SnapshotOptions = {},
  { clock = systemClock, emit = () => {}, signal: outer, ...patience }: SnapshotDeps & Patience = {},
): Promise<SnapshotOutcome> {
  const startedMs = clock.now();
  const deadline = startDeadline(pipeline.limits.deadlineMs, clock);
  const signal = outer === undefined ? deadline.signal : anySignal([outer, deadline.signal]);
  const closers = createClosers();
  const state: RunState = {
    results: new TableResults(),
    cut: undefined,
    continued: null,
    instance: undefined,
    begun: false,
    stored: false,
  };
  let error: unknown = null;
  let manifest: Manifest | null = null;
  try {
    const temporary = await makeTemporaryFolder('snapshot');
    closers.add(temporary.remove);
    manifest = await readAndCommit({
      pipeline,
      options,
      patience,
      clock,
      emit,
      signal,
      startedMs,
      deadline,
      closers,
      state,
      tempDir: temporary.path,
    });
    if (!manifest.complete) error = state.results.error(true);
  } catch (thrown) {
    const cause = signal.aborted && !outweighsInterrupt(thrown) ? interrupted(signal.reason) : thrown;
    const read = state.stored || (state.continued?.tasks ?? 0) > 0;
    error = withNextStep(cause, { read, fresh: options.fresh === true });
    if (isRefusal(thrown) && !state.begun) await refuseEarlierRuns(pipeline, { clock, emit });
  } finally {
    deadline.stop();
    await closers.close();
  }
  return outcomeOf({
    manifest,
    error,
    tables: state.results.reports(),
    narrowed: options.tables !== undefined,
    continued: state.continued,
    durationMs: clock.now() - startedMs,
    ...trafficOf(state.instance),
  });
}

function goneMessage(gone: readonly string[]): string {
  return `the last complete snapshot holds ${gone.join(', ')}, which the instance no longer offers: the rights of the identity or the database were changed`;
}

/** How far a run has come: what its report tells when it fails. */
interface RunState {
  readonly results: TableResults;
  /** A table of which rows came after an answer that looked whole, where there is one. */
  cut: string | undefined;
  /** What the run that is continued had read. */
  continued: Continued | null;
  instance: Instance | undefined;
  /** From then on a refusal closes the run itself. */
  begun: boolean;
  /** Is a task of this run finished, so that the next run need not read it? */
  stored: boolean;
}

interface SnapshotRun {
  readonly pipeline: Pipeline;
  readonly options: SnapshotOptions;
  readonly patience: Patience;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly startedMs: number;
  readonly deadline: Deadline;
  readonly closers: Closers;
  readonly state: RunState;
  /** For parts until they are stored. */
  readonly tempDir: string;
}

async function readAndCommit(run: SnapshotRun): Promise<Manifest> {
  const { pipeline, options, clock, state } = run;
  const { results } = state;
  const opened = await open(run);
  const { instance, vault, series, previous, emit, signal } = opened;

  emit({ type: 'doing', what: 'asking the instance what it can do' });
  const cached = options.fresh ? undefined : await readCachedProbe(vault, instance, clock.now(), signal);
  const probe = await probeInstance(instance, results.chosen, signal, cached);
  if (cached === undefined) await storeProbe(vault, instance, probe, clock.now(), signal);

  const { chosen } = results;
  const hints = previous?.tables ?? [];
  const fresh = options.fresh === true;
  emit({ type: 'doing', what: `planning ${plural(chosen.length, 'table')}` });
  const counts = new CountKnowledge(probe.capabilities.count);
  const identity = await opened.identity;
  const narrowed = options.tables ?? null;
  const begun = await begin({
    ...{ pipeline, instance, vault, series, identity, narrowed, chosen, probe, counts, hints, fresh },
    ...{ newest: newestOfSeries(opened.catalog, series), clock, emit, signal },
  });
  state.continued = begun.continued;
  state.begun = true;
  const closing = createRefusalWatch(vault, begun.run, pipeline.name, { clock, emit });
  try {
    return await readBegun(run, opened, begun, { probe, counts, cached: cached !== undefined, closing });
  } catch (thrown) {
    await closing.seen(thrown);
    throw await orVaultGone(thrown, vault);
  }
}

interface BegunReading {
  readonly probe: ProbeResult;
  readonly counts: CountKnowledge;
  /** Was the probe known from an earlier run? */
  readonly cached: boolean;
  readonly closing: RefusalWatch;
}

/** Reads the tables of a run that has begun, and commits. */
async function readBegun(
  run: SnapshotRun,
  opened: Opened,
  begun: BegunRun,
  { probe, counts, cached, closing }: BegunReading,
): Promise<Manifest> {
  const { pipeline, options, clock, deadline, state } = run;
  const { results } = state;
  const { instance, vault, lease, previous, emit, signal } = opened;
  const rowsExpected = begun.planned.reduce((sum, { plan }) => sum + (plan.estimate?.rows ?? 0), 0);
  emit({ type: 'planned', tables: begun.planned.length, rowsExpected });

  const context = await openReading(run, opened, begun, { probe, counts });
  const asPlanned = await readTables(begun.planned.map(tellNotRead), context, results, opened.abort, closing.seen);
  // What is known of the instance may be out of date.
  if (cached && !asPlanned) await forgetProbe(vault, instance);
  emit({ type: 'doing', what: 'looking whether the schema changed' });
  await readChangedSchemas(run, opened, context, { probe, counts, cached, closing });
  if (results.failed.length > 0 && options.allowPartial !== true) throw results.error(false);

  emit({ type: 'doing', what: 'counting rows again and committing' });
  const draft = await signedDraft(await draftOf(run, opened, begun.run, probe), pipeline, vault, signal);
  const read = {
    tables: draft.tables,
    failed: results.failed.map(({ name }) => name),
    previous,
    narrowed: options.tables !== undefined,
  };
  const gone = goneTables(read, pipeline.tables);
  if (gone.length > 0) emit({ type: 'warning', message: goneMessage(gone) });
  checkExpectations(pipeline.expect, read, gone);
  await lease.assertHeld();
  // All is read: a commit is not worth breaking off.
  deadline.stop();
  const { manifest, sha256 } = await commitSnapshot(vault, draft, { clock, emit, signal });
  await indexCommitted(vault, opened, entryOfManifest(manifest, sha256), emit);
  return manifest;
}

interface Opened {
  readonly instance: Instance;
  readonly vault: Vault;
  /** Who reads, as `identityOf` tells it. */
  readonly identity: Promise<unknown>;
  readonly lease: Lease;
  readonly series: Series;
  /** What the vault held when the run began. */
  readonly catalog: Catalog;
  /** Runs that were given up. */
  readonly abandoned: ReadonlySet<string>;
  /** The newest complete snapshot of the series. */
  readonly previous: Manifest | undefined;
  readonly emit: Emit;
  /** Aborts when the caller, the deadline, the loss of the lease or `abort` ends the run. */
  readonly signal: AbortSignal;
  readonly abort: AbortController;
}

/** Opens the instance and the vault, chooses the tables, and takes the lease, so that no other run writes for this pipeline. */
async function open(run: SnapshotRun): Promise<Opened> {
  const { pipeline, options, patience, clock, emit, signal: outer, closers, state } = run;
  const instance = await openInstance(pipeline, { ...patience, clock, emit, signal: outer });
  closers.add(() => instance.close());
  state.instance = instance;
  state.results.chosen = chooseTables(instance.model, pipeline, options.tables, readSensitiveColumns(), emit);
  emit({ type: 'doing', what: 'opening the vault' });
  const onThrottled = (message: string) => emit({ type: 'warning', message });
  const store = await openStore(pipeline.destination, { signal: outer, onThrottled });
  closers.add(() => store.close());
  const clearText = clearTextWarning(pipeline.destination, process.env);
  if (clearText !== undefined) emit({ type: 'warning', message: clearText });
  const vault = await openVault(store, { write: true, tool: userAgent(), clock, signal: outer });
  const { url, discovery } = instance;
  const series = seriesOf({ pipeline, instance: { url, database: discovery.databaseName } });
  // Both take a while, beside what is waited for.
  const identity = identityOf(pipeline.auth, vault.info.id);
  for (const early of [identity, instance.identity.describe()]) early.catch(() => {});
  const lease = await acquireLease(store, seriesName(series), { clock, signal: outer });
  closers.add(() => lease.release());
  const abort = new AbortController();
  const signal = anySignal([outer, lease.signal, abort.signal]);
  const { catalog, abandoned } = await finishCommits(vault, { clock, emit, signal });
  const previous = await readPrevious(vault, catalog, series, { expect: pipeline.expect, emit, signal });
  tellOtherDatabases(series, seriesIn(catalog), emit);
  tellOtherInstance(instance, previous, emit);
  return { instance, vault, identity, lease, series, catalog, abandoned, previous, emit, signal, abort };
}

/** A pipeline that reads another database than before is another series: nobody should find out from a restore. */
function tellOtherDatabases(series: Series, known: readonly Series[], emit: Emit): void {
  const others = known.filter(({ pipeline, database }) => pipeline === series.pipeline && database !== series.database);
  if (others.length === 0 || known.some((each) => isSameSeries(each, series))) return;
  const names = others.map(({ database }) => database).join(', ');
  emit({
    type: 'warning',
    message: `the pipeline ${series.pipeline} has snapshots of the database ${names} in this vault, and now reads ${series.database}: its snapshots are a series of their own, with no earlier ones to be held against`,
  });
}

/** Two instances whose databases have one name are one series: of a test instance made from a copy, nobody should find out from `prune`. */
function tellOtherInstance({ url }: Instance, previous: Manifest | undefined, emit: Emit): void {
  if (previous === undefined || addressOf(previous.instance.url) === addressOf(url)) return;
  emit({
    type: 'warning',
    message: `the previous snapshot, number ${previous.sequence}, was read from ${previous.instance.url}, and this run reads ${url}: as their databases have the same name, both are one series for \`prune\`, \`expect\` and ages. If they are two systems, give one of the pipelines another name`,
  });
}

/** Writers, and all else that reading takes. */
async function openReading(
  { pipeline, clock, closers, state, tempDir }: SnapshotRun,
  { instance, vault, emit, signal }: Opened,
  { run, finished, nextNumber }: BegunRun,
  { probe: { capabilities }, counts }: { readonly probe: ProbeResult; readonly counts: CountKnowledge },
): Promise<TableContext> {
  const { concurrency } = pipeline.limits;
  const pool = new WriterPool(concurrency);
  closers.add(() => pool.close());
  const maxRowBytes = maxRowBytesOf(pipeline.limits);
  const limit = pLimit(concurrency);
  const { parquet } = pipeline;
  const groupBytes = groupBytesOf(pipeline.limits.memoryMb, pool.size);
  const reading = {
    instance,
    pool,
    groupBytes,
    parquet,
    capabilities,
    counts,
    clock,
    emit,
    signal,
    tempDir,
    maxRowBytes,
    onCut: (table: string) => {
      state.cut ??= table;
    },
    onStored: () => {
      state.stored = true;
    },
  };
  return { ...reading, vault, run, finished, nextNumber, limit };
}

/**
 * Reads `$metadata` again: tables whose schema changed while they were read are read anew. What counts is what `$metadata` says of the tables
 * of this snapshot; each further round follows a read of tables, and there are `MAX_SCHEMA_ROUNDS` at most.
 */
async function readChangedSchemas(
  { pipeline, options, state: { results } }: SnapshotRun,
  { instance, previous, emit, abort }: Opened,
  context: TableContext,
  { probe, closing }: BegunReading,
): Promise<void> {
  let { metadataSha256: sha256 } = instance;
  for (let round = 1; ; round++) {
    const again = await instance.reloadModel();
    if (again.sha256 === sha256) return;
    sha256 = again.sha256;
    const before = results.chosen;
    results.chosen = chooseTables(again.model, pipeline, options.tables, readSensitiveColumns(), emit);
    const now = new Map(results.chosen.map((each) => [each.table.name, each.fingerprint]));
    for (const { table } of before) if (!now.has(table.name)) results.forget(table.name);
    const then = new Map(before.map((each) => [each.table.name, each.fingerprint]));
    const changed = results.chosen.filter(({ table, fingerprint }) => then.get(table.name) !== fingerprint);
    // Nothing is read anew, so nothing can have changed under it.
    if (changed.length === 0) return;
    if (round >= MAX_SCHEMA_ROUNDS) throw keepsChanging(changed);
    for (const { table } of changed) {
      results.forget(table.name);
      emit({ type: 'warning', table: table.name, message: 'its schema changed while it was read; reading it again' });
    }
    const hints = previous?.tables ?? [];
    const { counts, signal } = context;
    const planned = await planTables(changed, { instance, probe, counts, hints, pipeline, signal, emit });
    await readTables(planned.map(tellNotRead), { ...context, finished: new Map() }, results, abort, closing.seen);
  }
}

function keepsChanging(changed: readonly ChosenTable[]): TablevaultError {
  const names = changed.map(({ table }) => table.name).join(', ');
  return new TablevaultError('SCHEMA_CHANGED', `the schema of ${names} keeps changing`, {
    hint: 'Run again when nobody changes the database.',
  });
}

/** The manifest, with what is only known at the end: rows counted after the read, changes since the last snapshot. */
async function draftOf(
  { pipeline, options, clock, startedMs, state: { results, cut } }: SnapshotRun,
  { instance, previous, emit, signal }: Opened,
  run: string,
  probe: ProbeResult,
): Promise<ManifestDraft> {
  const told = { before: probe.tableRows, after: (await readTableRows(instance, signal)).rows };
  return draftManifest({
    run,
    instance,
    identity: { kind: instance.identity.kind, describe: await instance.identity.describe() },
    pipeline,
    narrowed: options.tables ?? null,
    tables: results.update((entry) => {
      const finished = finishEntry(entry, { previous, told, cut });
      const late = finished.warnings.slice(entry.warnings.length);
      for (const message of late) emit({ type: 'warning', table: entry.name, message });
      return finished;
    }),
    failed: results.failed,
    startedMs,
    finishedMs: clock.now(),
    ...trafficOf(instance),
  });
}

function trafficOf(instance: Instance | undefined): { readonly requests: number; readonly bytesReceived: number } {
  const stats = instance?.transport.stats();
  return { requests: stats?.requests ?? 0, bytesReceived: stats?.wireBytes ?? 0 };
}
