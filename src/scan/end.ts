/** What proves the end of a scan. Pure. */
import { compareGuidsAsSqlServer, type Guid } from '../core/guid.ts';
import { plural } from '../core/words.ts';
import { isInRange, type KeyRange } from './ranges.ts';

/**
 * The end of a scan is proven, never assumed. Pure: what the answers so far say, and what is to be read next.
 *
 * A server may stop early without an error (a limit on rows, a right, a fault), so that a response has an end proves nothing. A range of
 * keys is read to its end when its upper boundary, a key known to exist, came last; or when a further read of `ge <greatest key>`
 * brings that one row alone. When it brings more, the answer before it was short, and reading goes on from there.
 */

/** What one read (a response with all its next pages) brought. */
export interface Answer {
  readonly asked: KeyRange;
  /** Rows with the key `asked.ge`, left out because they came before. */
  readonly excluded: number;
  /** Rows kept. */
  readonly rows: number;
  /** First and last of the rows kept, as they came. */
  readonly first: Guid | null;
  readonly last: Guid | null;
  /** Smallest and greatest in SQL Server's order. */
  readonly min: Guid | null;
  readonly max: Guid | null;
  readonly ascendingSql: boolean;
  readonly ascendingText: boolean;
}

export type Proof = 'boundary' | 'closing-read' | 'empty' | 'count' | 'split-count' | 'short-page' | 'none';

export type NextStep =
  | { readonly do: 'read'; readonly range: KeyRange }
  /** With `confirm`: only if a read of the keys from `ge` on (null: all of the range) brings the key `holds` too. */
  | { readonly do: 'proven'; readonly by: Proof; readonly confirm?: Confirmation }
  /** The rows came in no order that is known, so that no key can be called the greatest: another proof is needed. */
  | { readonly do: 'unordered'; readonly why: string }
  /** Answers that contradict each other: the read must be done again, or given up. */
  | { readonly do: 'unproven'; readonly why: string }
  /** The server does not compare keys as we do: rows of this range may be missing. */
  | { readonly do: 'disproved'; readonly why: string };

export interface Confirmation {
  readonly ge: Guid | null;
  /** The greatest key that came. */
  readonly holds: Guid;
}

/** Rows that a confirming read should find again: more than one, so that an answer cut by a share shows, and fewer than rights cut at. */
const CONFIRM = { least: 8, most: 1_900 };

/** Reads that bring fewer rows than this, so many times in a row, only find rows that were inserted meanwhile. */
const TRICKLE = { rows: 50, reads: 20 };

/** What follows from the answers to a range, in order. The first asked for the whole range, each later one for `ge <greatest so far>`. */
export function judgeEnd(range: KeyRange, answers: readonly Answer[]): NextStep {
  const [first] = answers;
  if (first === undefined) return { do: 'read', range };
  const order = orderOf(answers);
  let greatest: Guid | null = null;
  for (const answer of answers) {
    if (answer.rows === 0) continue;
    const { min, max } = answer;
    if (
      order !== 'text' &&
      min !== null &&
      max !== null &&
      !(isInRange(min, answer.asked) && isInRange(max, answer.asked))
    ) {
      return { do: 'disproved', why: `a row came outside the range that was asked for (${describe(answer.asked)})` };
    }
    if (
      order === 'text' &&
      answer !== first &&
      answer.first !== null &&
      greatest !== null &&
      answer.first <= greatest
    ) {
      return { do: 'disproved', why: 'a row came again, before the key that was asked for' };
    }
    greatest = order === 'text' ? answer.last : later(greatest, max);
  }
  if (order === 'text' && (range.ge !== null || range.le !== null)) {
    return { do: 'disproved', why: 'the rows of a range came in the order of text, not in that of SQL Server' };
  }
  const last = answers[answers.length - 1] ?? first;
  if (last.rows === 0) {
    const step = judgeEmpty(answers, last, greatest === null ? range : { ge: greatest, le: range.le });
    const confirm = step.do === 'proven' && greatest !== null ? confirmationOf(range, answers, greatest) : undefined;
    return confirm === undefined ? step : { do: 'proven', by: 'closing-read', confirm };
  }
  if (order === 'none') {
    if (answers.length > 1)
      return { do: 'unordered', why: 'more rows came after the greatest key of an answer without order' };
    return { do: 'unordered', why: 'the rows came in no known order' };
  }
  if (greatest === null) return { do: 'read', range };
  if (range.le !== null && greatest === range.le) return { do: 'proven', by: 'boundary' };
  const trickle = answers.slice(-TRICKLE.reads);
  if (trickle.length === TRICKLE.reads && trickle.every((answer) => answer.rows < TRICKLE.rows)) {
    return { do: 'proven', by: 'closing-read' };
  }
  return { do: 'read', range: { ge: greatest, le: range.le } };
}

