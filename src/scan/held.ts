/** What the answers of a scan say together. Each is taken in once, so that a read of many answers costs as much for each. Pure. */
import {
  type Against,
  addSums,
  type CompareKeys,
  comparator,
  type Key,
  type KeyOrder,
  type KeysSeen,
  ordersOf,
  type RememberedKeys,
} from '../core/key-order.ts';
import type { ScanKey } from './key.ts';
import type { KeyRange } from './ranges.ts';

/** What one read brought: a response, with those of its next pages that were followed. Its keys are those of the rows kept. */
export interface AnswerFacts extends KeysSeen {
  readonly asked: KeyRange;
  /** Rows with this key were left out where they had come before. */
  readonly exclude: Key | null;
  /** Rows left out because they came before. */
  readonly excluded: number;
  /** Of body, decompressed. */
  readonly bytes: number;
  /** Did it end with a next link that was not followed? */
  readonly more: boolean;
  /** Were pages followed by links, and by such as count rows (`$skip`)? */
  readonly linked: boolean;
  readonly skipped: boolean;
  /** What the instance counts of what was asked for; null where it was not asked or does not say. */
  readonly count: number | null;
}

/** Rows and bytes of the longest answer; they need not be of the same one. */
export interface Longest {
  readonly rows: number;
  readonly bytes: number;
}

/** A stretch of keys that an answer brought, of which none may have stayed out. */
export interface Span {
  /** From the key that the answer was asked from to the last of which it should hold all rows. */
  readonly range: KeyRange;
  /** Rows up to there, with those that had come before. */
  readonly rows: number;
  /** Of the keys of the answer, without the one that it was asked from; null where rows share keys. */
  readonly sum: number | null;
  /** Keys of the answer, and, where rows share them, of those before; null where they were not remembered. */
  readonly keys: readonly RememberedKeys[] | null;
}

/** Spans, the latest first. */
export interface Spans {
  readonly span: Span;
  readonly rest: Spans | null;
}

export interface Held {
  /** The key whose order is watched; null where there is none. */
  readonly key: ScanKey | null;
  readonly answers: number;
  readonly first: AnswerFacts | null;
  readonly last: AnswerFacts | null;
  /** The one before the last. */
  readonly before: AnswerFacts | null;
  /** Of the answers with rows, the last ones. */
  readonly recent: readonly AnswerFacts[];
  readonly withRows: number;
  /** Of all answers. */
  readonly rows: number;
  readonly sum: number;
  /** Orders that all rows kept to, over the ends of answers too; the one that the plan was made by first. */
  readonly orders: readonly KeyOrder[];
  /** Orders that the rows of each answer kept to. */
  readonly ordersOfEach: readonly KeyOrder[];
  /** Of each order that was not kept to, the first two keys against it. */
  readonly against: readonly Against[];
  /** Of all answers but the last, and of those but the first and the last. */
  readonly longestBefore: Longest;
  readonly filteredBefore: Longest;
  /** The most that the count of any answer says there are, with what had come before it, and the least. */
  readonly mostCounted: number;
  readonly leastCounted: number | null;
  /** Were pages of any answer followed by links, and by such as count rows? */
  readonly linked: boolean;
  readonly skipped: boolean;
  /** A range, of which rows came that no order could put there. */
  readonly outside: KeyRange | null;
  /** A key, from which on later rows came, but not its own. */
  readonly jumped: Key | null;
  /** What was not held against the keys between its ends. */
  readonly unheld: Spans | null;
  readonly unheldRows: number;
}

/** Rows whose keys are remembered at most until they are held against those between: some ten megabytes. */
export const MOST_REMEMBERED = 1_000_000;
/** Answers with rows that are kept: known rows are read again over some, and ten tell how fast a read goes on. */
const MOST_RECENT = 10;

/** Before the first answer. */
export function nothingHeld(key: ScanKey | null): Held {
  // Rows in order of a key need not be in order of another of its columns, though they may seem to be for a while.
  const known = key?.leads ? ordersOf(key.type) : [];
  const orders =
    key === null || key.order === null ? known : [key.order, ...known.filter((order) => order !== key.order)];
  return {
    key,
    answers: 0,
    first: null,
    last: null,
    before: null,
    recent: [],
    withRows: 0,
    rows: 0,
    sum: 0,
    orders,
    ordersOfEach: known,
    against: [],
    longestBefore: { rows: 0, bytes: 0 },
    filteredBefore: { rows: 0, bytes: 0 },
    mostCounted: 0,
    leastCounted: null,
    linked: false,
    skipped: false,
    outside: null,
    jumped: null,
    unheld: null,
    unheldRows: 0,
  };
}

