/** Reads of a table's keys alone: a few percent of its bytes. */
import { type Clock, systemClock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import type { Key, KeyOrder } from '../core/key-order.ts';
import { KeySampler } from '../core/key-sample.ts';
import { type RetryPolicy, withRetries } from '../core/retry.ts';
import type { TableSchema } from '../core/schema.ts';
import type { Batch } from '../decode/columns.ts';
import { hasherOf } from '../decode/key-watch.ts';
import { valueText } from '../decode/values.ts';
import type { Filter } from '../odata/filters.ts';
import { allOf } from '../odata/filters.ts';
import type { ScanKey } from '../scan/key.ts';
import { ALL_KEYS, type KeyRange, rangeFilter } from '../scan/ranges.ts';
import { readAnswer, type Source } from './answer.ts';
import { BatchSink } from './batch-sink.ts';

export interface KeyScan {
  readonly rows: number;
  /** Keys that were left out, as was asked. */
  readonly excluded: number;
  /** Values of the key's column drawn evenly, in the order they came. */
  readonly sample: readonly Key[];
  /** Orders that the keys came in. */
  readonly orders: readonly KeyOrder[];
  /** Rows with the wanted key, and those that are the same to a server that compares text without case. */
  readonly wanted: number;
  readonly alike: number;
  /** Of the keys, by `addSums`. */
  readonly sum: number;
  /** Keys that were not known, where that was asked. */
  readonly strangers: readonly Stranger[];
  readonly requests: number;
}

/** The key of a row that did not come with others. */
export interface Stranger {
  readonly key: Key;
  /** Of all columns of the key. */
  readonly hash: number;
}

export interface KeyRequest {
  readonly table: TableSchema;
  readonly key: ScanKey;
  /** Beside the range. */
  readonly filter: Filter | undefined;
  /** Default: all keys. */
  readonly range?: KeyRange;
  /** A key to count. */
  readonly wanted?: Key;
  /** Keys that are known, by their hashes: the others are told. */
  readonly known?: ReadonlySet<number>;
  /** A key to leave out. */
  readonly exclude?: Key;
  readonly signal: AbortSignal;
  readonly clock?: Pick<Clock, 'sleep'>;
}

/** What is wanted of keys besides their number. */
export type HowKeys = Pick<KeyRequest, 'wanted' | 'known' | 'exclude'>;

/** How often a read is begun again before its error stands. */
export const READ_RETRIES: RetryPolicy = { attempts: 4, firstPauseMs: 500, lastPauseMs: 5_000 };

const SAMPLE_KEYS = 8192;
const MOST_STRANGERS = 100_000;
const MAX_ROW_BYTES = 1024 * 1024;

/** Reads the key columns of a range, all of them, so that no two pages are alike; what breaks off is read again from its beginning. */
export function scanKeys(request: KeyRequest, source: Source): Promise<KeyScan> {
  const { clock = systemClock, signal } = request;
  return withRetries(READ_RETRIES, { clock, signal }, () => scanOnce(request, source));
}

async function scanOnce(
  { table, key, filter, range = ALL_KEYS, wanted, known, exclude, signal }: KeyRequest,
  source: Source,
): Promise<KeyScan> {
  const names = table.key;
  const columns = table.columns.filter(({ name }) => names.includes(name));
  const at = columns.findIndex(({ name }) => name === key.column);
  if (at < 0) throw new TablevaultError('BUG', `${table.name} has no column ${key.column}`);
  const sampler = new KeySampler(SAMPLE_KEYS);
  let [found, alike] = [0, 0];
  const isText = key.type.kind === 'text';
  const wantedUpper = wanted?.toUpperCase();
  const strangers: Stranger[] = [];
  const take = async ({ columns: buffers, rows }: Batch) => {
    const keys = buffers[at];
    const hashOf = hasherOf(names.map((name) => buffers[columns.findIndex((column) => column.name === name)]!));
    for (let row = 0; row < rows; row++) {
      const isSampled = sampler.wants();
      const hash = known === undefined ? undefined : hashOf?.(row);
      if (hash !== undefined && known?.has(hash) === false && strangers.length < MOST_STRANGERS)
        strangers.push({ key: valueText(keys!, row) ?? '', hash });
      if (!isSampled && wanted === undefined) continue;
      const text = valueText(keys!, row) ?? '';
      if (isSampled) sampler.add(text);
      if (text === wanted) found++;
      if (text === wanted || (isText && text.toUpperCase() === wantedUpper)) alike++;
    }
  };
  const sink = new BatchSink({
    spec: {
      table: table.name,
      columns,
      key: names,
      absentIsNull: false,
      maxRowBytes: MAX_ROW_BYTES,
    },
    hooks: {},
    eager: false,
    take,
  });
  const query = {
    table,
    select: names,
    filter: allOf(filter, rangeFilter(key.column, range)),
  };
  const { rows, excluded, orders, sum, requests } = await readAnswer(
    { query, range, exclude: exclude ?? null, key: key.composite ? null : key, goesOn: false, purpose: 'keys', signal },
    source,
    sink,
  );
  return { rows, excluded, sample: sampler.sample(), orders, sum, wanted: found, alike, strangers, requests };
}
