/** Runs the extractor once against a demo instance set up for one case, and judges what came of it. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { asTablevaultError, EXIT, EXIT_CODE_OF } from '../../src/core/errors.ts';
import type { Pipeline } from '../../src/core/pipeline.ts';
import { Secret } from '../../src/core/secret.ts';
import { type DemoInstance, type DemoOptions, startDemo, type WriteOrder } from '../../src/demo/instance.ts';
import { TRANSPORT_DEFAULTS, type TransportTuning } from '../../src/instance/transport-options.ts';
import { runSnapshot } from '../../src/run/snapshot/snapshot.ts';
import { hastyClock } from './clock.ts';
import { findWrong, truthOf } from './truth.ts';

export interface SoakCase {
  readonly name: string;
  readonly group:
    | 'plain'
    | 'personality'
    | 'right'
    | 'fault'
    | 'limit'
    | 'writer'
    | 'schema'
    | 'pair'
    | 'evidence'
    | 'evidence pair';
  readonly demo: Omit<DemoOptions, 'clock' | 'port' | 'controlPort'>;
  readonly limits?: Partial<Pipeline['limits']>;
  readonly auth?: 'service' | 'reference-token';
  readonly writer?: { readonly order: WriteOrder; readonly everyMs: number };
  /** Done once, when so many tables were begun (or, below 0, finished). */
  readonly meanwhile?: { readonly after: number; readonly act: (demo: DemoInstance) => void };
  /** Why a clean failure is all that can be had; without it the snapshot must be exact. */
  readonly impossible?: string;
  /** The failure depends on the moment: exact is as good. */
  readonly mayFail?: string;
  /** Rows may be wrong where the manifest does not call the table exact and a warning says why; or it fails. */
  readonly mayBeWrong?: string;
  /** The run must be over by then, by the wall's clock. Default: whenever it likes. */
  readonly withinSeconds?: number;
  /** Most requests that the instance may have to refuse with 429. */
  readonly maxRefused?: number;
  /** Exit codes that a failure may have. Default: any but that of a bug. */
  readonly exits?: readonly number[];
}

/** `said`: rows are wrong where that cannot be known, and the manifest says so. */
export type Verdict = 'exact' | 'said' | 'clean failure' | 'WRONG' | 'FAILED NEEDLESSLY';

export interface SoakResult {
  readonly case: SoakCase;
  readonly verdict: Verdict;
  /** Error code of a failure, or what is wrong. */
  readonly detail: string;
  readonly seconds: number;
}

/** Waits of minutes pass in seconds. */
const HASTE = 20;
const TUNING: Partial<TransportTuning> = {
  // These two are undici's own, by the wall's clock.
  firstByteTimeoutMs: 1500,
  idleTimeoutMs: 1500,
  retry: { ...TRANSPORT_DEFAULTS.retry, faultBudgetMs: 60_000, busyBudgetMs: 120_000, seatsBudgetMs: 60_000 },
};

