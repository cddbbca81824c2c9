/** (b) Commits whose answers are lost or forged: what is reported must be what is true. */

import { sha256Hex } from '../../src/core/digest.ts';
import { TablevaultError } from '../../src/core/errors.ts';
import type { Store } from '../../src/storage/store.ts';
import { commitSnapshot } from '../../src/vault/commit/commit.ts';
import { finishCommits } from '../../src/vault/commit/recover.ts';
import { readOutcome } from '../../src/vault/commit/run.ts';
import { partKey } from '../../src/vault/layout.ts';
import { openVault } from '../../src/vault/open.ts';
import { draft, partEntry, runId, tableEntry } from '../unit/vault/support.ts';
import { vaultState } from './lib/check-vault.ts';
import { type Budget, type Figures, tally } from './lib/figures.ts';
import { QUICK, quickClock } from './lib/mini-run.ts';
import { type Random, random } from './lib/random.ts';
import { wrapStore } from './lib/wrap-store.ts';

/** Commits into one vault, so that they build on each other. */
const COMMITS_A_VAULT = 10;

const FAULTS = [
  'lost-answer',
  'lost-request',
  'forged-success',
  'forged-exists',
  'forged-denied',
  'forged-full',
] as const;

/** Opens an empty store, and other ways to the same objects whose answers go wrong in the way of a seed. */
export type OpenStores = (seed: number) => Promise<{
  readonly sound: Store;
  readonly faulty: (seed: number) => Store;
  /** Answers that were lost or forged so far, where it is counted. */
  readonly wrong?: () => number;
  readonly end: () => Promise<void>;
}>;

/** Stores behind a wrapper that loses and forges answers. */
export function wrappedStores(open: () => Promise<{ store: Store; end: () => Promise<void> }>): OpenStores {
  return async () => {
    const { store, end } = await open();
    return { sound: store, faulty: (seed) => chaos(store, random(seed)), end };
  };
}

/** Every third or so put goes wrong, and one read in eight; now and then everything from some call on. */
function chaos(inner: Store, rng: Random): Store {
  const lost = () => new TablevaultError('DESTINATION_UNREACHABLE', 'the connection was reset', { retryable: true });
  let calls = 0;
  const outageAt = rng.chance(0.12) ? 4 + rng.below(20) : Number.POSITIVE_INFINITY;
  return wrapStore(inner, async (call, _key, act) => {
    calls += 1;
    if (calls > outageAt) throw lost();
    if (call !== 'putNew' && call !== 'replace') {
      if (call !== 'remove' && calls > 6 && rng.chance(0.1)) throw lost();
      return act();
    }
    if (rng.chance(0.6)) return act();
    switch (rng.pick(FAULTS)) {
      case 'lost-answer':
        await act().catch(() => undefined);
        throw lost();
      case 'lost-request':
        throw lost();
      case 'forged-success':
        return undefined as never;
      case 'forged-exists':
        await act().catch(() => undefined);
        throw new TablevaultError('OBJECT_EXISTS', 'forged');
      case 'forged-denied':
        await act().catch(() => undefined);
        throw new TablevaultError('DESTINATION_DENIED', 'forged');
      case 'forged-full':
        await act().catch(() => undefined);
        throw new TablevaultError('DESTINATION_FULL', 'forged');
    }
  });
}

export async function tortureAnswers(name: string, open: OpenStores, budget: Budget): Promise<Figures> {
  const kinds = ['wrong outcome reported', 'duplicate snapshots', 'deleted live parts'];
  const figures = tally(name, kinds, budget);
  const told = { published: 0, unknown: 0, failed: 0, wrong: 0 };
  for (let round = 0; figures.more(); round += 1) {
    const seed = budget.seed * 1000 + round;
    const { sound, faulty, wrong, end } = await open(seed);
    try {
      const vault = await openVault(sound, { write: true });
      const deps = { clock: quickClock(Date.now), persistence: QUICK };
      for (let n = 0; n < COMMITS_A_VAULT && figures.more(); n += 1) {
        const commitSeed = seed * 100 + n;
        const run = runId();
        const content = Buffer.from(`part of ${run}`);
        const sha256 = sha256Hex(content);
        const key = partKey('T', run, 0, sha256);
        await sound.putNew(key, content);
        const part = partEntry({ key, run, rows: 1, bytes: content.length, sha256 });
        const mine = draft({ run, snapshot: run, tables: [tableEntry([part], { name: 'T' })] });
        const result = await commitSnapshot({ ...vault, store: faulty(commitSeed) }, mine, deps).then(
          () => 'published' as const,
          (error: unknown) => (error instanceof TablevaultError ? error.code : `threw ${String(error)}`),
        );
        const where = `seed ${commitSeed}, reported ${result}`;
        const before = await vaultState(sound);
        const seen = before?.manifests.filter(({ nonce }) => nonce === mine.nonce).length ?? 0;
        const decided = (await readOutcome(vault, run))?.outcome === 'commit';
        if (result === 'published') {
          told.published += 1;
          if (seen !== 1) figures.bad('wrong outcome reported', `${where}, found ${seen} times`);
        } else if (result === 'COMMIT_UNKNOWN') told.unknown += 1;
        else {
          told.failed += 1;
          if (seen > 0 || decided)
            figures.bad('wrong outcome reported', `${where}, found ${seen} times, decided ${decided}`);
        }
        await finishCommits(vault, deps);
        const after = await vaultState(sound);
        const times = after?.manifests.filter(({ nonce }) => nonce === mine.nonce).length ?? 0;
        if (times > 1) figures.bad('duplicate snapshots', where);
        if (times !== (decided ? 1 : 0))
          figures.bad('wrong outcome reported', `${where}, decided ${decided}, then found ${times} times`);
        for (const finding of after?.findings ?? []) figures.bad('deleted live parts', `${where}: ${finding}`);
        figures.done();
      }
    } finally {
      told.wrong += wrong?.() ?? 0;
      await end();
    }
  }
  return figures.figures(
    `${told.published} reported published, ${told.unknown} unknown, ${told.failed} failed${told.wrong > 0 ? `; ${told.wrong} answers went wrong` : ''}`,
  );
}
