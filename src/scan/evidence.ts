/**
 * What answers prove of a scan: facts in, the next step or a verdict out. Pure.
 *
 * No single friendly answer is believed. Four rules: a question without an answer is unanswered, never no; a count by the same identity that
 * says more than what came is never ignored; a next link says only that there is more; an answer that could have been cut, as long as the
 * longest one, is never the end.
 */
import {
  type Against,
  addSums,
  type CompareKeys,
  comparator,
  type Key,
  type KeyOrder,
  keyAfter,
  keyBefore,
  leastKey,
  type Neighbours,
  ordersOf,
} from '../core/key-order.ts';
import { count as number, plural } from '../core/words.ts';
import type { ScanKey } from './key.ts';
import type { KeyRange } from './ranges.ts';

/** What one read brought: a response, with those of its next pages that were followed. */
export interface AnswerFacts {
  readonly asked: KeyRange;
  /** Rows with this key were left out where they had come before. */
  readonly exclude: Key | null;
  /** Rows kept. */
  readonly rows: number;
  /** Rows left out because they came before. */
  readonly excluded: number;
  /** Of body, decompressed. */
  readonly bytes: number;
  /** First and last key of the rows kept, as they came; null without rows or without an order to watch. */
  readonly first: Key | null;
  readonly last: Key | null;
  readonly least: Key | null;
  readonly greatest: Key | null;
  /** Orders that the rows kept to. */
  readonly orders: readonly KeyOrder[];
  /** Rows that are known to have the last key: 1, or more where the key has further columns. */
  readonly tail: number;
  /** Of each order that was not kept to, two keys that came one after the other against it. */
  readonly against: readonly Against[];
  /** Of the keys, whatever order they came in: see `decode/keys.ts`. */
  readonly sum: number;
  /** Some keys of text, each with the one that came next. */
  readonly neighbours: readonly Neighbours[];
  /** Did it end with a next link that was not followed? */
  readonly more: boolean;
  /** Were pages followed by links that count rows (`$skip`)? */
  readonly skipped: boolean;
  /** What the instance counts of what was asked for; null where it was not asked or does not say. */
  readonly count: number | null;
}

/** Answers to the questions asked besides the rows; undefined where not asked, null where the question stayed without an answer. */
export interface Checks {
  /** Keys after the greatest, by each order that the rows kept to: how many came, and the first of them. */
  readonly beyond?: Readonly<Partial<Record<KeyOrder, { readonly rows: number; readonly first: Key | null } | null>>>;
  /** Keys before the first, by each order that a single row suits. */
  readonly before?: Readonly<Partial<Record<KeyOrder, number>>>;
  /** All keys from the last on, the last among them: how many came, and the first other one. For types that have no next key. */
  readonly last?: { readonly rows: number; readonly next: Key | null };
  /** Keys between two that came against an order: some came where the server filters by that order. */
  readonly between?: Readonly<Partial<Record<KeyOrder, number>>>;
  /** Keys from one neighbour to the other, of as many pairs as were asked for. */
  readonly neighbours?: readonly number[];
  /** Did the last of the known keys come again? */
  readonly again?: { readonly found: boolean };
  /** A read of known rows that are more than the longest answer: what came of it. */
  readonly longer?: { readonly rows: number; readonly bytes: number };
  /** The count of the range after the read. */
  readonly recount?: number | null;
  /** Keys of the whole table with their sum, and those of its halves taken together; null where they tell nothing. */
  readonly split?: { readonly whole: number; readonly sum: number; readonly halves: number } | null;
}

