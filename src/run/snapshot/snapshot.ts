import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { Clock } from '../../core/clock.ts';
import { asTablevaultError, TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { plural, shareOf } from '../../core/words.ts';
import { type Instance, openInstance } from '../../instance/open.ts';
import { readSensitiveColumns } from '../../instance/sensitive.ts';
import { userAgent } from '../../instance/user-agent.ts';
import { WriterPool } from '../../parquet/pool.ts';
import {
  type ChosenTable,
  chooseTables,
  type PlannedTable,
  planTables,
  restorePlans,
  type StoredTablePlan,
  storePlan,
} from '../../read/plan.ts';
import { type ProbeResult, probeInstance, readTableRows } from '../../read/probe.ts';
import { openStore } from '../../storage/open.ts';
import type { Store } from '../../storage/store.ts';
import { FORMAT_VERSION, type Manifest, type ManifestDraft, type TableEntry } from '../../vault/chain/manifest.ts';
import { type Checkpoint, readCheckpoints } from '../../vault/commit/checkpoints.ts';
import { commitSnapshot } from '../../vault/commit/commit.ts';
import { finishCommits } from '../../vault/commit/recover.ts';
import { findResumable } from '../../vault/commit/resume.ts';
import { beginRun, planHashOf } from '../../vault/commit/run.ts';
import { newRunId } from '../../vault/layout.ts';
import { acquireLease, type Lease } from '../../vault/lease/lease.ts';
import { openVault } from '../../vault/open.ts';
import { latestSnapshot, type Vault } from '../../vault/vault.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { draftManifest, finishEntry, settingsOf, signedDraft } from './draft.ts';
import { concernsAll, interrupted, outweighsInterrupt } from './errors.ts';
import { checkExpectations } from './expectations.ts';
import { forgetProbe, readCachedProbe, storeProbe } from './probe-cache.ts';
import { READ_OTHERWISE, readTable, type TableContext } from './read-table.ts';
import { doneTable, emptyTable, type FailedTable, failedTable, outcomeOf, type SnapshotOutcome } from './report.ts';

export type { SnapshotOutcome, SnapshotReport, TableReport } from './report.ts';

export interface SnapshotOptions {
  /** Globs that narrow the pipeline's tables. */
  readonly tables?: readonly string[];
  /** Read every table whole, whatever the last snapshot holds. */
  readonly full: boolean;
  /** Publish a snapshot marked incomplete when tables fail. */
  readonly allowPartial: boolean;
  /** Do not continue an unfinished run. */
  readonly fresh: boolean;
}

export interface SnapshotDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** Times the schema may change under a run before it is given up. */
const MAX_SCHEMA_ROUNDS = 3;
/** A row may take this share of the memory that the pipeline allows. */
const ROW_SHARE = 10;

/**
 * Takes a snapshot: opens the instance and the vault, plans, reads all tables, commits. Returns a report whatever happens; its error is
 * the cause, and without a snapshot id nothing was published.
 */
export async function runSnapshot(
  pipeline: Pipeline,
  options: SnapshotOptions,
  deps: SnapshotDeps,
): Promise<SnapshotOutcome> {
  const startedMs = deps.clock.now();
  const deadline = startDeadline(pipeline.limits.deadlineMs, deps.clock);
  const signal = AbortSignal.any([deps.signal, deadline.signal]);
  const session = new Session(pipeline, options, { ...deps, signal }, startedMs, deadline);
  let error: unknown = null;
  let manifest: Manifest | null = null;
  try {
    manifest = await session.take();
    if (!manifest.complete) error = session.tablesFailed();
  } catch (thrown) {
    error = signal.aborted && !outweighsInterrupt(thrown) ? interrupted(signal.reason) : thrown;
  } finally {
    deadline.stop();
    await session.close();
  }
  return outcomeOf({
    manifest,
    error,
    tables: session.tableReports(),
    resumed: session.resumed,
    durationMs: deps.clock.now() - startedMs,
    ...session.traffic(),
  });
}

/** Everything one run holds open, closed together whatever happens. */
class Session {
  resumed = false;
  private readonly pipeline: Pipeline;
  private readonly options: SnapshotOptions;
  private readonly deps: SnapshotDeps;
  private readonly startedMs: number;
  private readonly deadline: Deadline;
  private instance: Instance | undefined;
  private store: Store | undefined;
  private leases: Lease[] = [];
  private pool: WriterPool | undefined;
  private tempDir: string | undefined;
  private chosen: readonly ChosenTable[] = [];
  private readonly entries = new Map<string, TableEntry>();
  private readonly failed = new Map<string, FailedTable>();

  constructor(pipeline: Pipeline, options: SnapshotOptions, deps: SnapshotDeps, startedMs: number, deadline: Deadline) {
    this.pipeline = pipeline;
    this.options = options;
    this.deps = deps;
    this.startedMs = startedMs;
    this.deadline = deadline;
  }

  async take(): Promise<Manifest> {
    const { pipeline, options, deps } = this;
    const { clock, emit } = deps;
    const instance = await openInstance(pipeline, deps);
    this.instance = instance;
    this.chosen = chooseTables(instance.model, pipeline, options.tables, readSensitiveColumns(), emit);
    const store = await openStore(pipeline.destination, { signal: deps.signal });
    this.store = store;
    const vault = await openVault(store, { write: true, tool: userAgent(), clock, signal: deps.signal });
    const lease = await acquireLease(store, pipeline.name, { clock, signal: deps.signal });
    this.leases.push(lease);
    const abort = new AbortController();
    const signal = AbortSignal.any([deps.signal, lease.signal, abort.signal]);
    await finishCommits(vault, { clock, emit, signal });
    const previous = (await latestSnapshot(vault, { complete: true, signal }))?.manifest;

    const cached = options.fresh ? undefined : await readCachedProbe(vault, instance, clock.now(), signal);
    const probe = await probeInstance(instance, this.chosen, signal, cached);
    if (cached === undefined) await storeProbe(vault, instance, probe, clock.now(), signal);
    const { run, planned, finished, numbers } = await this.planOrResume(vault, probe, previous, signal);
    const rowsExpected = planned.reduce((sum, { plan }) => sum + (plan.estimate?.rows ?? 0), 0);
    emit({ type: 'planned', tables: planned.length, rowsExpected });
    this.pool = new WriterPool(pipeline.limits.concurrency);
    this.tempDir = await mkdtemp(join(tmpdir(), 'tablevault-'));
    const context: TableContext = {
      instance,
      vault,
      run,
      finished,
      clock,
      emit,
      signal,
      pool: this.pool,
      parquet: pipeline.parquet,
      capabilities: probe.capabilities,
      tempDir: this.tempDir,
      maxRowBytes: Math.floor((pipeline.limits.memoryMb * 1024 * 1024) / ROW_SHARE),
      limit: pLimit(pipeline.limits.concurrency),
      nextNumber: numbering(numbers),
    };
    await this.readAll(planned, context, abort);
    if (cached !== undefined && this.wentOtherwise(planned)) await forgetProbe(vault, instance);
    await this.settleSchema(context, probe, previous, abort);
    if (this.failed.size > 0 && !options.allowPartial) throw this.tablesFailed();
    const draft = await signedDraft(await this.draft(run, instance, previous, signal), pipeline, vault, signal);
    checkExpectations(pipeline.expect, draft.tables, previous);
    await lease.assertHeld();
    // All is read: a commit is not worth breaking off.
    this.deadline.stop();
    const committed = await commitSnapshot(vault, draft, { clock, emit, signal });
    return committed.manifest;
  }

  /** The plan of an unfinished run of the same plan with what it has finished, or a new run. */
  private async planOrResume(vault: Vault, probe: ProbeResult, previous: Manifest | undefined, signal: AbortSignal) {
    const { pipeline, options, deps, chosen } = this;
    const instance = this.instance!;
    const { clock, emit } = deps;
    const planHash = planHashOf({
      formatVersion: FORMAT_VERSION,
      pipeline: settingsOf(pipeline),
      database: instance.discovery.databaseName,
      tables: chosen.map(({ table, fingerprint }) => ({ name: table.name, fingerprint })),
    });
    const within = pipeline.limits.resumeWithinMs;
    const unfinished = options.fresh
      ? undefined
      : await findResumable(vault, { planHash, withinMs: within, nowMs: clock.now(), signal });
    const stored = (unfinished?.plan as { tables: StoredTablePlan[] } | undefined)?.tables;
    const restored = stored === undefined ? undefined : restorePlans(chosen, stored);
    if (unfinished !== undefined && restored !== undefined) {
      const { checkpoints, unusable, nextNumber } = await readCheckpoints(vault, unfinished.run, { signal });
      for (const { key, reason } of unusable) emit({ type: 'warning', message: `${key} is not used: ${reason}` });
      emit({
        type: 'log',
        level: 'info',
        message: `continuing run ${unfinished.run}, ${plural(checkpoints.length, 'task')} done already`,
      });
      this.resumed = true;
      const finished = new Map<string, Checkpoint>(
        checkpoints.map((checkpoint) => [`${checkpoint.table}/${checkpoint.task}`, checkpoint]),
      );
      return { run: unfinished.run, planned: restored, finished, numbers: nextNumber };
    }
    const planned = await planTables(chosen, {
      instance,
      probe,
      hints: previous?.tables ?? [],
      pipeline,
      signal,
      emit,
    });
    const run = newRunId(clock.now(), () => randomBytes(4).toString('hex'));
    const plan = { probe: probe.capabilities, tables: planned.map(storePlan) };
    await beginRun(vault, { run, pipeline: pipeline.name, planHash, plan, tool: userAgent() }, { clock, signal });
    return { run, planned, finished: new Map<string, Checkpoint>(), numbers: new Map<string, number>() };
  }

  /** Reads tables, largest first. A failure that concerns the whole process stops the others. */
  private async readAll(
    planned: readonly PlannedTable[],
    context: TableContext,
    abort: AbortController,
  ): Promise<void> {
    const bySize = planned.toSorted((a, b) => (b.plan.estimate?.rows ?? 0) - (a.plan.estimate?.rows ?? 0));
    let fatal: TablevaultError | undefined;
    await Promise.all(
      bySize.map(async (table) => {
        const { name } = table.table;
        try {
          const { entry } = await readTable(table, context);
          this.entries.set(name, entry);
          this.failed.delete(name);
        } catch (thrown) {
          const error = asTablevaultError(
            context.signal.aborted && fatal === undefined ? context.signal.reason : thrown,
          );
          if (concernsAll(error)) {
            fatal ??= error;
            abort.abort(error);
            return;
          }
          if (fatal !== undefined) return;
          this.failed.set(name, { name, error });
          context.emit({ type: 'tableFailed', table: name, message: error.message });
        }
      }),
    );
    if (fatal !== undefined) throw fatal;
  }

  /** Did a table fail, or was it read in another way than planned? Then what is known of the instance may be out of date. */
  private wentOtherwise(planned: readonly PlannedTable[]): boolean {
    return planned.some(
      ({ table }) => this.entries.get(table.name)?.warnings.some((text) => text.startsWith(READ_OTHERWISE)) ?? true,
    );
  }

  /** Reads `$metadata` again: tables whose schema changed while they were read are read anew. */
  private async settleSchema(
    context: TableContext,
    probe: ProbeResult,
    previous: Manifest | undefined,
    abort: AbortController,
  ): Promise<void> {
    const { pipeline, options, deps } = this;
    const { emit } = deps;
    const instance = this.instance!;
    let sha256 = instance.metadataSha256;
    for (let round = 1; ; round++) {
      const again = await instance.reloadModel();
      if (again.sha256 === sha256) return;
      sha256 = again.sha256;
      const now = chooseTables(again.model, pipeline, options.tables, readSensitiveColumns(), emit);
      const known = new Map(this.chosen.map((each) => [each.table.name, each.fingerprint]));
      const changed = now.filter(({ table, fingerprint }) => known.get(table.name) !== fingerprint);
      const present = new Set(now.map(({ table }) => table.name));
      for (const { table } of this.chosen) {
        if (!present.has(table.name)) this.entries.delete(table.name);
      }
      this.chosen = now;
      if (changed.length === 0) continue;
      if (round >= MAX_SCHEMA_ROUNDS) {
        throw new TablevaultError(
          'SCHEMA_CHANGED',
          `the schema of ${changed.map(({ table }) => table.name).join(', ')} keeps changing`,
          {
            hint: 'Run again when nobody changes the database.',
          },
        );
      }
      for (const { table } of changed) {
        this.entries.delete(table.name);
        emit({ type: 'warning', table: table.name, message: 'its schema changed while it was read; reading it again' });
      }
      const planned = await planTables(changed, {
        instance,
        probe,
        hints: previous?.tables ?? [],
        pipeline,
        signal: context.signal,
        emit,
      });
      await this.readAll(planned, { ...context, finished: new Map() }, abort);
    }
  }

  private async draft(
    run: string,
    instance: Instance,
    previous: Manifest | undefined,
    signal: AbortSignal,
  ): Promise<ManifestDraft> {
    const { rows: rowsAfter } = await readTableRows(instance, signal);
    for (const [name, entry] of this.entries) this.entries.set(name, finishEntry(entry, previous, rowsAfter));
    return draftManifest({
      run,
      instance,
      pipeline: this.pipeline,
      tables: this.chosen.map(({ table }) => this.entries.get(table.name)).filter((entry) => entry !== undefined),
      failed: [...this.failed.values()],
      startedMs: this.startedMs,
      finishedMs: this.deps.clock.now(),
      ...this.traffic(),
    });
  }

  tablesFailed(): TablevaultError {
    const names = [...this.failed.keys()];
    const [first] = this.failed.values();
    return new TablevaultError(
      'TABLES_FAILED',
      `${shareOf(names.length, this.chosen.length, 'table')} failed: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}; the first: ${first?.error.message}`,
      {
        cause: first?.error,
        hint: `${first?.error.hint ?? 'See the error of each table.'} Running again reads only what is missing.`,
      },
    );
  }

  tableReports() {
    return this.chosen.map(({ table }) => {
      const entry = this.entries.get(table.name);
      const failed = this.failed.get(table.name);
      return entry !== undefined
        ? doneTable(entry)
        : failed !== undefined
          ? failedTable(failed)
          : emptyTable(table.name);
    });
  }

  traffic(): { requests: number; bytesReceived: number } {
    const stats = this.instance?.transport.stats();
    return { requests: stats?.requests ?? 0, bytesReceived: stats?.wireBytes ?? 0 };
  }

  async close(): Promise<void> {
    await this.pool?.close();
    if (this.tempDir !== undefined) await rm(this.tempDir, { recursive: true, force: true });
    for (const lease of this.leases) await lease.release();
    await this.store?.close();
    await this.instance?.close();
  }
}

/** Parts and checkpoints of a table are numbered on from where a continued run stopped. */
function numbering(first: ReadonlyMap<string, number>): (table: string) => number {
  const next = new Map(first);
  return (table) => {
    const number = next.get(table) ?? 0;
    next.set(table, number + 1);
    return number;
  };
}
