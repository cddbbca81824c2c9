/** Finds a snapshot by what a person types. */
import { TablevaultError } from '../core/errors.ts';
import type { CallOptions } from '../storage/store.ts';
import { type Catalog, newestComplete, readCatalog, readEntry, seriesIn, unknownPlaces } from './chain/catalog.ts';
import type { LiveEntry } from './chain/entry.ts';
import { chooseSeries, isSameSeries, type Series } from './chain/series.ts';
import { readTombstone } from './chain/tombstones.ts';
import { RUN_ID } from './layout.ts';
import type { StoredManifest, Vault } from './vault.ts';

export interface SnapshotQuery extends CallOptions {
  /** The series that `latest` and dates look at, by its pipeline or as `pipeline@database`. Default: the only one that there is. */
  readonly pipeline?: string | undefined;
}

export interface FoundSnapshot extends StoredManifest {
  /** Parts that `repair` put into quarantine, and that nobody has put back. */
  readonly missingParts: number;
}

/** `2026-11-21`, or an instant to the minute or second, of UTC. */
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?Z?)?$/;
/** Times that snapshots are looked for while others retire them. */
const LOOKS = 3;

/**
 * A live snapshot: `latest` (the newest complete one of a series, narrowed ones left out), a date (the newest complete one that was finished
 * by the end of it), a sequence, or a snapshot's id.
 * @throws TablevaultError `USAGE` when there is no such snapshot, it was retired, or a series must be named
 */
export async function readSnapshot(
  vault: Vault,
  wanted: string | number,
  query: SnapshotQuery = {},
): Promise<FoundSnapshot> {
  const call = { signal: query.signal };
  for (let look = 1; ; look += 1) {
    const catalog = await readCatalog(vault, call);
    const entry = await findSnapshot(vault, catalog, String(wanted), query);
    const found = await readEntry(vault, entry, call);
    if (found !== undefined) return { ...found, missingParts: catalog.lacking.get(entry.sequence) ?? 0 };
    if (look === LOOKS) throw unknown(vault, wanted, 'it was retired just now');
  }
}

function unknown(vault: Vault, wanted: string | number, why: string, hint?: string): TablevaultError {
  return new TablevaultError('USAGE', `no snapshot ${wanted} in ${vault.store.uri}: ${why}`, {
    at: { vault: vault.store.uri },
    hint: hint ?? 'List the snapshots with `tablevault ls`.',
  });
}

/**
 * The newest complete snapshot of a series, narrowed ones left out; undefined when there is none.
 * @param onFault as of `newestComplete`
 */
export async function readNewestComplete(
  vault: Vault,
  found: Catalog,
  series: Series,
  call: CallOptions & { readonly onFault?: ((fault: TablevaultError) => void) | undefined } = {},
): Promise<StoredManifest | undefined> {
  let catalog = found;
  for (let look = 1; look <= LOOKS; look += 1) {
    const entry = newestComplete(catalog, series, call.onFault);
    if (entry === undefined) return undefined;
    const read = await readEntry(vault, entry, call);
    if (read !== undefined) return read;
    // Retired since the catalog was read: a newer one is there.
    catalog = await readCatalog(vault, call);
  }
  return undefined;
}

/**
 * As `readSnapshot`, of what a vault was found to hold.
 * @throws TablevaultError `USAGE`; and the fault of a manifest that cannot be read and is, or may be, the one
 */
export async function findSnapshot(
  vault: Vault,
  catalog: Catalog,
  wanted: string,
  query: SnapshotQuery,
): Promise<LiveEntry> {
  if (wanted === 'latest') return latest(vault, catalog, query);
  const untilMs = endOf(wanted);
  if (untilMs !== undefined) return newestAt(vault, catalog, wanted, untilMs, query);
  if (RUN_ID.test(wanted)) return byId(vault, catalog, wanted, query);
  const sequence = /^\d{1,15}$/.test(wanted) ? Number(wanted) : 0;
  if (sequence === 0) throw unknown(vault, wanted, 'it is neither a sequence, an id, a date, nor `latest`');
  const damaged = unknownPlaces(catalog).find(({ from, to }) => from <= sequence && sequence <= to);
  if (damaged !== undefined) throw damaged.fault;
  if (catalog.retired.includes(sequence)) throw unknown(vault, wanted, 'it was retired');
  if (!catalog.live.includes(sequence)) throw unknown(vault, wanted, 'no snapshot has this sequence');
  const found = catalog.snapshots.find((entry) => entry.sequence === sequence);
  if (found !== undefined) return found;
  throw unknown(vault, wanted, 'it was retired just now');
}

function latest(vault: Vault, catalog: Catalog, { pipeline }: SnapshotQuery): LiveEntry {
  const series = chosenSeries(catalog, pipeline);
  if (series === undefined) throw unknown(vault, 'latest', 'the vault holds none yet');
  const newest = newestComplete(catalog, series);
  if (newest !== undefined) return newest;
  const last = catalog.snapshots.findLast(({ summary }) => isSameSeries(summary, series));
  throw unknown(
    vault,
    'latest',
    `pipeline ${series.pipeline} has no complete snapshot yet`,
    last === undefined
      ? undefined
      : `Its newest one is ${last.summary.complete ? 'narrowed by --tables' : 'incomplete'}; to use that, name it: --snapshot ${last.sequence}.`,
  );
}

function newestAt(
  vault: Vault,
  catalog: Catalog,
  wanted: string,
  untilMs: number,
  { pipeline }: SnapshotQuery,
): LiveEntry {
  const series = chosenSeries(catalog, pipeline);
  const found =
    series === undefined
      ? undefined
      : newestComplete(
          {
            ...catalog,
            snapshots: catalog.snapshots.filter(({ summary }) => Date.parse(summary.finishedAt) <= untilMs),
          },
          series,
        );
  if (found !== undefined) return found;
  throw unknown(vault, wanted, 'no complete snapshot was finished by then');
}

/** The end of a date, or an instant; undefined for what is none. */
function endOf(wanted: string): number | undefined {
  const [, day, minute, second] = DATE.exec(wanted) ?? [];
  if (day === undefined) return undefined;
  const startMs = Date.parse(`${day}T${minute ?? '23:59'}${second ?? ':59'}.999Z`);
  return Number.isNaN(startMs) ? undefined : startMs;
}

/**
 * The series that a caller means; undefined for a vault without snapshots.
 * @throws TablevaultError USAGE when there are several and none was named; of manifests that cannot be read nobody knows the series
 */
export function chosenSeries(catalog: Catalog, pipeline: string | undefined): Series | undefined {
  const all = seriesIn(catalog);
  const [unknown] = unknownPlaces(catalog);
  if (all.length === 0 && unknown !== undefined) throw unknown.fault;
  return chooseSeries(all, pipeline);
}

async function byId(vault: Vault, catalog: Catalog, wanted: string, { signal }: SnapshotQuery): Promise<LiveEntry> {
  const found = catalog.snapshots.find(({ snapshot }) => snapshot === wanted);
  if (found !== undefined) return found;
  for (const sequence of catalog.retired.toReversed()) {
    const known = catalog.entries.get(sequence);
    if (known !== undefined && known.snapshot !== wanted) continue;
    const tombstone = await readTombstone(vault.store, sequence, { signal });
    if (tombstone?.snapshot === wanted) throw unknown(vault, wanted, `it was retired on ${tombstone.retiredAt}`);
  }
  // It may be one that cannot be read, or is missing.
  const [damaged] = unknownPlaces(catalog);
  throw damaged?.fault ?? unknown(vault, wanted, 'none has this id');
}