export interface ScanFacts {
  readonly range: KeyRange;
  /** Null where nothing can be asked by key: then only counts can tell. */
  readonly key: ScanKey | null;
  /** In the order they were asked. The first asked for the whole range, each later one for `ge <greatest so far>`. */
  readonly answers: readonly AnswerFacts[];
  readonly checks: Checks;
  /** Was it seen that this instance counts the rows of a table, and not merely those of an answer? */
  readonly countsTables: boolean;
  /** Was the instance asked to count? */
  readonly countAsked: boolean;
  /** What the instance counted of the range before the read, where the plan asked. */
  readonly counted: number | null;
  /** Rows of the range that are known to have been there in this run: from an earlier try, or a probe. */
  readonly seen: number;
  /** Did a count say more than came when the table was read in another way? Then only a count can settle it. */
  readonly mustCount: boolean;
}

/** How the end of a scan was proven; `count` and `none` are no proofs by key. */
export type Proof = 'boundary' | 'closing-read' | 'empty' | 'split' | 'count' | 'none';

export type Step =
  /** Read rows of `range`; the row with the key `exclude` came before. */
  | { readonly do: 'read'; readonly range: KeyRange; readonly exclude: Key | null }
  /** Ask for the keys of `range`, after the greatest by `order`: there should be none. */
  | { readonly do: 'beyond'; readonly range: KeyRange; readonly order: KeyOrder }
  /** Ask for the keys of `range`, before the only one that came: there should be none. */
  | { readonly do: 'before'; readonly range: KeyRange; readonly order: KeyOrder; readonly only: Key }
  /** Ask for the keys of `range`, which begins with the last key: there should be no other. */
  | { readonly do: 'last'; readonly range: KeyRange; readonly last: Key }
  /** Ask for the keys of `range`, between two that came against `order`: there should be none. */
  | { readonly do: 'between'; readonly range: KeyRange; readonly order: KeyOrder }
  /** Ask for the keys of `range`, from one to the next that came: there should be just these two. */
  | { readonly do: 'neighbours'; readonly range: KeyRange }
  /** Ask for the keys of `range`, which came before: `holds`, the last of them, should come again. */
  | { readonly do: 'again'; readonly range: KeyRange; readonly holds: Key }
  /** Read the rows of `range` again, which are more than the longest answer: are answers cut at that length? */
  | { readonly do: 'longer'; readonly range: KeyRange }
  /** Ask the instance to count the range once more. */
  | { readonly do: 'recount' }
  | { readonly do: 'proven'; readonly by: Proof; readonly why: string | null }
  /** The rows came in no order that is known, so that no key can be called the greatest: another proof is needed. */
  | { readonly do: 'split'; readonly range: KeyRange; readonly why: string }
  /** Answers that contradict each other: the read must be done again, or given up. */
  | { readonly do: 'refuse'; readonly why: string }
  /** The server does not compare keys as was thought: rows of this range may be missing. */
  | { readonly do: 'disproved'; readonly why: string };

/** Known rows that come again should be more than this, so that an answer cut by a share shows, and fewer than rights cut at. */
const AGAIN = { least: 8, most: 1_900 };
/**
 * After 10, 20, 40 … reads it is asked for so many times the rows of the longest of the last answers; more than `shows` of them cannot have
 * been cut.
 */
const LONGER = {
  atReads: (n: number) => n % 10 === 0 && Number.isInteger(Math.log2(n / 10)),
  last: 9,
  times: 4,
  shows: 3,
};
/** Reads before it is judged that a table grows as fast as it is read. */
const OUTRUN_READS = 50;
/** Pairs of neighbours that are asked for at most. */
const MOST_NEIGHBOURS = 8;
/** A later read may bring so much less than an earlier one: rows are deleted, but not in masses. */
const FEWER = 0.9;
/** Row counts at which the instance's rights may cut an answer ("Show more than … rows"). */
const ROW_CAPS: readonly number[] = [2_000, 20_000, 200_000];

/** What follows from the facts. */
export function nextStep(facts: ScanFacts): Step {
  const { range, key, answers } = facts;
  if (answers.length === 0) return { do: 'read', range, exclude: range.ge };
  return key === null ? stepByCount(facts) : stepByKey(facts, key);
}

