/** Holds a stretch of rows against its keys: are there keys between its ends whose rows did not come? */
import type { Clock } from '../core/clock.ts';
import { addSums, comparator, type Key, type KeyOrder } from '../core/key-order.ts';
import { keyAfter, keyBefore } from '../core/key-steps.ts';
import type { Batch } from '../decode/columns.ts';
import { hasherOf } from '../decode/key-watch.ts';
import { valueText } from '../decode/values.ts';
import type { SpanKeys } from '../scan/facts.ts';
import type { Span } from '../scan/held.ts';
import type { ScanKey } from '../scan/key.ts';
import type { TablePlan } from '../scan/plan.ts';
import type { KeyRange } from '../scan/ranges.ts';
import { readAnswer, type Source } from './answer.ts';
import { BatchSink } from './batch-sink.ts';
import type { HowKeys, KeyScan, Stranger } from './keys.ts';
import { queryOf } from './row-query.ts';

export interface SpanContext {
  readonly plan: TablePlan;
  readonly key: ScanKey;
  /** The range that is read, of which the span is a part. */
  readonly range: KeyRange;
  readonly instance: Source;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Reads keys alone. */
  readonly keys: (range: KeyRange, how: HowKeys) => Promise<KeyScan>;
  readonly onRequest: (requests: number) => void;
}

/** Rows of an answer that are fewer cannot be asked for in halves that are shorter than itself. */
const LEAST_IN_HALVES = 3;

/**
 * Reads the keys of a span in parts, none of which is as long as all of them, so that what cuts those cuts no part. A key whose row did not come
 * may have been added since: then its row comes where it belongs when the rows are asked for again as they were.
 *
 * @param orders those that the rows kept to: one of them is the server's, unless it has none
 */
export async function holdSpan(span: Span, orders: readonly KeyOrder[], context: SpanContext): Promise<SpanKeys> {
  const { key } = context;
  const known = span.keys === null ? undefined : new Set(span.keys.flatMap(({ hashes }) => hashes));
  const [order] = orders;
  if (order === undefined) return { keys: null, lost: null, differ: true };
  const gaps = gapsOf(span, order, key);
  const found =
    gaps === undefined ? await inParts(span, order, known, context) : await inGaps(span, gaps, known, context);
  // Keys that were not remembered show only whether they are the same; the next try remembers them.
  if (known === undefined) {
    const same = found.sum !== null && found.sum === span.sum;
    return { keys: found.keys, lost: null, differ: !same };
  }
  // More rows are not added in the time of a few requests than an answer holds: the next try has them, or tells more.
  if (new Set(found.strangers.map(({ hash }) => hash)).size > span.rows)
    return { keys: found.keys, lost: null, differ: true };
  let lost: Key | null = null;
  for (const each of orders) {
    lost = await lostAmong(found.strangers, span.range, each, context);
    if (lost === null) break;
  }
  // Parts that cannot be told from cut ones tell nothing, which is no yes; rows that share a key may have no parts.
  const isOpen = found.keys === null && !key.composite && span.rows >= LEAST_IN_HALVES;
  return { keys: found.keys, lost, differ: isOpen };
}

interface Found {
  /** Null where a part may have been cut. */
  readonly keys: number | null;
  /** Of the keys but the one that the span begins with, by `addSums`; null where rows share keys. */
  readonly sum: number | null;
  readonly strangers: readonly FoundStranger[];
}

/** A stranger, and the range by which it came. */
interface FoundStranger extends Stranger {
  readonly by: KeyRange;
}

/** Parts are cut in two so often at most: into 64. */
const MOST_CUTS = 6;

/**
 * All keys of the span in one read show where keys are cut, which may be sooner than rows; then parts of it, each shorter than that, show what it
 * hides.
 */
