/** Finishes commits that another process decided and did not publish. */
import pLimit from 'p-limit';
import { TablevaultError } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import { type Catalog, readCatalog, withTombstones } from '../chain/catalog.ts';
import { missingPlaces } from '../chain/places.ts';
import { outcomeKey } from '../layout.ts';
import { findUnstoredParts, tellUnstored } from '../stored-parts.ts';
import type { Vault } from '../vault.ts';
import { assertSameVault } from '../vault.ts';
import type { CommitDeps, Committed } from './commit.ts';
import { placeAfter, publish } from './commit.ts';
import type { Outcome } from './run.ts';
import { listRuns, readOutcome } from './run.ts';

/** Reads of small objects at once. */
const READERS = 8;

export type CommittedOutcome = Extract<Outcome, { outcome: 'commit' }>;

export interface UnfinishedCommits {
  /** Runs whose outcome is commit and that have no place in the chain, oldest first. */
  readonly outcomes: readonly CommittedOutcome[];
  /** The chain as it was read after them: publishing begins after its head. */
  readonly catalog: Catalog;
  /** Runs that were given up. */
  readonly abandoned: ReadonlySet<string>;
}

/**
 * Finds commits that were decided and not published. Reads only, and looks only at runs of which the catalog does not tell.
 * @param known what the vault was found to hold before
 * @throws TablevaultError `VAULT_CORRUPT` when a commit was decided and a manifest cannot be read, which might be its own
 */
export async function findUnfinishedCommits(
  vault: Vault,
  known: Catalog,
  call: CallOptions = {},
): Promise<UnfinishedCommits> {
  const fewAtOnce = pLimit(READERS);
  const told = [...known.entries.values(), ...known.presumed.values()];
  const over = new Set([...told.map(({ run }) => run), ...known.abandoned]);
  const runs = (await listRuns(vault, call)).filter((run) => !over.has(run));
  const read = await Promise.all(runs.map((run) => fewAtOnce(() => readOutcome(vault, run, call))));
  const abandoned = new Set([...known.abandoned]);
  const decided: CommittedOutcome[] = [];
  for (const outcome of read) {
    if (outcome?.outcome === 'commit') decided.push(outcome);
    else if (outcome !== undefined) abandoned.add(outcome.run);
  }
  if (decided.length === 0) return { outcomes: [], catalog: known, abandoned };
  // The chain after the outcomes: a manifest published meanwhile is then found.
  const catalog = await readCatalog(vault, call, known.entries);
  // Where the index tells whose the manifest was, it is not that of an unfinished commit.
  for (const [sequence, fault] of catalog.unreadable) if (!catalog.presumed.has(sequence)) throw fault;
  const missing = missingPlaces(catalog, catalog.presumed);
  if (missing !== undefined) throw mayBeMissing(vault, missing);
  const places = await withTombstones(vault, catalog, call);
  // By the run, too: one that was retired and swept may have an outcome of a process that slept meanwhile.
  const published = new Set([...places.values()].flatMap(({ nonce, run }) => [nonce, run]));
  const isOpen = ({ nonce, run }: CommittedOutcome) => !published.has(nonce) && !published.has(run);
  return { outcomes: decided.filter(isOpen), catalog, abandoned };
}

/** Its manifest may be one of those: published again behind the others, an old snapshot would be the newest. */
function mayBeMissing(vault: Vault, missing: string): TablevaultError {
  return new TablevaultError('VAULT_CORRUPT', `${missing}, so it cannot be told which commits are unfinished`, {
    at: { vault: vault.store.uri },
    hint: 'Run `tablevault verify`, and restore the manifest from a copy of the vault.',
  });
}

/**
 * Why a decided commit cannot be published: the first part that is missing or has another size. Undefined for a whole one, and for one that was
 * published meanwhile, whose parts may be pruned already.
 */
export async function whatCommitLacks(
  vault: Vault,
  { run, manifest }: CommittedOutcome,
  known: Catalog,
  call: CallOptions = {},
): Promise<string | undefined> {
  const unstored = await findUnstoredParts(vault, manifest.tables, call);
  if (unstored.length === 0) return undefined;
  const { outcomes } = await findUnfinishedCommits(vault, known, call);
  if (!outcomes.some((open) => open.run === run)) return undefined;
  return `its snapshot is not published, since parts are no longer as stored: ${tellUnstored(unstored)}`;
}

export interface FinishedCommits {
  readonly finished: readonly Committed[];
  /** What the vault holds after that. */
  readonly catalog: Catalog;
  /** Runs that were given up. */
  readonly abandoned: ReadonlySet<string>;
}

/**
 * Finishes what an earlier process decided and did not come to publish. Every writer does this first. A commit whose parts are not all there is
 * told and left: it is never published, and `verify` finds it.
 * @throws TablevaultError `COMMIT_UNKNOWN` when it cannot be finished; `VAULT_CORRUPT` when the chain cannot be read, since a
 * manifest that cannot be read might be the missing one.
 */
export async function finishCommits(vault: Vault, deps: CommitDeps): Promise<FinishedCommits> {
  const call = { signal: deps.signal };
  const found = await findUnfinishedCommits(vault, await readCatalog(vault, call), call);
  const { outcomes, catalog, abandoned } = found;
  if (outcomes.length === 0) return { finished: [], catalog, abandoned };
  await assertSameVault(vault, call);
  const finished: Committed[] = [];
  const start = await placeAfter(vault, catalog.head);
  for (const outcome of outcomes) {
    if (outcome.manifest.nonce !== outcome.nonce || outcome.manifest.run !== outcome.run) {
      throw new TablevaultError('VAULT_CORRUPT', `the outcome of run ${outcome.run} contradicts itself`, {
        at: { run: outcome.run },
        hint: 'Restore the run from a copy of the vault, or remove its folder if the snapshot is not needed.',
      });
    }
    const lacks = await whatCommitLacks(vault, outcome, catalog, call);
    if (lacks !== undefined) {
      deps.emit?.({
        type: 'warning',
        message: `${outcomeKey(outcome.run)}: ${lacks}; \`tablevault verify\` says what to do`,
      });
      continue;
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
  return { finished, catalog: await readCatalog(vault, call, catalog.entries), abandoned };
}