// ── By key ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function stepByKey(facts: ScanFacts, key: ScanKey): Step {
  const { range, answers, checks } = facts;
  const outside = outsideOf(answers, key);
  if (outside !== undefined) return { do: 'disproved', why: outside };
  const withRows = answers.filter(({ rows }) => rows > 0);
  const orders = ordersHeld(withRows, key);
  const [order] = orders;
  if (order === undefined) return strayed(withRows, key) ?? unordered(facts);
  if (key.order !== null && key.order !== order && isBounded(range)) {
    const why = `the rows of a range came in ${ORDER_WORDS[order]}, not in ${ORDER_WORDS[key.order]}`;
    return { do: 'disproved', why };
  }
  const jump = answers.find(
    ({ exclude, rows, excluded }, n) => n > 0 && exclude !== null && rows > 0 && excluded === 0,
  );
  if (jump !== undefined)
    return { do: 'refuse', why: `a read from ${jump.exclude} on brought later rows, but not the row with that key` };
  const last = answers.at(-1)!;
  const greatest = withRows.at(-1)?.last ?? null;
  const onward: KeyRange = { ge: greatest, le: range.le };
  if (greatest === null) return stepWhenEmpty(facts, key);
  if (last.more) return { do: 'read', range: onward, exclude: greatest };
  if (!key.composite && range.le !== null && greatest === range.le) return provenUnlessCounted(facts, 'boundary');
  if (last.rows > 0) {
    if (facts.countsTables && isCountedWhole(answers)) return provenUnlessCounted(facts, 'closing-read');
    if (outruns(facts)) return { do: 'refuse', why: 'it grows faster than it can be read' };
    if (!LONGER.atReads(answers.length)) return { do: 'read', range: onward, exclude: greatest };
    const longer = longerOf(facts);
    if (longer !== undefined && checks.longer === undefined) return longer;
    if (longer !== undefined && isUncut(facts)) return provenUnlessCounted(facts, 'closing-read');
    return { do: 'read', range: onward, exclude: greatest };
  }
  if (last.excluded < withRows.at(-1)!.tail) {
    const before = answers.at(-2);
    const twice = before !== undefined && before.rows === 0;
    if (!twice) return { do: 'read', range: onward, exclude: greatest };
    return { do: 'refuse', why: 'a read from the greatest key on did not even bring the row with that key' };
  }
  return stepAfterClosing(facts, key, orders, greatest);
}

