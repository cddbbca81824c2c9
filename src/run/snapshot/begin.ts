/** How a run begins: with the plan of an unfinished run and what that has read, or with a plan of its own. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { Continued, Emit } from '../../core/events.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { Instance } from '../../instance/open.ts';
import { userAgent } from '../../instance/user-agent.ts';
import type { CountKnowledge } from '../../read/counts.ts';
import {
  type ChosenTable,
  type PlannedTable,
  planTables,
  restorePlans,
  type StoredTablePlan,
  storePlan,
  type TableHint,
} from '../../read/plan.ts';
import type { ProbeResult } from '../../read/probe.ts';
import type { Series } from '../../vault/chain/series.ts';
import { type Checkpoint, readCheckpoints } from '../../vault/commit/checkpoints.ts';
import { findResumable, newestUnfinished, type ResumeQuery } from '../../vault/commit/resume.ts';
import { beginRun } from '../../vault/commit/run.ts';
import { newRunId } from '../../vault/layout.ts';
import type { Vault } from '../../vault/vault.ts';
import { taskName } from './read-table.ts';
import { type SamePlan, samePlanOf, whyNotContinued } from './same-plan.ts';

export interface BeginInput {
  readonly pipeline: Pipeline;
  readonly instance: Instance;
  readonly vault: Vault;
  readonly series: Series;
  /** Sequence of the newest snapshot of the series, 0 for none. */
  readonly newest: number;
  /** Globs of `--tables`; null for all tables of the pipeline. */
  readonly narrowed: readonly string[] | null;
  /** Who reads, as `identityOf` tells it. */
  readonly identity: unknown;
  readonly chosen: readonly ChosenTable[];
  readonly probe: ProbeResult;
  readonly counts: CountKnowledge;
  readonly hints: readonly TableHint[];
  /** Begin anew even where an unfinished run could be continued. */
  readonly fresh: boolean;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface BegunRun {
  readonly run: string;
  /** What the run that is continued had read; null for a new run. */
  readonly continued: Continued | null;
  readonly planned: readonly PlannedTable[];
  /** Finished tasks of the run that is continued, by `Table/task`. */
  readonly finished: ReadonlyMap<string, Checkpoint>;
  /** The next number of a part or checkpoint of a table; counts on from where a continued run stopped. */
  readonly nextNumber: (table: string) => number;
}

/** Continues the unfinished run of the same plan, if there is one that is young enough; begins a run otherwise. */
export async function begin(input: BeginInput): Promise<BegunRun> {
  const plan = samePlanOf(input);
  const continuing = await continued(input, plan);
  if (continuing !== undefined) return continuing;
  if (!input.fresh) await tellWhyAnew(input, plan);
  return begun(input, plan);
}

/** Whoever began a run that was broken off expects the next one to continue it. */
async function tellWhyAnew(input: BeginInput, plan: SamePlan): Promise<void> {
  const { vault, emit } = input;
  const query = resumeQuery(input, plan);
  const unfinished = await newestUnfinished(vault, query);
  if (unfinished === undefined) return;
  const why = whyNotContinued(unfinished, plan, query);
  emit({ type: 'notContinued', run: unfinished.plan.run, why });
}

function resumeQuery({ pipeline, series, newest, clock, signal }: BeginInput, { planHash }: SamePlan): ResumeQuery {
  return { planHash, ...series, newest, withinMs: pipeline.limits.resumeWithinMs, nowMs: clock.now(), signal };
}

async function continued(input: BeginInput, plan: SamePlan): Promise<BegunRun | undefined> {
  const { vault, chosen, fresh, emit, signal } = input;
  if (fresh) return undefined;
  const unfinished = await findResumable(vault, resumeQuery(input, plan));
  if (unfinished === undefined) return undefined;
  const { tables: stored } = unfinished.plan as { tables: StoredTablePlan[] };
  const planned = restorePlans(chosen, stored, input.probe);
  if (planned === undefined) return undefined;
  const { run } = unfinished;
  const { checkpoints, unusable, nextNumber } = await readCheckpoints(vault, run, { signal });
  for (const { key, reason } of unusable) emit({ type: 'warning', message: `${key} is not used: ${reason}` });
  const finished = new Map(checkpoints.map((each) => [`${each.table}/${each.task}`, each]));
  const isDone = ({ table, plan }: PlannedTable) =>
    plan.ranges.every((range) => finished.has(`${table.name}/${taskName(plan, range)}`));
  const done: Continued = {
    run,
    tables: new Set(checkpoints.map(({ table }) => table)).size,
    tablesDone: planned.filter(isDone).map(({ table }) => table.name),
    rows: checkpoints.reduce((sum, { rows }) => sum + rows, 0),
    tasks: checkpoints.length,
  };
  emit({ type: 'continued', ...done });
  return { run, continued: done, planned, finished, nextNumber: numbering(nextNumber) };
}

async function begun(input: BeginInput, { planHash, parts }: SamePlan): Promise<BegunRun> {
  const { pipeline, instance, vault, series, newest, narrowed, chosen, probe, counts, hints, clock, emit, signal } =
    input;
  const planned = await planTables(chosen, { instance, probe, counts, hints, pipeline, signal, emit });
  const run = newRunId(clock.now(), () => randomBytes(4).toString('hex'));
  const plan = { probe: probe.capabilities, tables: planned.map(storePlan), parts };
  const begin = { run, ...series, narrowed, planHash, after: newest, plan, tool: userAgent() };
  await beginRun(vault, begin, { clock, signal });
  return { run, continued: null, planned, finished: new Map(), nextNumber: numbering(new Map()) };
}

function numbering(first: ReadonlyMap<string, number>): (table: string) => number {
  const next = new Map(first);
  return (table) => {
    const number = next.get(table) ?? 0;
    next.set(table, number + 1);
    return number;
  };
}