/**
 * The last answer kept no row. A closing read must bring the row it begins with: one that brings nothing may be short itself, or that row
 * was deleted. An answer without any row is asked for twice, since it is the one kind that proves nothing of itself.
 */
function judgeEmpty(answers: readonly Answer[], last: Answer, again: KeyRange): NextStep {
  if (last.excluded > 0) return { do: 'proven', by: 'closing-read' };
  const before = answers[answers.length - 2];
  const twice = before !== undefined && before.rows === 0 && before.excluded === 0;
  if (!twice) return { do: 'read', range: again };
  if (answers.every(({ rows, excluded }) => rows === 0 && excluded === 0)) return { do: 'proven', by: 'empty' };
  return { do: 'unproven', why: 'a read from the greatest key on did not even bring the row with that key' };
}

/**
 * A server that cuts every answer by a share cuts the closing read as well, to the one row that looks like the end. It gives itself away
 * over rows that are known: so where an answer was short already, or the rows are so few that one cut could do it, some known rows are read
 * again. Undefined where that is not called for.
 */
function confirmationOf(range: KeyRange, answers: readonly Answer[], holds: Guid): Confirmation | undefined {
  const withRows = answers.filter(({ rows }) => rows > 0);
  const total = withRows.reduce((sum, { rows }) => sum + rows, 0);
  if (total < 2 || (withRows.length < 2 && total > CONFIRM.least)) return undefined;
  let known = 0;
  let from: Guid | null = withRows[withRows.length - 1]?.asked.ge ?? null;
  for (const { rows, asked } of withRows.toReversed()) {
    if (known >= CONFIRM.least || known + rows > CONFIRM.most) break;
    known += rows;
    from = asked.ge ?? range.ge;
  }
  return { ge: from, holds };
}

/** The order all answers kept to, as far as they tell. */
function orderOf(answers: readonly Pick<Answer, 'ascendingSql' | 'ascendingText'>[]): 'sql' | 'text' | 'none' {
  if (answers.every((answer) => answer.ascendingSql)) return 'sql';
  return answers.every((answer) => answer.ascendingText) ? 'text' : 'none';
}

/** Row counts at which the instance's rights may cut an answer ("Show more than … rows"). */
const ROW_CAPS: readonly number[] = [2_000, 20_000, 200_000];

export interface CountEvidence {
  readonly rows: number;
  /** What the instance counted before and after the read; null where it cannot be asked. */
  readonly before: number | null;
  readonly after: number | null;
}

/** For tables without a usable key: what counts prove of one complete answer. */
export function judgeByCount({ rows, before, after }: CountEvidence): {
  readonly ok: boolean;
  readonly proof: Proof;
  readonly why: string;
} {
  const least = before === null ? after : after === null ? before : Math.min(before, after);
  const most = before === null ? after : after === null ? before : Math.max(before, after);
  if (least !== null && most !== null) {
    if (rows >= least && rows <= most)
      return { ok: true, proof: 'count', why: `the instance counts ${describeCount(least, most)}` };
    if (rows > most && before !== null && after !== null)
      return {
        ok: false,
        proof: 'none',
        why: `${plural(rows, 'row')} came, but the instance counts ${describeCount(least, most)} before and after the read: some rows came twice`,
      };
    if (rows > most)
      return {
        ok: true,
        proof: 'none',
        why: `${plural(rows, 'row')} came, the instance counts ${describeCount(least, most)}`,
      };
    return {
      ok: false,
      proof: 'none',
      why: `${plural(rows, 'row')} came, but the instance counts ${describeCount(least, most)}`,
    };
  }
  if (ROW_CAPS.includes(rows)) {
    return {
      ok: false,
      proof: 'none',
      why: `exactly ${plural(rows, 'row')} came, which is a limit that the rights of an identity may set`,
    };
  }
  return { ok: true, proof: 'none', why: 'the response was complete; the instance offers no count to compare' };
}

function describeCount(least: number, most: number): string {
  return least === most ? `${least}` : `${least} to ${most}`;
}

function later(a: Guid | null, b: Guid | null): Guid | null {
  if (a === null) return b;
  if (b === null) return a;
  return compareGuidsAsSqlServer(a, b) >= 0 ? a : b;
}

function describe(range: KeyRange): string {
  const parts = [range.ge === null ? '' : `ge ${range.ge}`, range.le === null ? '' : `le ${range.le}`];
  return parts.filter((part) => part !== '').join(' and ') || 'all keys';
}