/** The closing read brought what came last and nothing else: is there a second witness that nothing follows? */
function stepAfterClosing(facts: ScanFacts, key: ScanKey, orders: readonly KeyOrder[], greatest: Key): Step {
  const { range, answers, checks } = facts;
  const counted = facts.countsTables ? countOf(facts) : null;
  if (answers.some(({ skipped }) => skipped)) return { do: 'proven', by: 'none', why: SKIPPED };
  if (counted !== null && counted === rowsAsked(facts) && !countsSayMore(facts))
    return provenUnlessCounted(facts, 'closing-read');
  let nothingFollows = false;
  for (const order of orders) {
    const after = keyAfter(key.type, greatest, order);
    if (after === undefined) continue;
    const rest: KeyRange = { ge: after, le: range.le };
    const beyond = checks.beyond?.[order];
    if (beyond === undefined) return { do: 'beyond', range: rest, order };
    if (beyond === null) continue;
    if (beyond.rows === 0) nothingFollows = true;
    // Keys that do not come after it show that the server compares in another order.
    else if (beyond.first !== null && comparator(key.type, order)(beyond.first, greatest) > 0)
      return key.composite ? notTheEnd(greatest, beyond.first) : { do: 'read', range: rest, exclude: null };
  }
  const closing = answers.at(-1)!;
  if (!nothingFollows || key.composite) {
    if (checks.last === undefined) return { do: 'last', range: { ge: greatest, le: range.le }, last: greatest };
    const { rows, next } = checks.last;
    if (rows > closing.excluded) {
      if (key.composite || next === null) return notTheEnd(greatest, next);
      return { do: 'read', range: { ge: next, le: range.le }, exclude: null };
    }
  }
  const against = facts.answers.flatMap((answer) => answer.against).filter(({ order }) => !orders.includes(order));
  for (const { order, first, second } of against) {
    const between = checks.between?.[order];
    if (between === undefined) return { do: 'between', range: { ge: second, le: first }, order };
    if (between > 0)
      return {
        do: 'disproved',
        why: `the server sends rows in another order than it filters by, ${ORDER_WORDS[order]}`,
      };
  }
  if (counted !== null && counted > rowsAsked(facts)) return provenUnlessCounted(facts, 'closing-read');
  // Text may be sorted in one way and compared in another, and rows suit both until some are left out.
  const pairs = key.composite ? [] : answers.flatMap(({ neighbours }) => neighbours).slice(0, MOST_NEIGHBOURS);
  const asked = checks.neighbours ?? [];
  const apart = asked.findIndex((rows) => rows !== 2);
  if (apart >= 0)
    return {
      do: 'refuse',
      why: `between ${pairs[apart]?.first} and ${pairs[apart]?.second}, which came one after the other, there are ${number(asked[apart] ?? 0)} keys`,
    };
  const pair = pairs[asked.length];
  if (pair !== undefined) return { do: 'neighbours', range: { ge: pair.first, le: pair.second } };
  if (!isBounded(range) && rowsOf(answers) === 1) {
    for (const order of orders) {
      const le = keyBefore(key.type, greatest, order);
      if (le === undefined) continue;
      const before = checks.before?.[order];
      if (before === undefined) return { do: 'before', range: { ge: null, le }, order, only: greatest };
      if (before > 0)
        return { do: 'refuse', why: `one row came, but ${plural(before, 'row')} with keys before it are there` };
    }
  }
  const cut = couldBeCut(facts, key, nothingFollows);
  const [first] = answers;
  const alone = answers.filter(({ rows }) => rows > 0).length === 1;
  // Halves need no order, and no end. They tell whether the rows came in the order that filters go by: the rows up to the last of the first
  // answer are all that there are up to there. For keys of several columns they tell what a closing read cannot.
  const span = key.composite && !alone ? null : (first?.last ?? null);
  if (!isBounded(range) && span !== null && first !== undefined && first.rows > 1 && checks.split !== null) {
    if (checks.split === undefined)
      return { do: 'split', range: { ge: null, le: span }, why: 'nothing counts its rows' };
    const wrong = spanHolds(first, checks.split);
    if (wrong !== undefined) return wrong;
    if (cut && key.composite) return provenUnlessCounted(facts, 'split');
  }
  if (cut && !(first?.count === rowsAsked(facts) && first.count === 1)) {
    const rows = plural(closing.excluded, 'row');
    return {
      do: 'proven',
      by: 'none',
      why: `the read that should show its end (${rows}) is as long as others, so that it may have been cut, and the instance gives no count`,
    };
  }
  return afterAgain(facts, againOf(facts, AGAIN.least), greatest);
}

/**
 * Are there keys up to the last one of an answer, read alone and in halves, that did not come with its rows? Undefined where there are none.
 * Fewer keys say nothing: rows may have been deleted, or what cuts answers cuts keys as well.
 */
function spanHolds(answer: AnswerFacts, { whole, sum, halves }: NonNullable<Checks['split']>): Step | undefined {
  const { rows, last } = answer;
  if (whole === rows && halves === rows && sum !== answer.sum)
    return {
      do: 'refuse',
      why: `the keys up to ${last}, read alone, are as many as the rows up to there, but not the same`,
    };
  if (whole <= rows && halves <= rows) return undefined;
  return {
    do: 'refuse',
    why: `${plural(rows, 'row')} came up to ${last}, but the keys up to there, read alone, are ${number(Math.max(whole, halves))}`,
  };
}

