/** (d) Two runs, prunes and a verify at once, one store call at a time in random order, some of them killed: nothing that lives is deleted. */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode, TablevaultError } from '../../src/core/errors.ts';
import { pruneVault } from '../../src/run/vault/prune.ts';
import { verifyVault } from '../../src/run/vault/verify.ts';
import type { Store } from '../../src/storage/store.ts';
import { newestComplete, readCatalog } from '../../src/vault/chain/catalog.ts';
import { openVault } from '../../src/vault/open.ts';
import { SERIES } from '../unit/vault/support.ts';
import { vaultState } from './lib/check-vault.ts';
import { type Budget, type Figures, tally } from './lib/figures.ts';
import { type MiniTask, miniRun, quickClock } from './lib/mini-run.ts';
import { type Random, random } from './lib/random.ts';
import { wrapStore } from './lib/wrap-store.ts';

/** Actors that stand at barriers before every store call; one passes at a time. */
class Barriers {
  private readonly waiting: { readonly actor: string; readonly pass: () => void }[] = [];
  private readonly dead = new Set<string>();
  private readonly held = new Set<string>();
  private readonly rng: Random;

  constructor(rng: Random) {
    this.rng = rng;
  }

  /** The store as an actor sees it; the actor dies at its `killAt`-th call, and waits for the others after its call on `holdAfter`. */
  storeFor(actor: string, inner: Store, killAt: number, holdAfter: RegExp | undefined): Store {
    let calls = 0;
    let holding = holdAfter;
    return wrapStore(inner, async (_call, key, act) => {
      calls += 1;
      if (calls >= killAt) this.dead.add(actor);
      await new Promise<void>((pass) => {
        // A killed process never goes on.
        if (!this.dead.has(actor)) this.waiting.push({ actor, pass });
      });
      const result = await act();
      if (holding?.test(key)) {
        holding = undefined;
        this.held.add(actor);
      }
      return result;
    });
  }

  isDead(actor: string): boolean {
    return this.dead.has(actor);
  }

  /** Lets them pass one by one until every actor has ended or died. */
  async run(actors: ReadonlyMap<string, Promise<unknown>>): Promise<void> {
    const ended = new Set<string>();
    for (const [actor, promise] of actors) {
      promise.then(
        () => ended.add(actor),
        () => ended.add(actor),
      );
    }
    // Some actors are favoured for a while, so that whole phases pass between two calls of another.
    let favoured: string | undefined;
    let idle = 0;
    while ([...actors.keys()].some((actor) => !ended.has(actor) && !this.dead.has(actor))) {
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      const free = this.waiting.filter(({ actor }) => !this.held.has(actor));
      if (free.length === 0) {
        // Everybody else has ended, or waits for a call under way: let those at a barrier go on.
        idle += 1;
        if (idle > 5) this.held.clear();
        continue;
      }
      idle = 0;
      if (this.rng.chance(0.04)) favoured = this.rng.pick(free).actor;
      const favourites = free.filter(({ actor }) => actor === favoured);
      const next = this.rng.pick(favourites.length > 0 && this.rng.chance(0.95) ? favourites : free);
      this.waiting.splice(this.waiting.indexOf(next), 1);
      next.pass();
    }
  }
}

/** Where an actor may have to wait until the others are done: after what it announced, decided, read or listed. */
const PHASES = [
  /\/refs-/,
  /\/refs-/,
  /plan\.json$/,
  /outcome\.json$/,
  /^snapshots\//,
  /^tombstones\//,
  /^tables\//,
  /^locks\//,
  /^runs\//,
];

const DAY_MS = 86_400_000;

export interface InterleavedStore {
  readonly store: Store;
  /** The store's time, which the test may turn on where it can (memory). */
  readonly now: () => number;
  readonly advance: (ms: number) => void;
  readonly end: () => Promise<void>;
}

