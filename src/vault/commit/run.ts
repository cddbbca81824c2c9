/** Runs: their plan, and their outcome, which decides whether they are published. */
import * as z from 'zod';
import type { Clock } from '../../core/clock.ts';
import { sha256Hex } from '../../core/digest.ts';
import { TablevaultError } from '../../core/errors.ts';
import { canonicalBytes, canonicalJson } from '../../core/json.ts';
import type { RetryPolicy } from '../../core/retry.ts';
import { getIfPresent, putSame } from '../../storage/conditional.ts';
import { objectExists } from '../../storage/faults.ts';
import type { CallOptions } from '../../storage/store.ts';
import { manifestDraftSchema } from '../chain/manifest.ts';
import { parseObject } from '../chain/parse.ts';
import { parseSealed, sealedBytes } from '../chain/seal.ts';
import { seriesName } from '../chain/series.ts';
import { outcomeKey, planKey, RUN_ID, RUNS } from '../layout.ts';
import type { Vault } from '../vault.ts';
import type { Confirmed } from './confirm.ts';
import { putConfirmed } from './confirm.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** `plan.json`: what a run set out to do, created before its first part. */
export const runPlanSchema = z.object({
  formatVersion: z.literal(1),
  run: z.string().regex(RUN_ID),
  /** The series of the snapshot that comes of it, whose lease the run holds. Plans from before there were series name no database. */
  pipeline: z.string(),
  database: z.string().optional(),
  /** Globs of \`snapshot --tables\`; null for all tables of the pipeline. */
  narrowed: z.array(z.string()).nullable().optional(),
  /** `planHashOf` what makes two plans the same: a run is continued only by a run of the same plan. */
  planHash: hash,
  startedAt: z.iso.datetime(),
  /** Sequence of the newest snapshot of the series when the run began, 0 for none (`newestOfSeries`). Plans of version 0.1 do not tell. */
  after: z.int().nonnegative().optional(),
  tool: z.string(),
  /** The plan itself, probed boundaries included, as the caller froze it. */
  plan: z.unknown(),
});
export type RunPlan = Readonly<z.infer<typeof runPlanSchema>>;

/** The name of the lease that a run holds while it is worked on. */
export function leaseOf({ pipeline, database }: Pick<RunPlan, 'pipeline' | 'database'>): string {
  return database === undefined ? pipeline : seriesName({ pipeline, database });
}

/** `outcome.json`: whoever creates it decides what becomes of the run. */
export const outcomeSchema = z.discriminatedUnion('outcome', [
  z.object({
    formatVersion: z.literal(1),
    outcome: z.literal('commit'),
    run: z.string().regex(RUN_ID),
    nonce: z.string().min(16),
    manifest: manifestDraftSchema,
  }),
  z.object({
    formatVersion: z.literal(1),
    outcome: z.literal('abandoned'),
    run: z.string().regex(RUN_ID),
    reason: z.string(),
    at: z.iso.datetime(),
  }),
]);
export type Outcome = z.infer<typeof outcomeSchema>;

/** Hash of whatever makes two plans the same: pipeline, resolved tables, database, format version. */
export const planHashOf = (identity: unknown): string => sha256Hex(canonicalJson(identity));

export interface BeginRun {
  readonly run: string;
  readonly pipeline: string;
  readonly database: string;
  readonly narrowed: readonly string[] | null;
  readonly planHash: string;
  readonly after: number;
  readonly plan: unknown;
  readonly tool: string;
}

/** Creates `plan.json`. The run id must be new (`newRunId`). */
export async function beginRun(vault: Vault, begin: BeginRun, deps: CallOptions & { clock: Clock }): Promise<RunPlan> {
  const startedAt = new Date(deps.clock.now()).toISOString();
  const narrowed = begin.narrowed === null ? null : [...begin.narrowed];
  const plan: RunPlan = { formatVersion: 1, ...begin, narrowed, startedAt };
  const key = planKey(begin.run);
  const bytes = sealedBytes(plan);
  if (!(await putSame(vault.store, key, bytes, { signal: deps.signal }))) {
    throw objectExists({ store: vault.store.uri, object: key });
  }
  return plan;
}

/** The plan of a run; undefined when the run ended before it had one. */
export async function readPlan(vault: Vault, run: string, call: CallOptions = {}): Promise<RunPlan | undefined> {
  return readOptional(
    vault,
    planKey(run),
    (bytes, key) => {
      const plan = parseSealed(runPlanSchema, bytes, key);
      return plan.run === run ? plan : misplaced(key, plan.run);
    },
    call,
  );
}

/** What was decided of a run; undefined when nothing was yet. */
export async function readOutcome(vault: Vault, run: string, call: CallOptions = {}): Promise<Outcome | undefined> {
  return readOptional(
    vault,
    outcomeKey(run),
    (bytes, key) => {
      const outcome = parseOutcome(bytes, key);
      return outcome.run === run ? outcome : misplaced(key, outcome.run);
    },
    call,
  );
}

/** Outcomes are written in one spelling; any other is damage. That of a commit says its nonce twice. */
function parseOutcome(bytes: Uint8Array, key: string): Outcome {
  const outcome: Outcome = parseObject(outcomeSchema, bytes, key);
  const agrees =
    outcome.outcome !== 'commit' || (outcome.nonce === outcome.manifest.nonce && outcome.run === outcome.manifest.run);
  if (agrees && Buffer.from(canonicalBytes(outcome)).equals(bytes)) return outcome;
  throw new TablevaultError('VAULT_CORRUPT', `${key} cannot be read: its content has changed since it was written`, {
    at: { object: key },
    hint: 'It was damaged. Run `tablevault verify`; restore the object from a copy of the vault if you have one.',
  });
}

/** Ids of all runs of the vault, oldest first. */
export async function listRuns(vault: Vault, call: CallOptions = {}): Promise<string[]> {
  const runs: string[] = [];
  for await (const name of vault.store.folders(RUNS, call)) if (RUN_ID.test(name)) runs.push(name);
  return runs;
}

/**
 * Gives a run up, so that nobody continues or commits it. Create-only: when its commit was decided before, that stands.
 * @returns what the run's outcome is now.
 * @throws TablevaultError when the store cannot say.
 */
export async function abandonRun(
  vault: Vault,
  run: string,
  reason: string,
  deps: { readonly clock: Clock; readonly persistence?: RetryPolicy },
): Promise<Outcome['outcome']> {
  const at = new Date(deps.clock.now()).toISOString();
  const outcome: Outcome = { formatVersion: 1, outcome: 'abandoned', run, reason, at };
  const bytes = canonicalBytes(outcome);
  const result: Confirmed = await putConfirmed(vault.store, outcomeKey(run), bytes, {
    ...deps,
    isMine: (stored) => Buffer.from(bytes).equals(stored),
  });
  if (result.state === 'mine') return 'abandoned';
  if (result.state === 'other') return parseOutcome(result.bytes, outcomeKey(run)).outcome;
  throw result.error;
}

async function readOptional<T>(
  vault: Vault,
  key: string,
  parse: (bytes: Uint8Array, key: string) => T,
  call: CallOptions,
): Promise<T | undefined> {
  const bytes = await getIfPresent(vault.store, key, call);
  return bytes === undefined ? undefined : parse(bytes, key);
}

function misplaced(key: string, run: string): never {
  throw new TablevaultError('VAULT_CORRUPT', `${key} belongs to the run ${run}`, {
    at: { object: key },
    hint: 'Somebody moved objects of the vault: restore the folder `runs/` from a copy.',
  });
}