function notTheEnd(last: Key, next: Key | null): Step {
  return { do: 'refuse', why: `a read from ${last} on ended there, but ${next ?? 'more'} follows` };
}

/** Could the closing read have been cut at its length, in rows or in bytes? By rows it could not where nothing at all follows its key. */
function couldBeCut({ range, answers }: ScanFacts, key: ScanKey, nothingFollows: boolean): boolean {
  const closing = answers.at(-1)!;
  const longest = longestOf(answers.slice(0, -1));
  if (!key.composite) {
    // Bytes were looked at by keys alone. In a range, which rows that are known bound, an answer of one row is no limit.
    return closing.excluded >= longest.rows && !nothingFollows && !isBounded(range);
  }
  const filtered = longestOf(answers.slice(1, -1));
  const asLong = filtered.rows > 0 && closing.excluded >= filtered.rows;
  return asLong || closing.excluded * 2 > longest.rows || closing.bytes * 2 > longest.bytes;
}

function afterAgain(facts: ScanFacts, again: Extract<Step, { do: 'again' }> | undefined, greatest: Key): Step {
  const { checks } = facts;
  if (again === undefined) return provenUnlessCounted(facts, 'closing-read');
  if (checks.again === undefined) return again;
  if (!checks.again.found)
    return { do: 'refuse', why: `a second read of its last keys did not bring ${greatest}, which came before` };
  return provenUnlessCounted(facts, 'closing-read');
}

/**
 * A server that cuts every answer by a share cuts the closing read as well, to the one row that looks like the end. It gives itself away
 * over rows that are known: so where an answer was short already, or the rows are so few that one cut could do it, some known rows are read
 * again.
 */
function againOf({ range, answers }: ScanFacts, least: number): Extract<Step, { do: 'again' }> | undefined {
  const withRows = answers.filter(({ rows }) => rows > 0);
  const total = rowsOf(withRows);
  const holds = withRows.at(-1)?.last;
  if (holds == null || total < 2) return undefined;
  // No more than the longest answer brought: what was cut there would be cut here too, and say nothing.
  const most = Math.min(AGAIN.most, longestOf(answers).rows);
  let known = 0;
  let ge = range.ge;
  for (const answer of withRows.toReversed()) {
    const size = answer.rows + answer.excluded;
    if (known > 0 && (known >= least || known + size > most)) break;
    known += answer.rows;
    ge = answer.asked.ge ?? range.ge;
  }
  // No further than the last known key: a row that is lost from every answer is then that one, and is missed.
  return { do: 'again', range: { ge, le: holds }, holds };
}

/** No row came at all. One empty answer proves nothing of itself, so another question is asked, with a filter where the first had none. */
function stepWhenEmpty(facts: ScanFacts, key: ScanKey): Step {
  const { range, answers } = facts;
  const last = answers.at(-1)!;
  // The row that the range begins with came alone, which needs what any closing read needs.
  if (last.excluded > 0 && range.ge !== null)
    return stepAfterClosing(facts, key, key.order === null ? ordersOf(key.type) : [key.order], range.ge);
  if (answers.length === 1) {
    const least = leastKey(key.type);
    return {
      do: 'read',
      range: range.ge === null && least !== undefined ? { ge: least, le: range.le } : range,
      exclude: range.ge,
    };
  }
  return provenUnlessCounted(facts, 'empty');
}

/** Each answer is in order, but a later one holds rows before the key that was asked for: the server does not filter as it sorts, or not at all. */
function strayed(withRows: readonly AnswerFacts[], key: ScanKey): Step | undefined {
  const inOrder = ordersOf(key.type).some((order) => withRows.every(({ orders }) => orders.includes(order)));
  if (!inOrder || withRows.length < 2) return undefined;
  return { do: 'disproved', why: 'rows came again that lie before the key that was asked for' };
}

