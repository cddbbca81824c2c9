/** What the instance's counts say of a scan: a count by the same identity that says more than what came is never ignored. Pure. */
import { count as number, plural } from '../core/words.ts';
import { type Proof, type ScanFacts, SKIPPED, type Step } from './facts.ts';
import { type Held, rowsAsked } from './held.ts';
import { isBounded } from './ranges.ts';

/** A later answer may bring or count so much less than an earlier one: rows are deleted, but not in masses. */
const FEWER = 0.9;
/** In a small table, so many rows may be deleted at any moment. */
const A_FEW = 2;
/** Row counts at which the instance's rights may cut an answer ("Show more than … rows"). */
const ROW_CAPS: readonly number[] = [2_000, 20_000, 200_000];

/** What there is to say where no proof by key was given, and nothing was counted. */
export const NO_COUNT = 'nothing shows whether all rows came, since the instance offers no count';

/** What the instance counted of the range with the first answer; null where it did not, or counts fewer than it sent with the count. */
export function countOf({ held: { first } }: ScanFacts): number | null {
  if (first === null || first.count === null) return null;
  return first.count < first.rows + first.excluded ? null : first.count;
}

/** Does any count, of whatever answer, say more than what came in all? */
export function countsSayMore(facts: ScanFacts): boolean {
  return mostCounted(facts) > rowsAsked(facts.held);
}

/** Does the last answer count more rows than it brought? Not where it counts the whole table, whatever was asked for. */
export function countsItselfMore({ held, countsTables }: ScanFacts): boolean {
  const { last } = held;
  if (!countsTables || last === null || last.count === null) return false;
  return last.count > last.rows + last.excluded && last.count < held.rows * FEWER;
}

/**
 * A count that came with rows is of whatever server sent those: of one that lacks some, both agree. Where nothing else tells of as many rows, it is
 * counted once more, by itself. If that says more, rows may have been added since: then the next try brings them. Null where nothing speaks
 * against it.
 */
export function stepToWitness({ held, witness, counted, countAsked, checks }: ScanFacts): Step | null {
  const have = rowsAsked(held);
  const isWitnessed = counted !== null || (witness !== null && witness <= have);
  if (isWitnessed || !countAsked) return null;
  if (checks.count === undefined) return { do: 'count' };
  if (checks.count === null || checks.count <= have) return null;
  const why = `${plural(have, 'row')} came, as many as were counted with them, but by itself the instance counts ${number(checks.count)}`;
  return { do: 'refuse', why, counted: checks.count };
}

/** What is left to hold against its keys; null where nothing is. */
export function stepToHold({ held }: ScanFacts): Step | null {
  const { orders, unheld } = held;
  return unheld === null || orders.length === 0 ? null : { do: 'span', span: unheld.span, orders };
}

/**
 * Does every count of the range say what came? One that says less or more than another is of a table that changed: rows that were added may stand in
 * the count for others that were left out.
 */
export function isCounted(facts: ScanFacts): boolean {
  const { held, countsTables } = facts;
  const counted = countsTables ? countOf(facts) : null;
  return counted !== null && held.mostCounted === counted && held.leastCounted === counted;
}

function mostCounted({ held, counted }: ScanFacts): number {
  return Math.max(held.mostCounted, counted ?? 0);
}

/** Proven by key; but a count by the same identity that says more is never ignored. */
export function provenUnlessCounted(facts: ScanFacts, by: Proof, why: string | null = null): Step {
  const { checks, held, seen, mustCount } = facts;
  const have = rowsAsked(held);
  const counted = Math.max(countOf(facts) ?? 0, mostCounted(facts));
  const recount = believable(checks.recount, have);
  if (isFewer(have, seen)) return stepWhenEmptied(facts) ?? fewerThan(seen, have);
  const open = mustCount && countOf(facts) === null && recount == null;
  if (have >= counted && !open)
    return (isCounted(facts) && countOf(facts) === have ? null : stepToHold(facts)) ?? { do: 'proven', by, why };
  if (open && recount === null)
    return { do: 'refuse', why: 'its ranges brought fewer rows than they count, and the whole of it is not counted' };
  if (recount === undefined) return { do: 'recount' };
  if (recount !== null && have >= recount) {
    // Counts that ignore filters are of the whole table, whatever was asked for.
    const whole = isBounded(facts.range) ? 0 : Math.max(countOf(facts) ?? 0, facts.counted ?? 0);
    if (isFewer(have, whole)) return inMasses(have, whole, recount);
    // As many were deleted as are wanting, but were it those? A row that was left out has its key among those of an answer.
    const before = `${plural(counted, 'row')} were counted before, and ${number(recount)} after the read`;
    return stepToHold(facts) ?? { do: 'proven', by, why: before };
  }
  return { do: 'refuse', why: `${plural(have, 'row')} came, but the instance counts ${between(counted, recount)}` };
}