/** With one answer more. */
export function hold(held: Held, answer: AnswerFacts): Held {
  const { key, last, recent } = held;
  const hasRows = answer.rows > 0;
  const came = rowsAsked(held);
  const counted = answer.count === null || answer.more ? null : came - answer.excluded + answer.count;
  const span = key === null ? null : spanOf(held, answer, key);
  const jumps = held.answers > 0 && answer.exclude !== null && hasRows && answer.excluded === 0;
  return {
    key,
    answers: held.answers + 1,
    first: held.first ?? answer,
    last: answer,
    before: last,
    recent: hasRows ? [...recent, answer].slice(-MOST_RECENT) : recent,
    withRows: held.withRows + (hasRows ? 1 : 0),
    rows: held.rows + answer.rows,
    sum: addSums(held.sum, answer.sum),
    orders: hasRows ? held.orders.filter((order) => keepsTo(held, answer, order)) : held.orders,
    ordersOfEach: hasRows ? held.ordersOfEach.filter((order) => answer.orders.includes(order)) : held.ordersOfEach,
    against: [
      ...held.against,
      ...answer.against.filter(({ order }) => !held.against.some((each) => each.order === order)),
    ],
    longestBefore: longer(held.longestBefore, last),
    filteredBefore: held.answers > 1 ? longer(held.filteredBefore, last) : held.filteredBefore,
    mostCounted: Math.max(held.mostCounted, counted ?? 0),
    leastCounted: counted === null ? held.leastCounted : Math.min(held.leastCounted ?? counted, counted),
    linked: held.linked || answer.linked,
    skipped: held.skipped || answer.skipped,
    outside: held.outside ?? (key !== null && isOutside(answer, key) ? answer.asked : null),
    jumped: held.jumped ?? (jumps ? answer.exclude : null),
    unheld: span === null ? held.unheld : { span, rest: held.unheld },
    unheldRows: held.unheldRows + (span?.rows ?? 0),
  };
}

/** The latest span was held against its keys. */
export function heldAgainst(held: Held): Held {
  const { unheld, unheldRows } = held;
  return { ...held, unheld: unheld?.rest ?? null, unheldRows: unheldRows - (unheld?.span.rows ?? 0) };
}

function spanOf(held: Held, answer: AnswerFacts, { composite }: ScanKey): Span | null {
  const covered = coveredBy(answer, composite);
  if (covered === null || answer.orders.length === 0) return null;
  return {
    range: { ge: answer.asked.ge, le: covered.key },
    rows: covered.rows,
    sum: composite ? null : answer.sum,
    keys: keysOf(held, answer),
  };
}

/** All rows of an answer as a span, also those that share its last key. */
export function wholeSpan(held: Held, answer: AnswerFacts): Span {
  return {
    range: { ge: answer.asked.ge, le: answer.last },
    rows: answer.rows + answer.excluded,
    sum: null,
    keys: keysOf(held, answer),
  };
}

/** Rows that share the key that an answer was asked from came with those before. */
function keysOf({ key, recent, unheldRows }: Held, answer: AnswerFacts): readonly RememberedKeys[] | null {
  // The sum of keys must do where they are too many.
  if (unheldRows > MOST_REMEMBERED) return null;
  const before = key?.composite === true ? recent.filter((each) => each !== answer) : [];
  const keys = [answer, ...before].map(({ remembered }) => remembered);
  return keys.every((each) => each !== null) ? keys : null;
}

/** Rows of the range, with the boundary row that was left out. */
export function rowsAsked({ rows, first }: Held): number {
  return rows + (first?.excluded ?? 0);
}

/** The last key that came; the greatest, where the rows kept to an order. */
export function greatestOf({ recent }: Held): Key | null {
  return recent.at(-1)?.last ?? null;
}

/** Of all answers. */
export function longestOf({ longestBefore, last }: Held): Longest {
  return longer(longestBefore, last);
}

/** The last key of which an answer should hold all rows, and the rows up to it, with those that had come before; null where there is none. */
function coveredBy(
  { rows, excluded, last, prior }: AnswerFacts,
  composite: boolean,
): { readonly key: Key; readonly rows: number } | null {
  if (composite) return prior === null ? null : { key: prior.key, rows: prior.rows + excluded };
  return rows === 0 || last === null ? null : { key: last, rows: rows + excluded };
}

/** Did the rows keep to an order, so that none can have come twice? */
export function keepsOrder({ orders }: Held): boolean {
  return orders.length > 0;
}

function longer({ rows, bytes }: Longest, answer: AnswerFacts | null): Longest {
  if (answer === null) return { rows, bytes };
  return { rows: Math.max(rows, answer.rows + answer.excluded), bytes: Math.max(bytes, answer.bytes) };
}

function keepsTo({ key, recent }: Held, answer: AnswerFacts, order: KeyOrder): boolean {
  if (key === null || !answer.orders.includes(order)) return false;
  const compare = comparator(key.type, order);
  return isInside(answer, key, compare) && follows(recent.at(-1)?.last ?? null, answer.first, key, compare);
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

/** Did GUIDs come that lie outside what was asked for, by their own order? */
function isOutside({ asked, least, greatest }: AnswerFacts, { type, order }: ScanKey): boolean {
  if (type.kind !== 'guid' || order === 'text' || least === null || greatest === null) return false;
  const compare = comparator(type, 'sql');
  return (asked.ge !== null && compare(least, asked.ge) < 0) || (asked.le !== null && compare(greatest, asked.le) > 0);
}