/** Rows without order: halves of the table tell, unless the range is a part of it. For any key b, `le b` and `ge b` hold every row. */
function unordered(facts: ScanFacts): Step {
  const { range, answers, checks } = facts;
  const why =
    answers.length > 1
      ? 'more rows came after the greatest key of an answer without order'
      : 'the rows came in no known order';
  if (isBounded(range)) return { do: 'disproved', why };
  if (answers.some(({ skipped }) => skipped)) return { do: 'proven', by: 'none', why: `${why}, and ${SKIPPED}` };
  if (checks.split === undefined) return { do: 'split', range: { ge: null, le: null }, why };
  if (checks.split === null) return { do: 'refuse', why: `${why}, and its keys could not be read in two halves` };
  return splitHolds(facts, checks.split) ?? provenUnlessCounted(facts, 'split', why);
}

/** Are the keys, read alone, those of the rows, and are those of the halves as many? Undefined where they are. */
function splitHolds({ answers }: ScanFacts, { whole, sum, halves }: NonNullable<Checks['split']>): Step | undefined {
  const rows = rowsOf(answers);
  if (rows === whole && rows === halves) {
    if (sumOf(answers) === sum) return undefined;
    return { do: 'refuse', why: `its keys, read alone, are as many as its rows, ${number(rows)}, but not the same` };
  }
  const keys = whole === halves ? number(whole) : `${number(whole)}, and in two halves ${number(halves)}`;
  return { do: 'refuse', why: `${plural(rows, 'row')} came, but its keys, read alone, are ${keys}` };
}

/** The orders that all rows kept to, over the ends of answers too; the one that the plan was made by first. */
function ordersHeld(withRows: readonly AnswerFacts[], key: ScanKey): readonly KeyOrder[] {
  const known = ordersOf(key.type);
  const candidates = key.order === null ? known : [key.order, ...known.filter((order) => order !== key.order)];
  return candidates.filter((order) => {
    const compare = comparator(key.type, order);
    return withRows.every(
      (answer, n) =>
        answer.orders.includes(order) &&
        isInside(answer, key, compare) &&
        follows(withRows[n - 1]?.last ?? null, answer.first, key, compare),
    );
  });
}

function isInside({ asked, exclude, first, last }: AnswerFacts, key: ScanKey, compare: CompareKeys): boolean {
  if (first === null || last === null) return false;
  // The boundary itself was left out, but other rows of a composite key may share it.
  const from = asked.ge === null ? 1 : compare(first, asked.ge);
  const fromHere = from > 0 || (from === 0 && (key.composite || exclude === null));
  return fromHere && (asked.le === null || compare(last, asked.le) <= 0);
}

function follows(last: Key | null, first: Key | null, { composite }: ScanKey, compare: CompareKeys): boolean {
  if (last === null || first === null) return last === null;
  const between = compare(first, last);
  return between > 0 || (between === 0 && composite);
}

/** Rows that no order could explain: GUIDs outside what was asked for, by their own order, where they do not come in order of text. */
function outsideOf(answers: readonly AnswerFacts[], key: ScanKey): string | undefined {
  if (key.type.kind !== 'guid' || key.order === 'text') return undefined;
  if (answers.every(({ rows, orders }) => rows === 0 || orders.includes('text'))) return undefined;
  const compare = comparator(key.type, 'sql');
  const strange = answers.find(
    ({ asked, least, greatest }) =>
      least !== null &&
      greatest !== null &&
      ((asked.ge !== null && compare(least, asked.ge) < 0) || (asked.le !== null && compare(greatest, asked.le) > 0)),
  );
  return strange === undefined
    ? undefined
    : `a row came outside the range that was asked for (${describe(strange.asked)})`;
}

/**
 * Did the last answer bring just as many rows as the instance counts for it? Then it was whole, whatever follows by now; unless it is as long
 * as others, for what cuts answers may cut counts at the same number.
 */
function isCountedWhole(answers: readonly AnswerFacts[]): boolean {
  const { count, rows, excluded, bytes } = answers.at(-1)!;
  const others = longestOf(answers.slice(0, -1));
  return count !== null && excluded > 0 && count === rows + excluded && count < others.rows && bytes * 2 < others.bytes;
}