async function inParts(
  { range, rows, keys }: Span,
  order: KeyOrder,
  known: ReadonlySet<number> | undefined,
  { plan, key, keys: read }: SpanContext,
): Promise<Found> {
  const how = known === undefined ? {} : { known };
  const from = (exclude: Key | null) => (key.composite || exclude === null ? how : { ...how, exclude });
  // The keys that the plan was made with came in answers that were longer than any of these.
  const { estimate } = plan;
  const planned = estimate?.source === 'keys' && estimate.rows > rows * 2 ? estimate.rows : null;
  const isKnown = planned !== null && keys !== null;
  const whole = isKnown ? { rows: planned, excluded: 0, sample: [], strangers: [] } : await read(range, from(range.ge));
  const compare = comparator(key.type, order);
  const drawn = [...new Set(keys?.[0]?.sample ?? whole.sample)].toSorted(compare);
  const strangers = whole.strangers.map((each) => ({ ...each, by: range }));
  let sum = 0;
  let came = 0;
  let isOpen = false;
  const look = async (part: KeyRange, cuts: number): Promise<void> => {
    const { ge, le } = part;
    const isInner = (each: Key) => (ge === null || compare(each, ge) > 0) && (le === null || compare(each, le) < 0);
    const inner = drawn.filter(isInner);
    const middle = inner[Math.floor(inner.length / 2)];
    if (cuts > 0) {
      const found = await read(part, from(ge));
      strangers.push(...found.strangers.map((each) => ({ ...each, by: part })));
      if (lengthOf(found) < lengthOf(whole) || whole.rows === 0) {
        sum = addSums(sum, found.sum);
        came += found.rows;
        return;
      }
    }
    // As long as all of them: it may have been cut where they were.
    const pieces =
      cuts === MOST_CUTS
        ? []
        : middle === undefined
          ? apart(part, key, order)
          : [
              { ge, le: middle },
              { ge: middle, le },
            ];
    isOpen ||= pieces.length === 0;
    for (const piece of pieces) await look(piece, cuts + 1);
  };
  await look(range, 0);
  // Rows that share a key are asked for by nothing else; that answers end after one or two of them is not looked for.
  isOpen &&= !key.composite || lengthOf(whole) >= LEAST_IN_HALVES;
  return { keys: isOpen ? null : came, sum: key.composite || isOpen ? null : sum, strangers };
}

/** Rows of the two ends of a part, and what lies between; none where that cannot be told, or all share one key. */
function apart({ ge, le }: KeyRange, { type, composite }: ScanKey, order: KeyOrder): readonly KeyRange[] {
  if (!composite || le === null || ge === le) return [];
  const to = keyBefore(type, le, order);
  const from = ge === null ? null : keyAfter(type, ge, order);
  if (to === undefined || from === undefined) return [];
  const isGap = from === null || comparator(type, order)(from, to) <= 0;
  return [...(ge === null ? [] : [{ ge, le: ge }]), ...(isGap ? [{ ge: from, le: to }] : []), { ge: le, le }];
}

function lengthOf({ rows, excluded }: Pick<KeyScan, 'rows' | 'excluded'>): number {
  return rows + excluded;
}

/** What lies between the keys of an answer of one or two rows; undefined where there are more, or no next key is known. */
function gapsOf(
  { range, rows, keys }: Span,
  order: KeyOrder,
  { type, composite }: ScanKey,
): readonly KeyRange[] | undefined {
  const drawn = keys?.[0]?.sample;
  if (drawn === undefined || composite || rows >= LEAST_IN_HALVES || type.kind === 'text') return undefined;
  const compare = comparator(type, order);
  const ends = [range.ge, ...drawn.toSorted(compare)];
  return ends.slice(1).flatMap((to, n) => {
    const from = ends[n]!;
    const le = keyBefore(type, to!, order);
    const ge = from === null ? null : keyAfter(type, from, order);
    if (le === undefined || ge === undefined) return [];
    return ge === null || compare(ge, le) <= 0 ? [{ ge, le }] : [];
  });
}

async function inGaps(
  { rows, sum }: Span,
  gaps: readonly KeyRange[],
  known: ReadonlySet<number> | undefined,
  { keys: read }: SpanContext,
): Promise<Found> {
  const strangers: FoundStranger[] = [];
  for (const gap of gaps) {
    const found = await read(gap, known === undefined ? {} : { known });
    strangers.push(...found.strangers.map((each) => ({ ...each, by: gap })));
  }
  return { keys: rows + strangers.length, sum, strangers };
}

