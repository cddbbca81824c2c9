/** `ls`: the snapshots of a vault, and whether the newest complete one is young enough. */
import pLimit from 'p-limit';
import { duration } from '../../core/duration.ts';
import { TablevaultError } from '../../core/errors.ts';
import type { CallOptions } from '../../storage/store.ts';
import type { Manifest } from '../../vault/chain/manifest.ts';
import { partInQuarantine, QUARANTINE } from '../../vault/layout.ts';
import type { Vault } from '../../vault/vault.ts';
import { readChain, readIfLive } from '../../vault/vault.ts';
import { readSpan } from './span.ts';

/** Manifests read at once. */
const READERS = 4;
/** A snapshot may seem to end this much later than now; more is a wrong clock. */
const CLOCK_TOLERANCE_MS = 5 * 60 * 1000;

/** One line of `ls`. */
export interface SnapshotSummary {
  readonly snapshot: string;
  readonly sequence: number;
  readonly complete: boolean;
  readonly pipeline: string;
  readonly instance: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Of the run that committed it. */
  readonly durationMs: number;
  /** The first read, of the run that it continues where there is one; and the time from then to the commit. */
  readonly readFrom: string;
  readonly readMs: number;
  /** Did it continue a run that had been ended before? */
  readonly continued: boolean;
  readonly tables: number;
  /** Tables that are counted or best-effort. */
  readonly notExact: number;
  readonly failedTables: number;
  readonly rows: number;
  readonly bytes: number;
  /** Parts that `repair` found damaged and put into quarantine, and that nobody has put back. Others may be missing: `verify` looks. */
  readonly missingParts: number;
}

export interface SnapshotList {
  /** Live snapshots, oldest first. */
  readonly snapshots: readonly SnapshotSummary[];
  /** Id of the newest complete one, by sequence, of those that lack no part as far as is known. */
  readonly newestComplete: string | null;
  /** Time since that one was finished, milliseconds; null without one. */
  readonly ageMs: number | null;
  /** Number of snapshots that were retired. */
  readonly retired: number;
}

/** The snapshots of a vault, for `ls`. An unreadable manifest is an error, not a missing line. */
export async function listSnapshots(
  vault: Vault,
  options: CallOptions & { readonly nowMs: number },
): Promise<SnapshotList> {
  const chain = await readChain(vault, options);
  const missing = await partsMissing(vault, options);
  const limit = pLimit(READERS);
  const summaries = await Promise.all(
    chain.live.map((sequence) =>
      limit(async () => {
        const found = await readIfLive(vault, sequence, options);
        return found === undefined ? undefined : summarise(found.manifest, missing);
      }),
    ),
  );
  const snapshots = summaries.filter((summary) => summary !== undefined);
  const newest = snapshots.findLast((summary) => summary.complete && summary.missingParts === 0);
  return {
    snapshots,
    newestComplete: newest?.snapshot ?? null,
    ageMs: newest === undefined ? null : options.nowMs - Date.parse(newest.finishedAt),
    retired: chain.retired.length,
  };
}

/** Parts in quarantine, but for those that are in their place again. */
async function partsMissing(vault: Vault, call: CallOptions): Promise<ReadonlySet<string>> {
  const missing = new Set<string>();
  for await (const { key } of vault.store.list(QUARANTINE, { signal: call.signal })) {
    const part = partInQuarantine(key);
    if (part !== undefined && (await vault.store.head(part, { signal: call.signal })) === undefined) missing.add(part);
  }
  return missing;
}

function summarise(manifest: Manifest, missing: ReadonlySet<string>): SnapshotSummary {
  const parts = missing.size === 0 ? [] : manifest.tables.flatMap((table) => table.parts);
  const span = readSpan(manifest);
  return {
    snapshot: manifest.snapshot,
    sequence: manifest.sequence,
    complete: manifest.complete,
    pipeline: manifest.pipeline.name,
    instance: manifest.instance.url,
    startedAt: manifest.startedAt,
    finishedAt: manifest.finishedAt,
    durationMs: manifest.durationMs,
    readFrom: span.from,
    readMs: span.ms,
    continued: span.continued,
    tables: manifest.tables.length,
    notExact: manifest.tables.filter(({ consistency }) => consistency !== 'exact').length,
    failedTables: manifest.failed.length,
    rows: manifest.totals.rows,
    bytes: manifest.totals.bytes,
    missingParts: parts.filter(({ key }) => missing.has(key)).length,
  };
}

/**
 * What `ls --max-age` finds wrong: undefined when the newest complete snapshot is young enough. One that claims to be of the
 * future has no known age and counts as stale, else a clock once wrong would hide every missing night.
 * @throws TablevaultError USAGE for an age that is no number, or below 0: nothing would be older than that
 */
export function staleness(list: SnapshotList, maxAgeMs: number, vaultUri: string): TablevaultError | undefined {
  if (!(maxAgeMs >= 0)) {
    throw new TablevaultError('USAGE', `the greatest age of a snapshot cannot be ${maxAgeMs} ms`, {
      hint: 'Give a number of milliseconds, 0 or more.',
    });
  }
  const stale = (what: string) =>
    new TablevaultError('VAULT_STALE', what, {
      at: { vault: vaultUri },
      hint: 'Find out why the last runs did not finish: run the pipeline by hand, or read its log.',
    });
  if (list.ageMs === null) return stale('the vault holds no complete snapshot of which no file is missing');
  if (list.ageMs < -CLOCK_TOLERANCE_MS) {
    return stale(
      `the newest complete snapshot ${list.newestComplete} is dated later than now: a clock is or was wrong`,
    );
  }
  if (list.ageMs <= maxAgeMs) return undefined;
  return stale(
    `the newest complete snapshot ${list.newestComplete} is ${duration(list.ageMs)} old; at most ${duration(maxAgeMs)} is allowed`,
  );
}