/**
 * Read after read brings rows: either answers are cut, or rows are added faster than a request lasts. Now and then it is tried whether an
 * answer can be longer than the last ones were; if so, the last one was whole when it came.
 */
function longerOf({ range, answers }: ScanFacts): Extract<Step, { do: 'longer' }> | undefined {
  const wanted = longestOf(answers.slice(-LONGER.last)).rows * LONGER.times;
  let known = 0;
  for (const { rows, asked } of answers.toReversed()) {
    known += rows;
    if (known >= wanted) return { do: 'longer', range: { ge: asked.ge ?? range.ge, le: range.le } };
  }
  return undefined;
}

/** Far more rows than were counted, and no end: rows are added as fast as answers bring them. */
function outruns(facts: ScanFacts): boolean {
  const counted = facts.countsTables ? countOf(facts) : null;
  if (counted === null || facts.answers.length < OUTRUN_READS || counted <= longestOf(facts.answers).rows) return false;
  return rowsAsked(facts) > counted * 2;
}

function isUncut({ answers, checks: { longer } }: ScanFacts): boolean {
  const longest = longestOf(answers.slice(-LONGER.last));
  return (
    longer !== undefined && longer.rows > longest.rows * LONGER.shows && longer.bytes > longest.bytes * LONGER.shows
  );
}

// ── Counts ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What the instance counted of the range with the first answer; null where it did not, or counts fewer than it sent with the count. */
function countOf({ answers }: ScanFacts): number | null {
  const [first] = answers;
  if (first === undefined || first.count === null) return null;
  return first.count < first.rows + first.excluded ? null : first.count;
}

/** Proven by key; but a count by the same identity that says more is never ignored. */
function provenUnlessCounted(facts: ScanFacts, by: Proof, why: string | null = null): Step {
  const { recount } = facts.checks;
  const counted = Math.max(countOf(facts) ?? 0, mostCounted(facts));
  const have = rowsAsked(facts);
  if (have < facts.seen * FEWER) return fewerThan(facts.seen, have);
  const open = facts.mustCount && countOf(facts) === null && recount == null;
  if (have >= counted && !open) return { do: 'proven', by, why };
  if (open && recount === null)
    return { do: 'refuse', why: 'its ranges brought fewer rows than they count, and the whole of it is not counted' };
  if (recount === undefined) return { do: 'recount' };
  if (recount !== null && have >= recount) {
    const before = `${plural(counted, 'row')} were counted before, and ${number(recount)} after the read`;
    return { do: 'proven', by, why: before };
  }
  return { do: 'refuse', why: `${plural(have, 'row')} came, but the instance counts ${between(counted, recount)}` };
}

/** The most that any count said there are: of the plan, or of an answer with what had come before it. */
function mostCounted({ answers, counted }: ScanFacts): number {
  let most = counted ?? 0;
  let before = 0;
  for (const { count, rows, excluded, more } of answers) {
    if (count !== null && !more) most = Math.max(most, before - excluded + count);
    before += rows + (before === 0 ? excluded : 0);
  }
  return most;
}

/** Does any count, of whatever answer, say more than what came in all? */
function countsSayMore(facts: ScanFacts): boolean {
  return mostCounted(facts) > rowsAsked(facts);
}

