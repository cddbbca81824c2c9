/** Plans how a table is read. Pure. */

import { comparator, ordersOf } from '../core/key-order.ts';
import type { Column, TableSchema } from '../core/schema.ts';
import { plural } from '../core/words.ts';
import type { Filter } from '../odata/filters.ts';
import { cutsIntoRanges, type ScanKey, scanKeyOf } from './key.ts';
import { ALL_KEYS, type KeyRange, type PlacedKey, pickBoundaries, splitAt } from './ranges.ts';

/** What probes found of an instance; null where a probe could not tell. */
export interface Capabilities {
  /** `key ge x and key le y` gives just those rows. */
  readonly keyFilter: boolean | null;
  /** A page with `$top` carries a next link while rows remain. */
  readonly nextLink: boolean | null;
  /** `$top` is kept to. */
  readonly top: boolean | null;
  /** `$count=true` gives `@odata.count`. */
  readonly count: boolean | null;
  /** Properties that are null are left out of rows. */
  readonly absentIsNull: boolean;
}

export const UNKNOWN_CAPABILITIES: Capabilities = {
  keyFilter: null,
  nextLink: null,
  top: null,
  count: null,
  absentIsNull: false,
};

/** Rows of a table, and where the number is from. */
export interface RowEstimate {
  readonly rows: number;
  readonly source: 'Dmv_Table_Info' | '$count' | 'snapshot' | 'keys';
}

export interface PlanInput {
  readonly table: TableSchema;
  readonly columns: readonly Column[];
  readonly filter: Filter | undefined;
  readonly capabilities: Capabilities;
  readonly estimate: RowEstimate | null;
  /** What the table is asked by; null where filters on its key are known to be refused. */
  readonly key: ScanKey | null;
  /** Keys of the table (a read of the keys, or part boundaries of the last snapshot), in the key's order; empty where there are none. */
  readonly sample: readonly PlacedKey[];
  /** Requests in flight at most. */
  readonly concurrency: number;
  /** `$top` of a page. */
  readonly pageRows: number;
}

/** How a table will be read. Frozen data: stored with the run, shown by `plan`, and nothing else decides what is requested. */
export interface TablePlan {
  readonly table: TableSchema;
  readonly columns: readonly Column[];
  readonly filter: Filter | undefined;
  readonly strategy: 'stream' | 'chain' | 'ranges';
  /** One task each; a stream or chain has one, of all keys. */
  readonly ranges: readonly KeyRange[];
  /** `$top` of a chain's pages, else null. */
  readonly pageRows: number | null;
  readonly estimate: RowEstimate | null;
  /** What the instance counted of the whole table when it was planned; null where it was not asked then. */
  readonly counted?: number | null | undefined;
  /** Rows that were seen of it while the instance was probed. Default none. */
  readonly seen?: number;
  /** Did counts say more than ranges brought, so that only another count can settle it? Default false. */
  readonly mustCount?: boolean;
  /** What its end is proven by; null where only counts can tell. */
  readonly key: ScanKey | null;
  readonly reason: string;
}

/** Rows of a range: enough to be worth a request and a file, few enough to be done in minutes and redone cheaply. */
const RANGE_ROWS = { least: 5_000, most: 200_000 };
/** A table of fewer rows is not cut. */
const ROWS_TO_CUT = 50_000;

/**
 * Where to cut a table, as shares of its rows; none when it is read as one stream. Each range is a reader's share of the rows that are left,
 * so that they get smaller and the readers finish together (guided self-scheduling, Polychronopoulos and Kuck 1987).
 */
export function cutsOf(rows: number, concurrency: number): readonly number[] {
  const cuts: number[] = [];
  if (rows < ROWS_TO_CUT) return cuts;
  for (let done = 0; ; ) {
    const size = Math.min(RANGE_ROWS.most, Math.max(RANGE_ROWS.least, Math.ceil((rows - done) / concurrency)));
    done += size;
    // What would be left for one more range is not worth it.
    if (rows - done < RANGE_ROWS.least / 2) return cuts;
    cuts.push(done / rows);
  }
}

/** The key that a table can be asked by on this instance. */
export function usableKey(
  table: TableSchema,
  columns: readonly Column[],
  { keyFilter }: Pick<Capabilities, 'keyFilter'>,
): ScanKey | null {
  const key = scanKeyOf(table, columns);
  // What was probed is a filter on a GUID.
  return keyFilter === false && key?.type.kind === 'guid' ? null : key;
}

/** Decides how a table is read. */
export function planTable(input: PlanInput): TablePlan {
  const { table, columns, filter, capabilities, estimate, key, sample } = input;
  const plan = (strategy: TablePlan['strategy'], ranges: readonly KeyRange[], reason: string): TablePlan => ({
    table,
    columns,
    filter,
    strategy,
    ranges,
    pageRows: strategy === 'chain' ? input.pageRows : null,
    estimate,
    key,
    reason,
  });
  if (key === null) {
    if (table.key.length > 0 && capabilities.nextLink === true && capabilities.top === true)
      return plan('chain', [ALL_KEYS], 'the instance takes no filters on its key');
    return plan('stream', [ALL_KEYS], table.key.length === 0 ? 'it has no key' : 'it can be read only whole');
  }
  if (estimate === null) return plan('stream', [ALL_KEYS], 'its size is unknown');
  const cuts = cutsOf(estimate.rows, input.concurrency);
  const order = key.order ?? ordersOf(key.type)[0];
  if (cuts.length === 0 || order === undefined) return plan('stream', [ALL_KEYS], 'it is small');
  if (!cutsIntoRanges(key)) return plan('stream', [ALL_KEYS], 'its key does not cut it into ranges');
  const boundaries = pickBoundaries(sample, cuts, comparator(key.type, order));
  if (boundaries.length === 0) return plan('stream', [ALL_KEYS], 'its keys are not known');
  const reason = `about ${plural(estimate.rows, 'row')} in ${plural(boundaries.length + 1, 'key range')}`;
  return { ...plan('ranges', splitAt(boundaries), reason), key: { ...key, order } };
}