// ── Rows asked for again ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The first of some keys whose row does not come in its place. Whatever fixed order rows come in: where a row comes before all those with later
 * keys, an answer that went past its key had it, or it was not there yet. A key after the last of the answer was not passed at all, though
 * the filter has it before: the next read begins behind it.
 */
async function lostAmong(
  found: readonly FoundStranger[],
  { ge, le }: KeyRange,
  order: KeyOrder,
  context: SpanContext,
): Promise<Key | null> {
  const { key } = context;
  const compare = comparator(key.type, order);
  // A server that cuts instants in filters answers with keys from before, too; the first one of all came before.
  const strangers = found.filter((each) => ge === null || compare(each.key, ge) > (key.composite ? -1 : 0));
  // By the shortest range that each came by.
  let rest = [...new Map(strangers.map((each) => [each.hash, each])).values()].toSorted((a, b) =>
    compare(a.key, b.key),
  );
  const last = rest.at(-1)?.key;
  if (last !== undefined && le !== null && compare(last, le) > 0) return last;
  // What was read without a filter may come another way than with one, so that it is asked for in just that way first.
  let from = ge === null ? null : (rest[0]?.key ?? null);
  while (last !== undefined && rest.length > 0) {
    const { came, reach } = await rowsFrom(from, last, compare, context);
    const missing = rest.filter(({ hash }) => !came.has(hash));
    const passed = missing.filter((each) => reach !== null && compare(each.key, reach) < 0);
    const [first] = rest;
    // Asked for from its own key on, the first one comes, or is wanting like those that were passed.
    const wanting = from !== null && first !== undefined && missing.includes(first) ? [...passed, first] : passed;
    for (const each of new Set(wanting)) if (await isThere(each, context)) return each.key;
    rest = missing.filter((each) => !wanting.includes(each));
    from = rest[0]?.key ?? null;
  }
  return null;
}

/** A row that was added meanwhile may be gone by now: then its key no longer comes by the range that it came by. */
async function isThere({ hash, by }: FoundStranger, context: SpanContext): Promise<boolean> {
  const { strangers } = await context.keys(by, { known: new Set() });
  return strangers.some((each) => each.hash === hash);
}

interface Came {
  /** Hashes of the keys of rows that came before any with a later key. */
  readonly came: ReadonlySet<number>;
  /** The last key that it came to. */
  readonly reach: Key | null;
}

/** Ends a read whose further rows are not wanted. */
class Enough extends Error {}

/** Longer than any row: what is too long for a snapshot fails there. */
const MAX_ROW_BYTES = 2 ** 30;

/** Asks for rows from a key on, as all rows are asked for, up to the first after `to`. */
async function rowsFrom(
  from: Key | null,
  to: Key,
  compare: (a: Key, b: Key) => number,
  { plan, key, range, instance, signal, onRequest }: SpanContext,
): Promise<Came> {
  const { table } = plan;
  const columns = table.columns.filter(({ name }) => table.key.includes(name));
  const came = new Set<number>();
  let reach: Key | null = null;
  const take = async ({ columns: buffers, rows }: Batch) => {
    const bufferOf = (name: string) => buffers[columns.findIndex((column) => column.name === name)]!;
    const hashOf = hasherOf(table.key.map(bufferOf))!;
    const lead = bufferOf(key.column);
    for (let row = 0; row < rows; row++) {
      const each = valueText(lead, row) ?? '';
      if (reach !== null && compare(each, reach) < 0) continue;
      reach = each;
      came.add(hashOf(row));
      if (compare(each, to) > 0) throw new Enough();
    }
  };
  const spec = { table: table.name, columns, key: table.key, absentIsNull: true, maxRowBytes: MAX_ROW_BYTES };
  const sink = new BatchSink({ spec, hooks: {}, eager: true, take });
  const asked = { ge: from, le: range.le };
  const ask = { query: queryOf(plan, asked), range: asked, exclude: null, key, purpose: 'rows', signal };
  try {
    const { requests } = await readAnswer({ ...ask, goesOn: plan.key?.leads === true }, instance, sink);
    onRequest(requests);
  } catch (thrown) {
    onRequest(1);
    if (!(thrown instanceof Enough)) throw thrown;
  }
  return { came, reach };
}
