/** What makes two runs the same, so that one continues the other; and why an unfinished run is not continued. */
import { duration } from '../../core/duration.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { Instance } from '../../instance/open.ts';
import type { ChosenTable } from '../../read/plan.ts';
import { FORMAT_VERSION } from '../../vault/chain/manifest.ts';
import { isOvertaken, type UnfinishedRun } from '../../vault/commit/resume.ts';
import { planHashOf } from '../../vault/commit/run.ts';
import { settingsOf } from './draft.ts';

export interface SamePlan {
  readonly planHash: string;
  /** A hash of each part of it, stored with the run: tells later which one was changed. */
  readonly parts: Readonly<Record<PlanPart, string>>;
}

/** In the order in which a change is looked for: another identity is in the pipeline too, and another pipeline may mean other tables. */
const PARTS = {
  identity: 'it was read by another identity',
  settings: 'the pipeline was changed',
  instance: 'the instance has another address or database',
  tables: 'it was of other tables, or their columns were changed',
} as const;

type PlanPart = keyof typeof PARTS;

export interface PlanOf {
  readonly pipeline: Pipeline;
  readonly instance: Instance;
  /** Who reads, as `identityOf` tells it. */
  readonly identity: unknown;
  readonly chosen: readonly ChosenTable[];
  readonly narrowed: readonly string[] | null;
}

export function samePlanOf({ pipeline, instance, identity, chosen, narrowed }: PlanOf): SamePlan {
  const settings = settingsOf(pipeline);
  // Where discovery is not asked, the address alone tells databases apart.
  const [database, { tableApi }] = [instance.discovery.databaseName, instance];
  // A narrowed run is none of the whole pipeline, even where it happens to be of the same tables.
  const tables = {
    narrowed: narrowed !== null,
    chosen: chosen.map(({ table, fingerprint }) => ({ name: table.name, fingerprint })),
  };
  return {
    planHash: planHashOf({ formatVersion: FORMAT_VERSION, pipeline: settings, identity, database, tableApi, tables }),
    parts: {
      settings: planHashOf(settings),
      identity: planHashOf(identity),
      instance: planHashOf({ database, tableApi }),
      tables: planHashOf(tables),
    },
  };
}

/** Why a run that was not continued was not, as the end of "because …". */
export function whyNotContinued(
  { plan, closed }: UnfinishedRun,
  now: SamePlan,
  { withinMs, nowMs, newest }: { readonly withinMs: number; readonly nowMs: number; readonly newest: number },
): string {
  if (closed) return 'the instance has refused its identity something since, so the rights may have changed';
  if (isOvertaken(plan, newest)) return `snapshot number ${newest} of the same pipeline was published after it began`;
  const ageMs = nowMs - Date.parse(plan.startedAt);
  if (ageMs > withinMs) return `it began ${duration(ageMs)} ago, and limits.resumeWithin is ${duration(withinMs)}`;
  if (plan.planHash !== now.planHash) {
    const stored = (plan.plan as { readonly parts?: Partial<SamePlan['parts']> } | null)?.parts;
    const changed = (Object.keys(PARTS) as PlanPart[]).find((part) => stored?.[part] !== now.parts[part]);
    return stored === undefined || changed === undefined
      ? 'the pipeline, the identity or the schema was changed'
      : PARTS[changed];
  }
  return ageMs < 0 ? 'it is dated later than now' : 'its plan cannot be used again';
}
