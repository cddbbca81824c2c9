/** A read from the greatest key on brought what came last and nothing else: what else is asked before that is taken for the end. Pure. */
import { comparator, type Key, type KeyOrder } from '../core/key-order.ts';
import { keysAfter } from '../core/key-steps.ts';
import { count as number, plural } from '../core/words.ts';
import { countOf, countsSayMore, provenUnlessCounted, stepToWitness } from './counts.ts';
import { type Beyond, type ScanFacts, SKIPPED, type Step } from './facts.ts';
import { longestOf, rowsAsked, wholeSpan } from './held.ts';
import type { ScanKey } from './key.ts';
import { isBounded, type KeyRange } from './ranges.ts';

/** A scan whose last answer brought no row that was not known. */
export interface Closing {
  readonly facts: ScanFacts;
  readonly key: ScanKey;
  /** Orders that the rows kept to; never none. */
  readonly orders: readonly KeyOrder[];
  readonly greatest: Key;
  /** From the greatest key to the end of the range. */
  readonly onward: KeyRange;
}

/** The orders by name, in sentences. */
export const ORDER_WORDS: Readonly<Record<KeyOrder, string>> = {
  sql: "SQL Server's order of GUIDs",
  value: 'the order of their values',
  text: 'the order of text',
  nocase: 'the order of text without case',
  collation: 'an order of text',
};

/** Known rows that come again should be more than this, so that an answer cut by a share shows, and fewer than rights cut at. */
const AGAIN = { least: 8, most: 1_900 };

/** Is there a second witness that nothing follows? */
export function stepAfterClosing(closing: Closing): Step {
  const { facts } = closing;
  const { held } = facts;
  const counted = facts.countsTables ? countOf(facts) : null;
  if (held.skipped) return { do: 'proven', by: 'none', why: SKIPPED };
  const shifted = lookAtLinked(closing);
  if (shifted !== undefined) return shifted;
  if (isAgreed(closing) && !isWholeGroup(closing))
    return stepToWitness(facts) ?? provenUnlessCounted(facts, 'closing-read');
  const beyond = lookBeyond(closing);
  const step = beyond.step ?? lookFromLast(closing, beyond) ?? lookBetween(closing);
  if (step !== undefined) return step;
  if (counted !== null && counted > rowsAsked(held)) return provenUnlessCounted(facts, 'closing-read');
  return (
    lookAtFirst(closing, beyond) ??
    lookAtLength(closing, beyond) ??
    lookAgain(facts) ??
    provenUnlessCounted(facts, 'closing-read')
  );
}

/**
 * Rows that share the first column of a key are read on by links, whose pages may shift when rows are deleted meanwhile: one that was there all
 * the time is then in none of them, and a count that fell fits. The keys, read alone, must be those that came.
 */
function lookAtLinked({ facts: { held, checks }, key }: Closing): Step | undefined {
  if (!key.composite || !held.linked || held.withRows < 2) return undefined;
  if (checks.whole === undefined) return { do: 'whole' };
  const { rows: whole, sum } = checks.whole;
  if (whole === held.rows && sum === held.sum) return undefined;
  return {
    do: 'refuse',
    why: `${plural(held.rows, 'row')} came, over pages that may have shifted, and its keys, read alone, are ${number(whole)}${whole === held.rows ? ', but not the same' : ''}`,
  };
}

/** Does the instance count just the rows that came, and of the closing read those that it brought? */
function isAgreed({ facts }: Closing): boolean {
  const { held } = facts;
  const counted = facts.countsTables ? countOf(facts) : null;
  return counted === rowsAsked(held) && !countsSayMore(facts) && held.last?.count === held.last?.excluded;
}

/** Do rows that share the first column of a key fill the longest answer? What cuts answers may cut counts at the same number. */
function isWholeGroup({ facts: { held }, key }: Closing): boolean {
  const excluded = held.last?.excluded ?? 0;
  return key.composite && excluded > 1 && excluded >= longestOf(held).rows;
}

/** What comes after the greatest key. */
interface Following {
  readonly step?: Step;
  /** The server says that nothing does. */
  readonly nothing: boolean;
  /** A key that does, though not the next one. */
  readonly later: Key | null;
}

/** Nothing should come after the greatest key, by each order that the rows kept to. */
function lookBeyond({ facts, key, orders, greatest, onward }: Closing): Following {
  let nothing = false;
  for (const order of orders) {
    const compare = comparator(key.type, order);
    // What lies outside the range is empty, whatever follows.
    const isInside = (each: Key) => onward.le === null || compare(each, onward.le) <= 0;
    const told: readonly (Beyond | null)[] = facts.checks.beyond?.[order] ?? [];
    for (const [n, { key: ge, next }] of keysAfter(key.type, greatest, order)
      .filter((each) => isInside(each.key))
      .entries()) {
      const range = { ge, le: onward.le };
      const beyond = told[n];
      if (beyond === undefined) return { step: { do: 'beyond', range, order, greatest }, nothing, later: null };
      // Only keys that do not come after it: the server cuts what it is asked for, or compares in another order.
      if (beyond === null || (beyond.rows > 0 && beyond.after === null)) continue;
      if (beyond.after !== null) {
        // While rows keep to two orders, what is next in one may lie far on in the other.
        if (!next || beyond.greatest || key.composite || orders.length > 1) return { nothing, later: beyond.after };
        return { step: { do: 'read', range, exclude: null }, nothing, later: null };
      }
      nothing = true;
      break;
    }
  }
  return { nothing, later: null };
}