/** Without a key to ask by: one answer, whole, held against what the instance counts. */
export function stepByCount(facts: ScanFacts): Step {
  const { held, checks } = facts;
  const { rows, skipped } = held;
  if (isFewer(rows, facts.seen)) return stepWhenEmptied(facts) ?? fewerThan(facts.seen, rows);
  // Rows may have been added since they were counted.
  const before = facts.countsTables ? (believable(held.first?.count, rows) ?? null) : null;
  // Where filters on the key are refused in the middle, what the reads until then counted stays.
  const told = held.answers > 1 ? held.mostCounted : 0;
  const most = facts.countsTables ? Math.max(before ?? 0, facts.counted ?? 0, told) : 0;
  if (before === rows && most <= rows && !skipped)
    return stepToWitness(facts) ?? { do: 'proven', by: 'count', why: `the instance counts ${number(before)}` };
  if (checks.recount === undefined && facts.countsTables && facts.countAsked) return { do: 'recount' };
  const first = held.first?.count;
  // Far below what came, but the same before and after: then it is the rows that came too often.
  if (facts.countsTables && first != null && first < rows && first === checks.recount)
    return judgeCounts(held, first, first);
  const after = facts.countsTables ? (believable(checks.recount, rows) ?? null) : null;
  const known = most > (before ?? 0) ? most : before;
  if (known !== null || after !== null) return judgeCounts(held, known, after);
  // Two answers without a row, and counts of none: of an answer or of the table, they are the same.
  if (rows === 0 && first === 0 && checks.recount === undefined && facts.countAsked) return { do: 'recount' };
  if (rows === 0 && first === 0 && checks.recount === 0)
    return { do: 'proven', by: 'count', why: 'the instance counts 0' };
  if (ROW_CAPS.includes(rows))
    return {
      do: 'refuse',
      why: `exactly ${plural(rows, 'row')} came, which is a limit that the rights of an identity may set`,
    };
  return { do: 'proven', by: 'none', why: whyUncounted(facts) };
}

/** The few rows that a question brought, fewer than it asked for, may all have been taken from a queue, where the instance counts none, asked again too. */
function stepWhenEmptied({ held, seen, checks, countsTables }: ScanFacts): Step | null {
  const isEmptied = rowsAsked(held) === 0 && seen <= A_FEW && countsTables && held.first?.count === 0;
  if (!isEmptied) return null;
  if (checks.recount === undefined) return { do: 'recount' };
  return checks.recount === 0 ? { do: 'proven', by: 'empty', why: 'the instance counts 0' } : null;
}

/** Are there so few rows where more were seen before that they cannot merely have been deleted? */
function isFewer(have: number, seen: number): boolean {
  return have < Math.min(seen * FEWER, seen - A_FEW) || (have === 0 && seen > 0);
}

/** A count after the read that is far below what came counts something else: an answer, or no more than some limit. */
function believable(recount: number | null | undefined, have: number): number | null | undefined {
  return recount != null && recount < have * FEWER ? null : recount;
}

/** The one or the other count is of another state of the table, or of what another server holds. */
function inMasses(have: number, before: number, after: number): Step {
  return {
    do: 'refuse',
    why: `${plural(have, 'row')} came, but the instance counts ${between(before, after)}: rows are deleted, but not in masses`,
  };
}

function fewerThan(seen: number, have: number): Step {
  return { do: 'refuse', why: `${plural(have, 'row')} came, but ${number(seen)} had come before in this run` };
}

function whyUncounted({ held, countAsked }: ScanFacts): string {
  const { first, rows } = held;
  if (!countAsked || first?.count == null) return NO_COUNT;
  const counts = first.count === rows ? 'as many' : `${number(first.count)} where ${plural(rows, 'row')} came`;
  return `nothing shows whether all rows came: the instance counts ${counts}, but was not seen to count all rows of a table`;
}

function judgeCounts({ key, rows, skipped, first, answers }: Held, before: number | null, after: number | null): Step {
  const counts = [before, after].filter((count) => count !== null);
  const words = `the instance counts ${between(before ?? after ?? 0, after)}`;
  if (rows < Math.min(...counts)) return { do: 'refuse', why: `${plural(rows, 'row')} came, but ${words}` };
  if (before !== null && after !== null && isFewer(rows, before)) return inMasses(rows, before, after);
  // Each row has a key of its own, and one answer has no pages that shift: more rows than are counted were there for a while.
  const isOneAnswer = answers === 1 && first?.linked !== true;
  if (key !== null && isOneAnswer && rows > Math.max(...counts) && Math.max(...counts) >= rows * FEWER)
    return { do: 'proven', by: 'count', why: `${words}, and rows changed meanwhile` };
  if (rows > Math.max(...counts))
    return {
      do: 'refuse',
      why: `${plural(rows, 'row')} came, but ${words}: ${key === null ? 'some rows came twice' : 'some rows came twice, or were deleted meanwhile'}`,
      twice: true,
    };
  // Pages shift when rows come and go, and so do reads one after the other: then only one of the counts itself would tell that none was lost.
  if (!isOneAnswer && !counts.includes(rows))
    return { do: 'proven', by: 'none', why: `${words}, and its pages may have shifted meanwhile` };
  if (!skipped) return { do: 'proven', by: 'count', why: words };
  return { do: 'proven', by: 'none', why: `${words}, but ${SKIPPED}` };
}

function between(before: number, after: number | null): string {
  return after === null || before === after
    ? number(before)
    : `${number(before)} before the read and ${number(after)} after it`;
}