export async function runCase(one: SoakCase): Promise<SoakResult> {
  const began = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-soak-'));
  const clock = hastyClock(HASTE);
  const demo = await startDemo({ ...one.demo, clock });
  const done = (verdict: Verdict, detail: string): SoakResult => ({
    case: one,
    verdict,
    detail,
    seconds: (performance.now() - began) / 1000,
  });
  try {
    const personality = one.demo.personality ?? {};
    const rights = one.demo.rights ?? {};
    const before = truthOf(demo, personality, rights);
    if (one.writer !== undefined) demo.startWriter(one.writer.order, one.writer.everyMs);
    const controller = new AbortController();
    const watch = watcher(one, demo);
    const deps = { clock, emit: watch, signal: controller.signal, tuning: TUNING, lockFolder: folder };
    const pipeline = pipelineOf(one, demo, folder);
    const run = await within(one.withinSeconds, controller, runSnapshot(pipeline, {}, deps));
    demo.stopWriter();
    const { tooManyRequests, requests } = demo.witness();
    if (run === null) return done('WRONG', `not over after ${one.withinSeconds} seconds and ${requests} requests`);
    if (tooManyRequests > (one.maxRefused ?? Number.POSITIVE_INFINITY))
      return done('WRONG', `${tooManyRequests} requests were refused with 429, of at most ${one.maxRefused}`);
    const { report, error } = run;
    const published = await publishedFiles(folder);
    if (error !== null) {
      const cause = report.tables.find((table) => table.error !== null)?.error ?? report.error;
      const code = asTablevaultError(error).code;
      const told = `${cause?.code ?? code}: ${cause?.message ?? error.message}`;
      if (published !== null) return done('WRONG', `published, and failed with ${told}`);
      if (EXIT_CODE_OF[code] === EXIT.bug || cause?.code === 'BUG') return done('WRONG', told);
      if (one.exits !== undefined && !one.exits.includes(EXIT_CODE_OF[code]))
        return done('WRONG', `exit code ${EXIT_CODE_OF[code]}: ${told}`);
      const excused = [one.impossible, one.mayFail, one.mayBeWrong].some((why) => why !== undefined);
      return done(excused ? 'clean failure' : 'FAILED NEEDLESSLY', told);
    }
    if (published === null) return done('WRONG', 'it says done, and nothing is published');
    const after = truthOf(demo, personality, rights);
    const wrong = await findWrong({ before, after, changes: demo.changes(), files: published });
    const faults = wrong.map(({ table, fault }) => {
      const word = report.tables.find(({ name }) => name === table)?.consistency ?? null;
      return { text: `${table} (${word}): ${fault}`, isSaid: word === 'best-effort' || word === 'counted' };
    });
    const broken = one.group.startsWith('evidence') ? brokenPromises(one, report.tables) : [];
    if (faults.length === 0 && broken.length === 0) return done('exact', `${report.requests} requests`);
    const isSaid = one.mayBeWrong !== undefined && broken.length === 0 && faults.every((fault) => fault.isSaid);
    return done(isSaid ? 'said' : 'WRONG', [...faults.map(({ text }) => text), ...broken].join('; '));
  } catch (thrown) {
    return done('WRONG', `thrown: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`);
  } finally {
    await demo.close();
    await pause(0);
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a published snapshot may not be, whatever its rows: at all where the case must fail, and less than exact without saying why. */
function brokenPromises(
  one: SoakCase,
  tables: readonly {
    readonly name: string;
    readonly consistency: string | null;
    readonly warnings: readonly string[];
  }[],
): readonly string[] {
  const unsaid = tables
    .filter(({ consistency, warnings }) => consistency !== 'exact' && warnings.length === 0)
    .map(({ name, consistency }) => `${name} is ${consistency} without a warning`);
  return one.impossible === undefined ? unsaid : [`published, and must not be: ${one.impossible}`, ...unsaid];
}

/** What comes of the run, or null when it is not over in time (then it is told to stop). */
async function within<T>(seconds: number | undefined, controller: AbortController, run: Promise<T>): Promise<T | null> {
  if (seconds === undefined) return run;
  const timer = new AbortController();
  const late = pause(seconds * 1000, null, { signal: timer.signal }).catch(() => null);
  const first = await Promise.race([run, late]);
  timer.abort();
  if (first === null) {
    controller.abort(new Error('the time of the case is up'));
    await Promise.race([run.catch(() => null), pause(5000)]);
  }
  return first;
}

function watcher({ meanwhile }: SoakCase, demo: DemoInstance) {
  let begun = 0;
  let ended = 0;
  let acted = false;
  return (event: { readonly type: string }) => {
    if (event.type === 'tableStarted') begun++;
    if (event.type === 'tableDone') ended++;
    if (meanwhile === undefined || acted) return;
    if (meanwhile.after >= 0 ? begun < meanwhile.after : ended < -meanwhile.after) return;
    acted = true;
    meanwhile.act(demo);
  };
}

function pipelineOf(one: SoakCase, demo: DemoInstance, folder: string): Pipeline {
  const { service, referenceToken } = demo.credentials;
  return {
    file: join(folder, 'soak.yaml'),
    name: 'soak',
    instance: demo.url,
    auth:
      one.auth === 'reference-token'
        ? { kind: 'reference-token', token: new Secret(referenceToken), header: 'authorization' }
        : { kind: 'service', clientId: service.clientId, clientSecret: new Secret(service.clientSecret) },
    endpoints: {},
    tables: { include: ['*'], exclude: ['Dmv_*'], overrides: {} },
    destination: join(folder, 'vault'),
    limits: {
      concurrency: 3,
      pageRows: 100,
      memoryMb: 256,
      resumeWithinMs: 6 * 3600_000,
      deadlineMs: 3_600_000,
      ...one.limits,
    },
    parquet: { types: 'portable', compression: 'zstd', partRows: 100_000 },
    expect: {},
  };
}

/** The files of each table by the one manifest of the vault; null when nothing is published. */
async function publishedFiles(folder: string): Promise<ReadonlyMap<string, readonly string[]> | null> {
  const vault = join(folder, 'vault');
  const names = await readdir(join(vault, 'snapshots')).catch(() => []);
  const [name] = names.filter((each) => each.endsWith('.json'));
  if (name === undefined) return null;
  const manifest = JSON.parse(await readFile(join(vault, 'snapshots', name), 'utf8')) as {
    tables: { name: string; parts: { key: string }[] }[];
  };
  return new Map(manifest.tables.map((table) => [table.name, table.parts.map(({ key }) => join(vault, key))]));
}
