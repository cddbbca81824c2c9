/**
 * What answers prove of a scan: facts in, the next step or a verdict out. Pure.
 *
 * No single friendly answer is believed. Four rules: a question without an answer is unanswered, never no; a count by the same identity that
 * says more than what came is never ignored; a next link says only that there is more; an answer that could have been cut, as long as the
 * longest one, is never the end.
 */
import { comparator, type Key, type KeyOrder, leastKey, ordersOf } from '../core/key-order.ts';
import { keyFurther } from '../core/key-steps.ts';
import { count as number, plural } from '../core/words.ts';
import { ORDER_WORDS, stepAfterClosing } from './closing.ts';
import { countOf, countsItselfMore, isCounted, provenUnlessCounted, stepByCount, stepToHold } from './counts.ts';
import { type Checks, type ScanFacts, SKIPPED, type SpanKeys, type Step } from './facts.ts';
import { greatestOf, longestOf, MOST_REMEMBERED, rowsAsked } from './held.ts';
import type { ScanKey } from './key.ts';
import { isBounded, type KeyRange } from './ranges.ts';

/**
 * After 10, 20, 40 … reads it is asked whether anything comes far after the greatest key: where rows are added as fast as they are read,
 * nothing is there yet, and the read has an end.
 */
const asksFurther = (reads: number) => reads % 10 === 0 && Number.isInteger(Math.log2(reads / 10));
/** So many times the last ten reads; the further, the longer a table has outrun them. */
const howFar = (reads: number) => Math.ceil(reads ** 2 / 50);
/** An empty answer proves nothing of itself: so often there must be nothing, with an answer that has rows between one time and the next. */
const NOTHING_TIMES = 4;
/** Reads before it is judged that a table grows as fast as it is read. */
const OUTRUN_READS = 50;

/** What follows from the facts. */
export function nextStep(facts: ScanFacts): Step {
  const { range, key, held } = facts;
  if (held.answers === 0) return { do: 'read', range, exclude: range.ge };
  return key === null ? stepByCount(facts) : stepByKey(facts, key);
}

function stepByKey(facts: ScanFacts, key: ScanKey): Step {
  const { range, held } = facts;
  // In order of text, GUIDs need not lie where their own order has them.
  if (held.outside !== null && !held.ordersOfEach.includes('text'))
    return { do: 'disproved', why: `a row came outside the range that was asked for (${describe(held.outside)})` };
  const greatest = greatestOf(held);
  if (greatest === null) return stepWhenEmpty(facts, key);
  const [order] = held.orders;
  if (order === undefined) return strayed(facts) ?? unordered(facts);
  if (key.order !== null && key.order !== order && isBounded(range)) {
    const why = `the rows of a range came in ${ORDER_WORDS[order]}, not in ${ORDER_WORDS[key.order]}`;
    return { do: 'disproved', why };
  }
  if (held.jumped !== null)
    return { do: 'refuse', why: `a read from ${held.jumped} on brought later rows, but not the row with that key` };
  const wrong = lostOf(facts.checks.span) ?? lostOf(facts.checks.first);
  if (wrong !== undefined) return wrong;
  // Else it can wait until the end is found, which may run away meanwhile.
  if (held.unheldRows > MOST_REMEMBERED && !isCounted(facts)) return stepToHold(facts)!;
  const last = held.last!;
  const onward: KeyRange = { ge: greatest, le: range.le ?? endOf(facts) };
  const readOn: Step = { do: 'read', range: onward, exclude: greatest };
  // A boundary is a key that is known to exist; where the read itself set its end, that proves nothing.
  if (!last.more && !key.composite && range.le !== null && greatest === range.le)
    return provenUnlessCounted(facts, 'boundary');
  if (last.more || last.rows > 0) {
    if (outruns(facts)) return { do: 'refuse', why: 'it grows faster than it can be read', hopeless: true };
    return furtherOn(facts, key, order, greatest) ?? readOn;
  }
  const isAgain = held.before?.rows === 0;
  if (last.excluded < (held.recent.at(-1)?.tail ?? 0)) {
    if (!isAgain) return readOn;
    return { do: 'refuse', why: 'a read from the greatest key on did not even bring the row with that key' };
  }
  if (countsItselfMore(facts)) {
    if (!isAgain) return readOn;
    const brought = plural(last.excluded, 'row');
    return {
      do: 'refuse',
      why: `a read from ${greatest} on brought ${brought}, and counts ${number(last.count ?? 0)}`,
    };
  }
  return stepAfterClosing({ facts, key, orders: held.orders, greatest, onward });
}

/**
 * Rows need not lie in an order, though those of an answer may happen to, or may be sorted in another way than filters compare: then a row
 * that belongs among those of one answer comes after its last, and the next is asked from there on. Its key, asked for by itself, shows it.
 */
function lostOf(span: SpanKeys | undefined): Step | undefined {
  if (span === undefined) return undefined;
  if (span.lost !== null)
    return {
      do: 'refuse',
      why: `the row with the key ${span.lost} did not come with those around it, so that its rows come in no order`,
    };
  return span.differ
    ? { do: 'refuse', why: 'its keys, read alone and in parts, are not those of the rows' }
    : undefined;
}