/** All keys from the last on, alone: where the next row is too large for an answer, its key is not. */
function lookFromLast(closing: Closing, { nothing, later }: Following): Step | undefined {
  const { facts, key, greatest, onward } = closing;
  // Of text, what was asked for is not the very next key.
  if (nothing && !key.composite && key.type.kind !== 'text') return undefined;
  const { last } = facts.checks;
  if (last === undefined) return { do: 'last', range: onward, last: greatest };
  const follows = last.rows > (facts.held.last?.excluded ?? 0);
  if (!follows && later === null) return undefined;
  if (key.composite || !follows || last.next === null) return notTheEnd(closing, last.next ?? later);
  return { do: 'read', range: { ge: last.next, le: onward.le }, exclude: null };
}

/** Something follows that the closing read did not bring: it may have come since, so it is read on once more. */
function notTheEnd({ facts, greatest, onward }: Closing, next: Key | null): Step {
  const { before } = facts.held;
  if (before === null || before.rows > 0) return { do: 'read', range: onward, exclude: greatest };
  return { do: 'refuse', why: `a read from ${greatest} on ended there, but ${next ?? 'more'} follows` };
}

/** Rows that came against an order show that the server sorts in another one; does it filter by that one? */
function lookBetween({ facts, key, orders }: Closing): Step | undefined {
  for (const { order, first, second } of facts.held.against) {
    // Two that are the same in the server's order come together, whatever it filters by.
    const isSame = orders.some((each) => comparator(key.type, each)(first, second) === 0);
    if (isSame || orders.includes(order)) continue;
    const between = facts.checks.between?.[order];
    if (between === undefined) return { do: 'between', range: { ge: second, le: first }, order };
    if (between > 0)
      return {
        do: 'disproved',
        why: `the server sends rows in another order than it filters by, ${ORDER_WORDS[order]}`,
      };
  }
  return undefined;
}

/**
 * Of rows that share the last key of the only answer, more may lie anywhere. Where nothing of them is missing among its keys in parts, that
 * tells what a closing read that is as long as others cannot.
 */
function lookAtFirst(closing: Closing, beyond: Following): Step | undefined {
  const { facts, key, orders } = closing;
  const { held, checks } = facts;
  if (!key.composite || held.withRows !== 1 || held.first === null || held.first.rows === 0) return undefined;
  if (checks.first === undefined) return { do: 'first', span: wholeSpan(held, held.first), orders };
  const isWhole = checks.first.keys !== null && couldBeCut(closing, beyond);
  return isWhole ? provenUnlessCounted(facts, 'split') : undefined;
}

function lookAtLength(closing: Closing, beyond: Following): Step | undefined {
  const { held } = closing.facts;
  const isCountedOne = held.first?.count === 1 && rowsAsked(held) === 1;
  if (isCountedOne || !couldBeCut(closing, beyond)) return undefined;
  const rows = plural(held.last?.excluded ?? 0, 'row');
  if (isAgreed(closing))
    return {
      do: 'proven',
      by: 'count',
      why: `the instance counts ${number(rowsAsked(held))}, and all share the first column of the key`,
    };
  return {
    do: 'proven',
    by: 'none',
    why: `the read that should show its end (${rows}) is as long as others, so that it may have been cut, and the instance gives no count`,
  };
}

/** Could the closing read have been cut at its length, in rows or in bytes? By rows it could not where nothing at all follows its key. */
function couldBeCut({ facts: { range, held }, key }: Closing, { nothing }: Following): boolean {
  const { last, longestBefore, filteredBefore } = held;
  const { excluded = 0, bytes = 0 } = last ?? {};
  if (!key.composite) {
    // Bytes were looked at by keys alone. In a range, which rows that are known bound, an answer of one row is no limit.
    return excluded >= longestBefore.rows && !nothing && !isBounded(range);
  }
  const asLong = filteredBefore.rows > 0 && excluded >= filteredBefore.rows;
  return asLong || excluded * 2 > longestBefore.rows || bytes * 2 > longestBefore.bytes;
}

/**
 * A server that cuts every answer by a share cuts the closing read as well, to the one row that looks like the end. It gives itself away
 * over rows that are known: so some of them are read again.
 */
function lookAgain({ range, held, checks }: ScanFacts): Step | undefined {
  const { recent, rows } = held;
  const holds = recent.at(-1)?.last;
  if (holds == null || rows < 2) return undefined;
  if (checks.again?.found === false)
    return { do: 'refuse', why: `a second read of its last keys did not bring ${holds}, which came before` };
  if (checks.again !== undefined) return undefined;
  // No more than the longest answer brought: what was cut there would be cut here too, and say nothing.
  const most = Math.min(AGAIN.most, longestOf(held).rows);
  let known = 0;
  let { ge } = range;
  for (const answer of recent.toReversed()) {
    const size = answer.rows + answer.excluded;
    if (known > 0 && (known >= AGAIN.least || known + size > most)) break;
    known += answer.rows;
    ge = answer.asked.ge ?? range.ge;
  }
  // No further than the last known key: a row that is lost from every answer is then that one, and is missed.
  return { do: 'again', range: { ge, le: holds }, holds };
}
