/** `ls`: the snapshots of a vault, and whether the newest complete one is young enough. */
import { duration } from '../../core/duration.ts';
import { TablevaultError } from '../../core/errors.ts';
import { plural } from '../../core/words.ts';
import { isWhole, readCatalog, unknownPlaces } from '../../vault/chain/catalog.ts';
import { distinctSeries, isSameSeries, labelOf } from '../../vault/chain/series.ts';
import { readPinned } from '../../vault/gc/pins.ts';
import { chosenSeries, type SnapshotQuery } from '../../vault/snapshots.ts';
import type { Vault } from '../../vault/vault.ts';

/** A snapshot may seem to end this much later than now; more is a wrong clock. */
const CLOCK_TOLERANCE_MS = 5 * 60 * 1000;

/** One line of `ls`. */
export interface SnapshotSummary {
  readonly snapshot: string;
  readonly sequence: number;
  readonly complete: boolean;
  /** Of some of the pipeline's tables (`--tables`): it is not the newest complete one for anything. */
  readonly narrowed: boolean;
  /** No retention retires it. */
  readonly pinned: boolean;
  readonly pipeline: string;
  readonly database: string;
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
  /** Of the parts that it does not share with earlier snapshots. */
  readonly addedBytes: number;
  /** Parts that `repair` found damaged and put into quarantine, and that nobody has put back. Others may be missing: `verify` looks. */
  readonly missingParts: number;
}

/** The snapshots of one pipeline of one database. */
export interface SeriesSummary {
  readonly pipeline: string;
  readonly database: string;
  /**
   * Id of the newest complete one, by sequence, that is not narrowed and lacks no part as far as is known. Null also where a later manifest
   * is missing or cannot be read: it may be that of a newer one.
   */
  readonly newestComplete: string | null;
  /** Time since that one was finished, milliseconds; null without one. */
  readonly ageMs: number | null;
}

/** A snapshot whose manifest is damaged or missing: nobody knows what it holds, nor whose it is. Of several side by side, the first. */
export interface UnreadableSnapshot {
  readonly sequence: number;
  readonly message: string;
}

export interface SnapshotList {
  /** Live snapshots, oldest first. */
  readonly snapshots: readonly SnapshotSummary[];
  /** Snapshots that are not among those, since their manifests are missing or cannot be read; of all series. */
  readonly unreadable: readonly UnreadableSnapshot[];
  /** In the order of their first snapshots. */
  readonly series: readonly SeriesSummary[];
  /** Of the only series, or of the one that was named; null where there are several. */
  readonly newestComplete: string | null;
  readonly ageMs: number | null;
  /** Number of snapshots that were retired. */
  readonly retired: number;
}

/** @param pipeline lists the snapshots of one series: its pipeline, or `pipeline@database`. Default: all. */
export type ListOptions = SnapshotQuery & { readonly nowMs: number };

/**
 * The snapshots of a vault, for `ls`. Those whose manifests cannot be read are listed apart.
 * @throws TablevaultError `VAULT_CORRUPT` when no manifest can be read at all
 */
export async function listSnapshots(vault: Vault, options: ListOptions): Promise<SnapshotList> {
  const { signal, nowMs, pipeline } = options;
  const catalog = await readCatalog(vault, { signal });
  const unknown = unknownPlaces(catalog);
  const [first] = unknown;
  if (first !== undefined && catalog.snapshots.length === 0) throw first.fault;
  const only = pipeline === undefined ? undefined : chosenSeries(catalog, pipeline);
  const entries = catalog.snapshots.filter(({ summary }) => only === undefined || isSameSeries(summary, only));
  const pinned = await readPinned(vault, { signal });
  const snapshots = entries.map(
    ({ snapshot, sequence, summary }): SnapshotSummary => ({
      snapshot,
      sequence,
      ...summary,
      pinned: pinned.has(sequence),
      missingParts: catalog.lacking.get(sequence) ?? 0,
    }),
  );
  const lastUnknown = Math.max(0, ...unknown.map(({ to }) => to));
  const series = distinctSeries(snapshots).map((each): SeriesSummary => {
    const last = snapshots.findLast((one) => isSameSeries(one, each) && isWhole(one));
    const newest = last !== undefined && last.sequence > lastUnknown ? last : undefined;
    return {
      ...each,
      newestComplete: newest?.snapshot ?? null,
      ageMs: newest === undefined ? null : nowMs - Date.parse(newest.finishedAt),
    };
  });
  const [one, ...others] = series;
  const { newestComplete = null, ageMs = null } = others.length === 0 ? (one ?? {}) : {};
  const unreadable = unknown.map(({ from, fault: { message } }) => ({ sequence: from, message }));
  return { snapshots, unreadable, series, newestComplete, ageMs, retired: catalog.retired.length };
}

/** What is wrong with a list that lacks snapshots, since their manifests are damaged or missing; undefined when none is. */
export function damage({ unreadable }: SnapshotList, vaultUri: string): TablevaultError | undefined {
  const [first, ...others] = unreadable;
  if (first === undefined) return undefined;
  const what =
    others.length === 0
      ? first.message
      : `${plural(unreadable.length, 'manifest')} cannot be read or are missing; the first: ${first.message}`;
  return new TablevaultError('VAULT_CORRUPT', what, {
    at: { vault: vaultUri },
    hint: 'Restore what `tablevault verify` names from a copy of the vault: a new snapshot does not mend it. The other snapshots can be used.',
  });
}

/**
 * What `ls --max-age` finds wrong: undefined when the newest complete snapshot is young enough. One that claims to be of the
 * future has no known age and counts as stale, else a clock once wrong would hide every missing night.
 * Where a later manifest is damaged, the fault is that.
 * @throws TablevaultError USAGE for an age that is no number, or below 0: nothing would be older than that; and for a list of several series
 */
export function staleness(list: SnapshotList, maxAgeMs: number, vaultUri: string): TablevaultError | undefined {
  if (!(maxAgeMs >= 0)) {
    throw new TablevaultError('USAGE', `the greatest age of a snapshot cannot be ${maxAgeMs} ms`, {
      hint: 'Give a number of milliseconds, 0 or more.',
    });
  }
  const stale = (
    what: string,
    hint = 'Find out why the last runs did not finish: run the pipeline by hand, or read its log.',
  ) => new TablevaultError('VAULT_STALE', what, { at: { vault: vaultUri }, hint });
  if (list.series.length > 1) {
    throw new TablevaultError('USAGE', 'the vault holds snapshots of several pipelines or databases', {
      at: { vault: vaultUri },
      hint: `Name one with --pipeline: ${list.series.map((each) => labelOf(each, list.series)).join(', ')}.`,
    });
  }
  if (list.ageMs === null && list.unreadable.length > 0) return damage(list, vaultUri);
  const last = list.snapshots.at(-1);
  if (list.ageMs === null && last?.complete === true && last.narrowed)
    return stale(
      'the vault holds no complete snapshot: its newest one is narrowed by --tables',
      'Run the pipeline without --tables: what it leaves out is in no backup.',
    );
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