/** No row came at all. One empty answer proves nothing of itself, so another question is asked, with a filter where the first had none. */
function stepWhenEmpty(facts: ScanFacts, key: ScanKey): Step {
  const { range, held } = facts;
  // The row that the range begins with came alone, which needs what any closing read needs.
  if (held.last!.excluded > 0 && range.ge !== null) {
    const orders = key.order === null ? ordersOf(key.type) : [key.order];
    return stepAfterClosing({ facts, key, orders, greatest: range.ge, onward: range });
  }
  if (held.answers > 1) return provenUnlessCounted(facts, 'empty');
  const least = leastKey(key.type);
  const asked = range.ge === null && least !== undefined ? { ge: least, le: range.le } : range;
  return { do: 'read', range: asked, exclude: range.ge };
}

// ── Without order ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Each answer is in order, but a later one holds rows before the key that was asked for: the server does not filter as it sorts, or not at all. */
function strayed({ held }: ScanFacts): Step | undefined {
  if (held.ordersOfEach.length === 0 || held.withRows < 2) return undefined;
  return { do: 'disproved', why: 'rows came again that lie before the key that was asked for' };
}

/** Rows without order: halves of the table tell, unless the range is a part of it. For any key b, `le b` and `ge b` hold every row. */
function unordered(facts: ScanFacts): Step {
  const { range, held, checks } = facts;
  const why =
    held.answers > 1
      ? 'more rows came after the greatest key of an answer without order'
      : 'the rows came in no known order';
  if (isBounded(range)) return { do: 'disproved', why };
  if (held.skipped) return { do: 'proven', by: 'none', why: `${why}, and ${SKIPPED}` };
  if (checks.split === undefined) return { do: 'split', why };
  const wrong = splitHolds(facts, checks.split);
  if (wrong !== undefined) return wrong;
  if (checks.known === undefined && held.rows > 1) return { do: 'known' };
  if (checks.known === false)
    return { do: 'refuse', why: `${why}, and keys that came did not come again by themselves` };
  return provenUnlessCounted(facts, 'split', why);
}

/** Are the keys, read alone, those of the rows, and are those of the halves as many? Undefined where they are. */
function splitHolds({ held }: ScanFacts, { whole, sum, halves }: NonNullable<Checks['split']>): Step | undefined {
  const { rows } = held;
  if (halves === null) return { do: 'refuse', why: 'its keys could not be read in two halves' };
  if (rows === whole && rows === halves) {
    if (held.sum === sum) return undefined;
    return { do: 'refuse', why: `its keys, read alone, are as many as its rows, ${number(rows)}, but not the same` };
  }
  if (whole === halves)
    return { do: 'refuse', why: `${plural(rows, 'row')} came, but its keys, read alone, are ${number(whole)}` };
  const why = `${plural(rows, 'row')} came, and its keys, read alone, are ${number(whole)}, but those up to the middle one and those from there on are ${number(halves)} together`;
  return rows === whole && halves > rows ? { do: 'refuse', why, twice: true } : { do: 'refuse', why };
}

// ── Read after read ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A key from which on there was nothing at some moment of the read: what was added after that need not be read. */
function endOf({ nothingFrom }: ScanFacts): Key | null {
  return nothingFrom !== null && nothingFrom.times >= NOTHING_TIMES ? nothingFrom.key : null;
}

/** Read after read brings rows: either answers are cut, or rows are added faster than a request lasts. */
function furtherOn(
  { range, held, checks, nothingFrom }: ScanFacts,
  key: ScanKey,
  order: KeyOrder,
  greatest: Key,
): Step | undefined {
  if (range.le !== null || checks.further !== undefined) return undefined;
  const compare = comparator(key.type, order);
  const from = held.recent[0]?.last;
  const further =
    from == null || !asksFurther(held.withRows)
      ? undefined
      : keyFurther(key.type, order, [from, greatest], howFar(held.withRows));
  const isNearer = nothingFrom === null || (further !== undefined && compare(further, nothingFrom.key) < 0);
  if (further !== undefined && isNearer) return { do: 'further', from: further };
  const isOpen = nothingFrom !== null && nothingFrom.times < NOTHING_TIMES && compare(nothingFrom.key, greatest) > 0;
  return isOpen ? { do: 'further', from: nothingFrom.key } : undefined;
}

/**
 * Rows are added as fast as answers bring them: far more came than were counted, or read after read those of one value of a key's first
 * column.
 */
function outruns(facts: ScanFacts): boolean {
  const { held } = facts;
  if (held.answers < OUTRUN_READS) return false;
  if (held.recent.every(({ last, more }) => !more && last === held.last?.last)) return true;
  const counted = facts.countsTables ? countOf(facts) : null;
  return counted !== null && counted > longestOf(held).rows && rowsAsked(held) > counted * 2;
}

function describe(range: KeyRange): string {
  const parts = [range.ge === null ? '' : `ge ${range.ge}`, range.le === null ? '' : `le ${range.le}`];
  return parts.filter((part) => part !== '').join(' and ') || 'all keys';
}
