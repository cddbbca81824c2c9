/** What a snapshot will take, from what the last complete one took. Pure. */
import type { TablePlan } from '../../scan/plan.ts';
import type { Manifest } from '../../vault/chain/manifest.ts';

/** Measured over a whole run, all readers together. */
export interface Rates {
  /** Id of the snapshot that was measured. */
  readonly snapshot: string;
  readonly rowsPerSecond: number;
  /** Of Parquet. */
  readonly bytesPerSecond: number;
  /** Response bytes on the wire for a byte of Parquet. */
  readonly wirePerByte: number;
}

export interface TableForecast {
  readonly parquetBytes: number | null;
  readonly bytesReceived: number | null;
  /** The table's share of the run, ms. */
  readonly durationMs: number | null;
}

const UNKNOWN: TableForecast = { parquetBytes: null, bytesReceived: null, durationMs: null };
/** A session holds its seat this long after its last call, minutes; a renewed token holds a second one as long. */
const IDLE_MINUTES = 20;
/** A service session is closed an hour after it began. */
const SESSION_MINUTES = 60;

/** Null where there is nothing to go by: no snapshot, or one that was too small to measure. */
export function ratesOf(previous: Manifest | undefined): Rates | null {
  if (previous === undefined || previous.durationMs <= 0) return null;
  // What a run before had read took time and bytes that this manifest does not tell of.
  const read = previous.tables.filter(({ window }) => window.from >= previous.startedAt);
  const rows = read.reduce((sum, table) => sum + table.rows, 0);
  const bytes = read.reduce((sum, table) => sum + table.bytes, 0);
  if (rows === 0 || bytes === 0 || previous.bytesReceived === 0) return null;
  const seconds = previous.durationMs / 1000;
  return {
    snapshot: previous.snapshot,
    rowsPerSecond: rows / seconds,
    bytesPerSecond: bytes / seconds,
    wirePerByte: previous.bytesReceived / bytes,
  };
}

/** A table that the last snapshot holds with rows is thought to have rows of the same size still. */
export function forecast(
  table: string,
  rows: number | null,
  rates: Rates | null,
  previous: Manifest | undefined,
): TableForecast {
  const before = previous?.tables.find(({ name }) => name === table);
  if (rates === null || rows === null || before === undefined) return UNKNOWN;
  if (before.rows === 0) return rows === 0 ? { parquetBytes: before.bytes, bytesReceived: 0, durationMs: 0 } : UNKNOWN;
  const parquetBytes = Math.round((before.bytes / before.rows) * rows);
  return {
    parquetBytes,
    bytesReceived: Math.round(parquetBytes * rates.wirePerByte),
    durationMs: Math.round((parquetBytes / rates.bytesPerSecond) * 1000),
  };
}

/** Minutes that a run holds licence seats: while it runs, until its session is closed as idle, and once more for each renewed token. */
export function seatMinutes(durationMs: number): number {
  const minutes = durationMs / 60_000;
  const renewals = Math.floor(minutes / SESSION_MINUTES);
  return Math.round((minutes + IDLE_MINUTES + renewals * IDLE_MINUTES) * 10) / 10;
}

/** Requests that a plan will send, retries aside; null for a chain of unknown length. */
export function requestsOf(plan: TablePlan, countable: boolean): number | null {
  // The greatest key is asked for once more; a range is proven by its boundary, but the last has none. Where the instance gives no count
  // with its first answer, it is asked as well whether anything follows.
  if (plan.key !== null) return plan.ranges.length + (countable ? 1 : 2);
  if (plan.strategy === 'stream' || plan.pageRows === null) return 1;
  return plan.estimate === null ? null : Math.floor(plan.estimate.rows / plan.pageRows) + 1;
}