/** Without a key to ask by: one answer, whole, held against what the instance counts. */
function stepByCount(facts: ScanFacts): Step {
  const { answers, checks } = facts;
  const rows = rowsOf(answers);
  if (rows < facts.seen * FEWER) return fewerThan(facts.seen, rows);
  const before = facts.countsTables ? countOf(facts) : null;
  const skipped = answers.some((answer) => answer.skipped);
  const most = facts.countsTables ? Math.max(before ?? 0, facts.counted ?? 0) : 0;
  if (before === rows && most <= rows && !skipped)
    return { do: 'proven', by: 'count', why: `the instance counts ${number(before)}` };
  if (checks.recount === undefined && facts.countsTables && facts.countAsked) return { do: 'recount' };
  const after = facts.countsTables ? (checks.recount ?? null) : null;
  const known = most > (before ?? 0) ? most : before;
  if (known !== null || after !== null) return judgeCounts(rows, known, after, skipped);
  if (ROW_CAPS.includes(rows))
    return {
      do: 'refuse',
      why: `exactly ${plural(rows, 'row')} came, which is a limit that the rights of an identity may set`,
    };
  return { do: 'proven', by: 'none', why: whyUncounted(facts) };
}

function fewerThan(seen: number, have: number): Step {
  return { do: 'refuse', why: `${plural(have, 'row')} came, but ${number(seen)} had come before in this run` };
}

function whyUncounted({ answers, countAsked }: ScanFacts): string {
  if (!countAsked)
    return 'the answer was complete, but the instance offers no count to hold it against: it refused to count other tables';
  return answers[0]?.count == null
    ? 'the answer was complete, but the instance offers no count to hold it against'
    : 'the answer was complete, but it was not seen that the instance counts more than the rows of its answer';
}

function judgeCounts(rows: number, before: number | null, after: number | null, skipped: boolean): Step {
  const counts = [before, after].filter((count) => count !== null);
  const words = `the instance counts ${between(before ?? after ?? 0, after)}`;
  if (rows < Math.min(...counts)) return { do: 'refuse', why: `${plural(rows, 'row')} came, but ${words}` };
  if (rows > Math.max(...counts))
    return { do: 'refuse', why: `${plural(rows, 'row')} came, but ${words}: some rows came twice` };
  if (!skipped) return { do: 'proven', by: 'count', why: words };
  return {
    do: 'proven',
    by: 'none',
    why: `${words}, but ${SKIPPED}`,
  };
}

/** Did the rows keep to an order, so that none can have come twice? */
export function keepsOrder({ key, answers }: Pick<ScanFacts, 'key' | 'answers'>): boolean {
  const withRows = answers.filter(({ rows }) => rows > 0);
  return key !== null && ordersHeld(withRows, key).length > 0;
}

// ── Words and sums ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const ORDER_WORDS: Readonly<Record<KeyOrder, string>> = {
  sql: "SQL Server's order of GUIDs",
  value: 'the order of their values',
  text: 'the order of text',
  nocase: 'the order of text without case',
  collation: 'an order of text',
};

const SKIPPED = 'its pages were linked by $skip, which leaves out rows when others are deleted meanwhile';

function between(before: number, after: number | null): string {
  return after === null || before === after
    ? number(before)
    : `${number(before)} before the read and ${number(after)} after it`;
}

/** Rows of the range, with the boundary row that was left out. */
function rowsAsked({ answers }: Pick<ScanFacts, 'answers'>): number {
  return rowsOf(answers) + (answers[0]?.excluded ?? 0);
}

function rowsOf(answers: readonly AnswerFacts[]): number {
  return answers.reduce((sum, { rows }) => sum + rows, 0);
}

/** Of the keys of all answers. */
function sumOf(answers: readonly AnswerFacts[]): number {
  return answers.reduce((total, { sum }) => addSums(total, sum), 0);
}

function longestOf(answers: readonly AnswerFacts[]): { readonly rows: number; readonly bytes: number } {
  return {
    rows: Math.max(0, ...answers.map(({ rows, excluded }) => rows + excluded)),
    bytes: Math.max(0, ...answers.map(({ bytes }) => bytes)),
  };
}

function isBounded({ ge, le }: KeyRange): boolean {
  return ge !== null || le !== null;
}

function describe(range: KeyRange): string {
  const parts = [range.ge === null ? '' : `ge ${range.ge}`, range.le === null ? '' : `le ${range.le}`];
  return parts.filter((part) => part !== '').join(' and ') || 'all keys';
}
