/** Finds the unfinished run that a new one may continue. */
import { hasCode } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import type { Catalog } from '../chain/catalog.ts';
import { isSameSeries, type Series } from '../chain/series.ts';
import type { Vault } from '../vault.ts';
import { isClosed } from './close.ts';
import type { RunPlan } from './run.ts';
import { listRuns, readOutcome, readPlan } from './run.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A run that seems to begin later than now by more than this was dated by a wrong clock, and is not continued. */
const CLOCK_TOLERANCE_MS = 5 * 60 * 1000;

export interface UnfinishedQuery extends CallOptions {
  /** The runs of this series alone are looked at: its lease keeps others from them. Without a database: those of the pipeline. */
  readonly pipeline: string;
  readonly database?: string | undefined;
  /** A run that began longer ago is not continued: tonight's backup must not be made of yesterday's rows. */
  readonly withinMs: number;
  readonly nowMs: number;
}

export interface ResumeQuery extends UnfinishedQuery {
  readonly planHash: string;
  /** Of the series, as `newestOfSeries` tells it. */
  readonly newest: number;
}

/**
 * The newest undecided run of the same plan that is young enough; undefined when there is none, when a run was closed since it began, or a
 * snapshot of its series was published. Call it while holding the pipeline's lease: nobody else may be working on the run.
 */
export async function findResumable(vault: Vault, query: ResumeQuery): Promise<RunPlan | undefined> {
  for await (const plan of unfinishedRuns(vault, query)) {
    if (plan.planHash === query.planHash && !isOvertaken(plan, query.newest)) return plan;
  }
  return undefined;
}

/** The sequence of the newest snapshot of a series, whole or not; 0 for none. One that cannot be read may be of the series, and counts. */
export function newestOfSeries(
  { snapshots, unreadable }: Pick<Catalog, 'snapshots' | 'unreadable'>,
  series: Series,
): number {
  const own = snapshots.findLast(({ summary }) => isSameSeries(summary, series));
  return Math.max(own?.sequence ?? 0, ...unreadable.keys());
}

/**
 * Was a snapshot of its series published since a run began? With rows that the run read before, the next snapshot would go back in time. It goes by
 * places in the chain, not by clocks.
 */
export function isOvertaken({ after }: Pick<RunPlan, 'after'>, newest: number): boolean {
  return newest > (after ?? 0);
}

/** Is there any run of the pipeline, of whatever plan, that may be continued? */
export async function hasUnfinished(vault: Vault, query: UnfinishedQuery): Promise<boolean> {
  for await (const _ of unfinishedRuns(vault, query)) return true;
  return false;
}

/** An undecided run, and whether it or a later one was closed. */
export interface UnfinishedRun {
  readonly plan: RunPlan;
  readonly closed: boolean;
}

/** Runs looked at for the newest of a pipeline: others of the vault lie between. */
const MOST_LOOKED_AT = 20;

/**
 * What a person may expect to be continued: the newest run of the series, of whatever plan and age, where nothing was decided of it; otherwise an
 * earlier one of the same plan that is young enough.
 */
export async function newestUnfinished(vault: Vault, query: ResumeQuery): Promise<UnfinishedRun | undefined> {
  let closed = false;
  let decided = false;
  for (const run of (await listRuns(vault, query)).toReversed().slice(0, MOST_LOOKED_AT)) {
    closed ||= await isClosed(vault, run, query.pipeline, query);
    const plan = await planIfSound(vault, run, query);
    if (plan === undefined || !isOfSeries(plan, query)) continue;
    if (decided && !(plan.planHash === query.planHash && isYoung(plan, query))) continue;
    if ((await readOutcome(vault, run, query)) === undefined) return { plan, closed };
    decided = true;
  }
  return undefined;
}

/** Undecided runs that are young enough, the newest first, back to the last that was closed. */
async function* unfinishedRuns(vault: Vault, query: UnfinishedQuery): AsyncGenerator<RunPlan, void, undefined> {
  const oldestDay = dayOf(query.nowMs - query.withinMs - DAY_MS);
  const runs = (await listRuns(vault, query)).filter((run) => run.slice(0, 8) >= oldestDay);
  // Names of runs tell seconds: which of two began first in one second they do not say, so a closed one closes the other as well.
  const newest = runs.toReversed();
  const seconds = new Set(newest.map(secondOf));
  for (const second of seconds) {
    const together = newest.filter((run) => secondOf(run) === second);
    for (const run of together) if (await isClosed(vault, run, query.pipeline, query)) return;
    for (const run of together) {
      const plan = await planIfSound(vault, run, query);
      if (plan === undefined || !isOfSeries(plan, query)) continue;
      if (!isYoung(plan, query)) continue;
      if ((await readOutcome(vault, run, query)) === undefined) yield plan;
    }
  }
}

function isYoung({ startedAt }: RunPlan, { nowMs, withinMs }: UnfinishedQuery): boolean {
  const startedMs = Date.parse(startedAt);
  return startedMs >= nowMs - withinMs && startedMs <= nowMs + CLOCK_TOLERANCE_MS;
}

function isOfSeries(plan: RunPlan, { pipeline, database }: Pick<UnfinishedQuery, 'pipeline' | 'database'>): boolean {
  return plan.pipeline === pipeline && (database === undefined || plan.database === database);
}

/** A damaged plan is not continued; the run simply begins anew. */
async function planIfSound(vault: Vault, run: string, call: CallOptions): Promise<RunPlan | undefined> {
  try {
    return await readPlan(vault, run, call);
  } catch (error) {
    if (hasCode(error, 'VAULT_CORRUPT')) return undefined;
    throw error;
  }
}

const secondOf = (run: string): string => run.slice(0, run.indexOf('-'));

const dayOf = (ms: number): string => new Date(Math.max(0, ms)).toISOString().slice(0, 10).replaceAll('-', '');
