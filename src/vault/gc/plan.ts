/** Plans what garbage collection removes. Pure. */
import type { ListedObject } from '../../storage/store.ts';
import { PROBES, RUN_ID, RUNS, runOfPart } from '../layout.ts';
import type { Marks, RetiredManifest, RunState } from './mark.ts';

/** Everything a sweep would remove, in the order in which it may be removed. */
export interface SweepPlan {
  /** Manifests of retired snapshots. Removed first: a manifest that is stored has all of its parts. */
  readonly manifests: readonly RetiredManifest[];
  /** Retired snapshots that stay for now: in their grace, or used by an unfinished run. Their parts stay too. */
  readonly waiting: readonly RetiredManifest[];
  /** Parts that nothing needs. */
  readonly parts: readonly ListedObject[];
  /** Plans, checkpoints and references of runs that are over; probe objects. */
  readonly remains: readonly ListedObject[];
  /** Outcomes that hold the manifest of a swept snapshot: its tombstone tells that the run is over. */
  readonly outcomes: readonly RetiredOutcome[];
  /** Bytes of all that goes. */
  readonly bytes: number;
}

export interface RetiredOutcome {
  readonly object: ListedObject;
  readonly run: string;
}

export interface SweepInput {
  readonly marks: Marks;
  /** All objects below `tables/`, `runs/` and `probe/`, listed after the marks were read. */
  readonly objects: readonly ListedObject[];
  /** The store's time. */
  readonly nowMs: number;
  /** What is younger stays: parts, remains, and snapshots retired since. */
  readonly graceMs: number;
}

/** Runs of which nothing more can come: everything they wrote is either in a manifest or of no use. */
const OVER: readonly (RunState | undefined)[] = ['abandoned', 'published', 'retired'];

/** A process that opens the vault for writing needs its probe object for seconds, whatever the grace. */
const PROBE_AGE_MS = 60 * 60 * 1000;

/** Decides what a sweep removes; see `readMarks` for why that is safe. Pure. */
export function planSweep({ marks, objects, nowMs, graceMs }: SweepInput): SweepPlan {
  const old = (modifiedMs: number) => nowMs - modifiedMs >= graceMs;
  const free = (each: RetiredManifest) => !each.referenced && old(each.retiredMs ?? nowMs);
  const manifests = marks.retired.filter(free);
  const waiting = marks.retired.filter((each) => !free(each));
  const needed = new Set(marks.needed);
  for (const { parts } of waiting) for (const part of parts) needed.add(part);
  const waitingRuns = new Set(waiting.map(({ run }) => run));
  const parts: ListedObject[] = [];
  const remains: ListedObject[] = [];
  const outcomes: RetiredOutcome[] = [];
  for (const object of objects) {
    if (!old(object.modifiedMs)) continue;
    if (object.key.startsWith(PROBES)) {
      if (nowMs - object.modifiedMs >= PROBE_AGE_MS) remains.push(object);
      continue;
    }
    const writer = runOfPart(object.key);
    if (writer !== undefined) {
      if (!needed.has(object.key) && OVER.includes(marks.runs.get(writer))) parts.push(object);
      continue;
    }
    const [run, name] = runObject(object.key);
    if (run === undefined || !OVER.includes(marks.runs.get(run))) continue;
    if (name === 'outcome.json') {
      if (marks.runs.get(run) === 'retired' && !waitingRuns.has(run)) outcomes.push({ object, run });
    } else remains.push(object);
  }
  const sum = (all: readonly { readonly bytes: number }[]) => all.reduce((total, { bytes }) => total + bytes, 0);
  const bytes = sum(manifests) + sum(parts) + sum(remains) + sum(outcomes.map(({ object }) => object));
  return { manifests, waiting, parts, remains, outcomes, bytes };
}

/** Run and name of an object below `runs/`. */
function runObject(key: string): [string | undefined, string] {
  const slash = key.indexOf('/', RUNS.length);
  const run = key.startsWith(RUNS) ? key.slice(RUNS.length, slash) : '';
  return RUN_ID.test(run) ? [run, key.slice(slash + 1)] : [undefined, ''];
}