export async function tortureInterleavings(
  name: string,
  open: (seed: number) => Promise<InterleavedStore>,
  budget: Budget,
): Promise<Figures> {
  const kinds = [
    'live objects deleted',
    'unreadable snapshots',
    'wrong outcome reported',
    'false alarms',
    'objects never freed',
  ];
  const figures = tally(name, kinds, budget);
  const seen = { committed: 0, killed: 0, swept: 0, reused: 0 };
  const scratch = join(tmpdir(), `tablevault-torture-${process.pid}-turns`);
  try {
    for (let round = 0; figures.more(); round += 1) {
      const seed = Math.round(budget.seed * 10_000) + round;
      const opened = await open(seed);
      try {
        await once(seed, opened, scratch, figures, seen);
      } finally {
        await opened.end();
      }
      figures.done();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return figures.figures(
    `${seen.committed} runs committed among them, ${seen.reused} with parts of earlier snapshots; ${seen.killed} actors killed; ${seen.swept} objects swept`,
  );
}

async function once(
  seed: number,
  { store, now, advance }: InterleavedStore,
  scratch: string,
  figures: ReturnType<typeof tally>,
  seen: { committed: number; killed: number; swept: number; reused: number },
): Promise<void> {
  const rng = random(seed);
  const where = `seed ${seed}`;
  const clock = quickClock(now);
  const tasks = (who: string): MiniTask[] =>
    ['A', 'B', 'C'].map((table) => ({ table, task: '0', content: Buffer.from(`${who} ${table} ${rng.next()}`) }));
  /** Pipelines of which a whole snapshot was committed. */
  const whole = new Set<string>();
  const run = async (to: Store, pipeline: string, reuse: string[], own = random(rng.below(1e9))) => {
    const narrowed = rng.chance(0.25);
    const of = narrowed ? tasks(pipeline).slice(0, 1) : tasks(pipeline);
    const fresh = rng.chance(0.3);
    const done = await miniRun(to, { pipeline, tasks: of, reuse, clock, random: own, scratch, fresh, narrowed });
    if (!narrowed) whole.add(pipeline);
    return done;
  };
  // All, some, or none: a run that takes nothing over makes the snapshot before it the only one with its parts.
  const tables = () => rng.pick([['A', 'B', 'C'], ['A', 'B', 'C'].filter(() => rng.chance(0.6)), []]);
  // A history whose snapshots share parts, some of them of killed and given-up runs.
  for (let n = 0; n < 2 + rng.below(3); n += 1) {
    await run(store, rng.pick(['one', 'two']), n === 0 ? [] : tables());
    if (rng.chance(0.4))
      await killedRun(
        store,
        () => rng.below(40) + 8,
        (to) => run(to, rng.pick(['one', 'two']), tables()),
      );
    advance(DAY_MS / 2);
  }
  advance(10 * DAY_MS);

  const barriers = new Barriers(rng);
  const killAt = () => (rng.chance(0.25) ? 1 + rng.below(120) : Number.POSITIVE_INFINITY);
  const actors = new Map<string, Promise<unknown>>();
  const act = (actor: string, work: (to: Store) => Promise<unknown>) => {
    const phase = rng.chance(0.5) ? rng.pick(PHASES) : undefined;
    actors.set(actor, work(barriers.storeFor(actor, store, killAt(), phase)));
  };
  const prune = async (to: Store) => {
    const vault = await openVault(to);
    for (let n = 0; n < 3; n += 1) {
      const policy = { keepLast: rng.chance(0.8) ? 1 : 2 };
      const report = await pruneVault(vault, { policy, dryRun: false, graceMs: 0, abandonAfterMs: DAY_MS }, { clock });
      seen.swept += report.swept.objects;
    }
  };
  act('run one', (to) => run(to, 'one', tables()));
  act('run two', (to) => run(to, 'two', tables()));
  act('prune', prune);
  if (rng.chance(0.5)) act('another prune', prune);
  act('verify', async (to) => {
    for (let n = 0; n < 2; n += 1) {
      const pipeline = rng.pick(['one', 'two']);
      const report = await verifyVault(await openVault(to), { level: 'files', pipeline }).catch((error: unknown) => {
        // The pipeline may have no complete snapshot yet.
        if (hasCode(error, 'USAGE')) return { findings: [] };
        throw error;
      });
      for (const { code, object, message } of report.findings)
        figures.bad('false alarms', `${where}: ${code} ${object}: ${message}`);
    }
  });
  await barriers.run(actors);

  const results = new Map<string, unknown>();
  for (const [actor, promise] of actors) {
    if (barriers.isDead(actor)) seen.killed += 1;
    else results.set(actor, await promise.catch((error: unknown) => error));
  }
  const after = await vaultState(store);
  for (const finding of after?.findings ?? []) {
    figures.bad(/missing/.test(finding) ? 'live objects deleted' : 'unreadable snapshots', `${where}: ${finding}`);
  }
  const catalog = await readCatalog(await openVault(store));
  for (const pipeline of whole) {
    const newest = newestComplete(catalog, { pipeline, database: SERIES.database });
    if (newest === undefined) figures.bad('live objects deleted', `${where}: no whole snapshot of ${pipeline} is left`);
  }
  for (const [actor, result] of results) {
    // A vault that a prune and a run change at once may tell one of them to come again; nothing else may fail.
    if (result instanceof Error) {
      const fine = result instanceof TablevaultError && (result.code === 'LOCKED' || result.code === 'COMMIT_UNKNOWN');
      if (!fine) figures.bad('wrong outcome reported', `${where}: ${actor}: ${String(result)}`);
    } else if (actor.startsWith('run')) {
      const { manifest } = result as { manifest: { snapshot: string; tables: { parts: { run: string }[] }[] } };
      seen.committed += 1;
      if (manifest.tables.some(({ parts }) => parts.some((part) => part.run !== manifest.snapshot))) seen.reused += 1;
    }
  }
  // Afterwards, in peace: one more run of each, and what nothing needs can be freed.
  await run(store, 'one', tables());
  await run(store, 'two', []);
  advance(10 * DAY_MS);
  const vault = await openVault(store);
  for (let n = 0; n < 2; n += 1) {
    await pruneVault(vault, { policy: { keepLast: 1 }, dryRun: false, graceMs: 0, abandonAfterMs: DAY_MS }, { clock });
  }
  const end = await vaultState(store);
  for (const finding of end?.findings ?? []) figures.bad('live objects deleted', `${where}, after all: ${finding}`);
  const needed = new Set(
    end?.manifests.flatMap((manifest) => manifest.tables.flatMap(({ parts }) => parts.map(({ key }) => key))),
  );
  for await (const { key } of store.list('tables/')) {
    if (!needed.has(key)) figures.bad('objects never freed', `${where}: ${key}`);
  }
}

/** A run that is killed at one of its store calls; it never goes on. */
async function killedRun(store: Store, at: () => number, work: (to: Store) => Promise<unknown>): Promise<void> {
  const last = at();
  let calls = 0;
  let die: () => void = () => {};
  const died = new Promise<void>((resolve) => {
    die = resolve;
  });
  const dying = wrapStore(store, (_call, _key, act) => {
    calls += 1;
    if (calls < last) return act();
    die();
    return new Promise(() => {});
  });
  await Promise.race([died, work(dying).catch(() => undefined)]);
}
