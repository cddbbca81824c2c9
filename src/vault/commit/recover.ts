/** Finishes commits that another process decided and did not publish. */
import pLimit from 'p-limit';
import { TablevaultError } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import { readTombstone } from '../chain/tombstones.ts';
import { doneKey } from '../layout.ts';
import type { Vault } from '../vault.ts';
import { readChain, readIfLive } from '../vault.ts';
import type { CommitDeps, Committed } from './commit.ts';
import { placeAfter, publish } from './commit.ts';
import type { Outcome } from './run.ts';
import { listRuns, readOutcome } from './run.ts';

/** Reads of small objects at once. */
const READERS = 8;

export type CommittedOutcome = Extract<Outcome, { outcome: 'commit' }>;

export interface UnfinishedCommits {
  /** Runs whose outcome is commit and whose nonce is in no manifest and no tombstone, oldest first. */
  readonly outcomes: readonly CommittedOutcome[];
  /** The chain's head that was searched: publishing begins after it. */
  readonly head: number;
}

/** Finds commits that were decided and not published. Reads only. */
export async function findUnfinishedCommits(vault: Vault, call: CallOptions = {}): Promise<UnfinishedCommits> {
  const fewAtOnce = pLimit(READERS);
  const runs = await listRuns(vault, call);
  const open = await Promise.all(
    runs.map((run) =>
      fewAtOnce(async () => {
        if ((await vault.store.head(doneKey(run), call)) !== undefined) return undefined;
        const outcome = await readOutcome(vault, run, call);
        return outcome?.outcome === 'commit' ? outcome : undefined;
      }),
    ),
  );
  const decided = open.filter((outcome) => outcome !== undefined);
  // The chain after the outcomes: a manifest published meanwhile is then found.
  const chain = await readChain(vault, call);
  if (decided.length === 0) return { outcomes: [], head: chain.head };
  const published = new Set<string>();
  await Promise.all([
    ...chain.retired.map((sequence) =>
      fewAtOnce(async () => {
        const tombstone = await readTombstone(vault.store, sequence, call);
        if (tombstone !== undefined) published.add(tombstone.nonce);
      }),
    ),
    ...chain.live.map((sequence) =>
      fewAtOnce(async () => {
        const nonce =
          (await readIfLive(vault, sequence, call))?.manifest.nonce ??
          (await readTombstone(vault.store, sequence, call))?.nonce;
        if (nonce !== undefined) published.add(nonce);
      }),
    ),
  ]);
  return { outcomes: decided.filter((outcome) => !published.has(outcome.nonce)), head: chain.head };
}

/**
 * Finishes what an earlier process decided and did not come to publish. Every writer does this first.
 * @throws TablevaultError `COMMIT_UNKNOWN` when it cannot be finished; `VAULT_CORRUPT` when the chain cannot be read, since a
 * manifest that cannot be read might be the missing one.
 */
export async function finishCommits(vault: Vault, deps: CommitDeps): Promise<readonly Committed[]> {
  const { outcomes, head } = await findUnfinishedCommits(vault, { signal: deps.signal });
  if (outcomes.length === 0) return [];
  const finished: Committed[] = [];
  const start = await placeAfter(vault, head);
  for (const outcome of outcomes) {
    if (outcome.manifest.nonce !== outcome.nonce || outcome.manifest.run !== outcome.run) {
      throw new TablevaultError('VAULT_CORRUPT', `the outcome of run ${outcome.run} contradicts itself`, {
        at: { run: outcome.run },
        hint: 'Restore the run from a copy of the vault, or remove its folder if the snapshot is not needed.',
      });
    }
    // Each from the searched head, not from the one before: another writer may finish the same commits in another order.
    const committed = await publish(vault, outcome.manifest, start, deps);
    deps.emit?.({
      type: 'log',
      level: 'info',
      message: `finished the commit of run ${outcome.run} as sequence ${committed.manifest.sequence}`,
    });
    finished.push(committed);
  }
  return finished;
}
