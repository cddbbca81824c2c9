import { describe, expect, test } from 'vitest';
import { nextStep } from '../../../src/scan/evidence.ts';
import type { Checks, ScanFacts } from '../../../src/scan/facts.ts';
import { type AnswerFacts, heldAgainst, hold, nothingHeld } from '../../../src/scan/held.ts';
import type { ScanKey } from '../../../src/scan/key.ts';
import { ALL_KEYS, type KeyRange } from '../../../src/scan/ranges.ts';

const key = (n: number) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`;
const KEY: ScanKey = { column: 'Id', type: { kind: 'guid' }, composite: false, leads: true, order: null };
const from = (n: number): KeyRange => ({ ge: key(n), le: null });
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

function answer(asked: KeyRange, keys: readonly number[], more: Partial<AnswerFacts> = {}): AnswerFacts {
  const [first, last] = [keys[0], keys.at(-1)].map((n) => (n === undefined ? null : key(n)));
  const ascending = keys.every((n, i) => i === 0 || keys[i - 1]! < n);
  return {
    asked,
    exclude: asked.ge,
    rows: keys.length,
    excluded: 0,
    bytes: 100 * keys.length + 50,
    first: first ?? null,
    last: last ?? null,
    least: first ?? null,
    greatest: last ?? null,
    orders: ascending ? ['sql', 'text'] : [],
    tail: Math.min(1, keys.length),
    prior: null,
    against: [],
    sum: keys.reduce((sum, n) => sum + n, 0),
    remembered: null,
    more: false,
    linked: false,
    skipped: false,
    count: null,
    ...more,
  };
}

const NONE = { rows: 0, greatest: false, after: null };
const closing = (n: number, more: Partial<AnswerFacts> = {}) =>
  answer(from(n), [], { excluded: 1, bytes: 150, ...more });

/** Of answers that were held against the keys between their ends, unless told otherwise. */
function next(answers: readonly AnswerFacts[], checks: Checks = {}, more: Partial<ScanFacts> = {}) {
  return nextStep({
    range: ALL_KEYS,
    key: KEY,
    held: { ...answers.reduce(hold, nothingHeld(more.key ?? KEY)), unheld: null },
    checks,
    nothingFrom: null,
    countsTables: true,
    countAsked: true,
    witness: 0,
    seen: 0,
    mustCount: false,
    counted: null,
    ...more,
  });
}

describe('the end of a scan by key', () => {
  test('is proven by a closing read that brings the last row alone, where a count says no more', () => {
    const whole = answer(ALL_KEYS, upTo(20), { count: 20 });
    expect(next([whole])).toEqual({ do: 'read', range: from(20), exclude: key(20) });
    expect(next([whole, closing(20, { count: 1 })])).toEqual({ do: 'proven', by: 'closing-read', why: null });
    // Counted as many by chance: the closing read has no count of its own.
    expect(next([whole, closing(20)])).toMatchObject({ do: 'beyond' });
    // It counts more than it brings.
    expect(next([whole, closing(20, { count: 3 })])).toMatchObject({ do: 'read', range: from(20) });
    expect(next([whole, closing(20), closing(20, { count: 3 })])).toMatchObject({ do: 'refuse' });
  });

  test('without a count needs a second witness: nothing after the last key, in each order that the rows kept to', () => {
    const answers = [answer(ALL_KEYS, upTo(20)), closing(20)];
    expect(next(answers)).toMatchObject({ do: 'beyond', order: 'sql' });
    const none = [NONE];
    expect(next(answers, { beyond: { sql: none } })).toMatchObject({ do: 'beyond', order: 'text' });
    const again = { found: true };
    expect(next(answers, { beyond: { sql: none, text: none }, again })).toMatchObject({
      do: 'proven',
      by: 'closing-read',
    });
  });

  test('without a count needs the keys between the rows of each answer, which may have been cut before a row that lies among them', () => {
    const checks = { beyond: { sql: [NONE], text: [NONE] }, again: { found: true } };
    const fold = (answers: readonly AnswerFacts[]) => answers.reduce(hold, nothingHeld(KEY));
    const uncounted = fold([answer(ALL_KEYS, upTo(20)), closing(20)]);
    const span = { range: { ge: null, le: key(20) }, rows: 20, sum: 210, keys: null };
    expect(next([], checks, { held: uncounted })).toEqual({ do: 'span', span, orders: ['sql', 'text'] });
    const held = heldAgainst(uncounted);
    const nothing = { keys: 20, lost: null, differ: false };
    expect(next([], { ...checks, span: nothing }, { held })).toMatchObject({ do: 'proven' });
    // What cut the answer cuts its parts: that says nothing.
    expect(next([], { ...checks, span: { ...nothing, keys: null } }, { held })).toMatchObject({ do: 'proven' });
    expect(next([], { ...checks, span: { ...nothing, lost: key(7) } }, { held })).toMatchObject({ do: 'refuse' });
    expect(next([], { ...checks, span: { ...nothing, differ: true } }, { held })).toMatchObject({ do: 'refuse' });
    // Also in a range, whose end is known.
    const range = { ge: key(1), le: key(20) };
    const bounded = fold([answer(range, upTo(20).slice(1), { excluded: 1 })]);
    expect(next([], {}, { held: bounded, range })).toMatchObject({ do: 'span', span: { range, rows: 20 } });
    // Not where so many are remembered that it cannot wait.
    expect(next([], {}, { held: { ...bounded, unheldRows: 2e6 } })).toMatchObject({ do: 'span' });
  });

  test('that a count agrees with needs nothing more; one that fell does, since other rows than those deleted may be missing', () => {
    const fold = (answers: readonly AnswerFacts[]) => answers.reduce(hold, nothingHeld(KEY));
    const counted = fold([answer(ALL_KEYS, upTo(20), { count: 20 }), closing(20, { count: 1 })]);
    expect(next([], {}, { held: counted })).toMatchObject({ do: 'proven' });
    const fell = fold([answer(ALL_KEYS, upTo(20), { count: 21 }), closing(20, { count: 1 })]);
    const checks = { beyond: { sql: [NONE], text: [NONE] }, recount: 20 };
    expect(next([], checks, { held: fell })).toMatchObject({ do: 'span' });
    const span = { keys: 20, lost: null, differ: false };
    expect(next([], { ...checks, span }, { held: heldAgainst(fell) })).toMatchObject({ do: 'proven' });
  });

  test('is read on to where keys come after the one that seemed to be last', () => {
    const answers = [answer(ALL_KEYS, upTo(20)), closing(20)];
    const after = { beyond: { sql: [{ ...NONE, rows: 3, after: key(21) }] } };
    const sql = [answer(ALL_KEYS, upTo(20), { orders: ['sql'] }), closing(20)];
    expect(next(sql, after)).toMatchObject({ do: 'read', exclude: null });
    // While two orders are possible, what is next in one may lie far on in the other: the keys from the last one on tell.
    expect(next(answers, after)).toMatchObject({ do: 'last' });
    const last = { rows: 2, next: key(22) };
    expect(next(answers, { ...after, last })).toMatchObject({ do: 'read', range: from(22), exclude: null });
    // They do not come after it in this order: it is not the server's.
    expect(next(answers, { beyond: { sql: [{ ...NONE, rows: 3 }] } })).toMatchObject({
      do: 'beyond',
      order: 'text',
    });
  });

  test('is refused where a count of the same identity says more, with both numbers, unless it no longer does', () => {
    const answers = [answer(ALL_KEYS, upTo(20), { count: 50 }), closing(20)];
    expect(next(answers)).toMatchObject({ do: 'beyond' });
    const beyond = { sql: [NONE], text: [null] };
    expect(next(answers, { beyond })).toEqual({ do: 'recount' });
    expect(next(answers, { beyond, recount: 50 })).toMatchObject({
      do: 'refuse',
      why: expect.stringMatching(/20 rows.*50/),
    });
    expect(next(answers, { beyond, recount: null })).toMatchObject({ do: 'refuse' });
    // Rows are deleted, but not in masses.
    expect(next(answers, { beyond, recount: 20 })).toMatchObject({
      do: 'refuse',
      why: expect.stringContaining('masses'),
    });
    const deleted = [answer(ALL_KEYS, upTo(20), { count: 22 }), closing(20)];
    expect(next(deleted, { beyond, recount: 20 })).toMatchObject({ do: 'proven', by: 'closing-read' });
  });

  test('is not judged by the counts of the table alone where filters are refused in the middle of it', () => {
    // The last answer brought seven of fourteen that it counted.
    const answers = [
      answer(ALL_KEYS, upTo(17), { count: 100 }),
      answer(from(17), [18, 19, 20, 21, 22, 23, 24], { excluded: 1, count: 90 }),
    ];
    expect(next(answers, { recount: 24 }, { key: null })).toMatchObject({ do: 'refuse' });
    const short = [answer(ALL_KEYS, upTo(90), { count: 95 }), answer(from(90), [91, 92], { excluded: 1, count: 10 })];
    // Between the two counts; but the last answer counted seven more than it brought.
    expect(next(short, { recount: 97 }, { key: null })).toMatchObject({ do: 'refuse' });
    const whole = [answer(ALL_KEYS, upTo(90), { count: 95 }), answer(from(90), [91, 92], { excluded: 1, count: 3 })];
    expect(next(whole, { recount: 97 }, { key: null })).not.toMatchObject({ by: 'count' });
  });

  test('is not shown by an answer that could have been cut: as long as the longest, in rows or in bytes', () => {
    const one = [answer(ALL_KEYS, [1]), closing(1)];
    const open = { beyond: { sql: [null], text: [null] }, split: { whole: 1, sum: 1, halves: 1 } };
    expect(next(one, open)).toMatchObject({ do: 'last', last: key(1) });
    expect(next(one, { ...open, last: { rows: 1, next: null } })).toMatchObject({ do: 'proven', by: 'none' });
    const large = [answer(ALL_KEYS, upTo(5), { bytes: 9_000 }), closing(5, { bytes: 10_000 })];
    // The row that follows may be larger than an answer: its key alone is not.
    expect(next(large, open)).toMatchObject({ do: 'last' });
    expect(next(large, { ...open, last: { rows: 2, next: key(6) } })).toMatchObject({
      do: 'read',
      range: from(6),
      exclude: null,
    });
  });

  test('is not shown by a closing read that brings nothing at all: it is asked again, and then refused', () => {
    const answers = [answer(ALL_KEYS, upTo(3), { count: 3 }), answer(from(3), [])];
    expect(next(answers)).toEqual({ do: 'read', range: from(3), exclude: key(3) });
    expect(next([...answers, closing(3, { count: 1 })])).toMatchObject({ do: 'proven' });
    expect(next([...answers, answer(from(3), [])])).toMatchObject({ do: 'refuse' });
    expect(next([...answers, answer(from(3), [4, 5], { excluded: 1 })])).toMatchObject({ do: 'read', range: from(5) });
  });

  test('is confirmed over known rows where an answer was short before, or the rows are few', () => {
    const none = [NONE];
    const checks = { beyond: { sql: none, text: none }, split: { whole: 2, sum: 3, halves: 2 } };
    const few = [answer(ALL_KEYS, [1, 2]), closing(2)];
    expect(next(few, checks)).toMatchObject({ do: 'again', range: { ge: null, le: key(2) }, holds: key(2) });
    expect(next(few, { ...checks, again: { found: true } })).toMatchObject({ do: 'proven' });
    expect(next(few, { ...checks, again: { found: false } })).toMatchObject({ do: 'refuse' });
  });

  test('of a next link is gone on from by key, not taken for an end', () => {
    expect(next([answer(ALL_KEYS, upTo(20), { more: true, count: 20 })])).toMatchObject({
      do: 'read',
      range: from(20),
    });
  });

  test('of an empty answer is asked for by a filter too, and held against the count', () => {
    const none = answer(ALL_KEYS, []);
    expect(next([none])).toMatchObject({ do: 'read', range: from(0), exclude: null });
    expect(next([none, none])).toMatchObject({ do: 'proven', by: 'empty' });
    expect(next([answer(ALL_KEYS, [], { count: 4 }), none], { recount: 4 })).toMatchObject({ do: 'refuse' });
  });

  test('of a range is its upper boundary, or its lower one coming alone', () => {
    const range: KeyRange = { ge: key(2), le: key(5) };
    const ranged = { range, key: { ...KEY, order: 'sql' } } as const;
    expect(next([answer(range, [3, 5], { excluded: 1 })], {}, ranged)).toMatchObject({ do: 'proven', by: 'boundary' });
    const alone = [answer(range, [], { excluded: 1 })];
    expect(next(alone, {}, ranged)).toMatchObject({ do: 'beyond' });
    expect(next(alone, { beyond: { sql: [NONE] } }, ranged)).toMatchObject({ do: 'proven' });
    expect(next([answer(range, [3, 6], { excluded: 1 })], {}, ranged)).toMatchObject({ do: 'disproved' });
    expect(next([answer(range, [4, 3], { excluded: 1 })], {}, ranged)).toMatchObject({ do: 'disproved' });
  });

  test('of rows without order needs its halves to be as many', () => {
    const answers = [answer(ALL_KEYS, [3, 1, 2])];
    expect(next(answers)).toMatchObject({ do: 'split' });
    const split = { whole: 3, sum: 6, halves: 3 };
    expect(next(answers, { split })).toEqual({ do: 'known' });
    expect(next(answers, { split, known: false })).toMatchObject({ do: 'refuse' });
    expect(next(answers, { split, known: true })).toMatchObject({ do: 'proven', by: 'split' });
    expect(next(answers, { split: { whole: 3, sum: 6, halves: 4 } })).toMatchObject({
      do: 'refuse',
      why: '3 rows came, and its keys, read alone, are 3, but those up to the middle one and those from there on are 4 together',
      twice: true,
    });
    expect(next(answers, { split: { whole: 3, sum: 7, halves: 3 } })).toMatchObject({ do: 'refuse' });
    expect(next(answers, { split: { ...split, halves: null } })).toMatchObject({ do: 'refuse' });
  });

  test('of a composite key needs all rows that share the last value to come again', () => {
    const composite = { key: { ...KEY, composite: true } };
    const rows = answer(ALL_KEYS, upTo(20), { count: 22, tail: 3, rows: 22 });
    expect(next([rows, closing(20, { excluded: 2 })], {}, composite)).toMatchObject({ do: 'read' });
    expect(next([rows, closing(20, { excluded: 3, count: 3 })], {}, composite)).toMatchObject({ do: 'proven' });
  });
});

describe('without a key, an answer', () => {
  const byCount = (rows: number, count: number | null, checks: Checks = {}, more: Partial<AnswerFacts> = {}) =>
    next([answer(ALL_KEYS, upTo(rows), { count, ...more })], checks, { key: null });

  test('is counted when it has as many rows as the instance counts', () => {
    expect(byCount(20, 20)).toMatchObject({ do: 'proven', by: 'count' });
    expect(byCount(20, 21)).toEqual({ do: 'recount' });
    expect(byCount(20, 21, { recount: 20 })).toMatchObject({ do: 'proven', by: 'count' });
    expect(byCount(20, 21, { recount: 22 })).toMatchObject({ do: 'refuse' });
    const more = answer(ALL_KEYS, upTo(20), { count: 19 });
    const keyless = { key: null, held: hold(nothingHeld(null), more) };
    expect(next([more], { recount: 19 }, keyless)).toMatchObject({ do: 'refuse', twice: true });
    // No key came twice: rows were deleted meanwhile. Pages may have shifted then.
    expect(byCount(20, 19, { recount: 19 })).toMatchObject({ do: 'proven', by: 'count' });
    expect(byCount(20, 19, { recount: 19 }, { linked: true })).toMatchObject({ do: 'refuse', twice: true });
    expect(byCount(20, 10, { recount: 10 })).toMatchObject({ do: 'refuse', twice: true });
  });

  test('that was followed by $skip is not, whatever is counted', () => {
    expect(byCount(20, 20, {}, { skipped: true })).toEqual({ do: 'recount' });
    expect(byCount(20, 20, { recount: 20 }, { skipped: true })).toMatchObject({ do: 'proven', by: 'none' });
  });

  test('without a count has no proof, and is refused at a number of rows that rights may cut at', () => {
    expect(byCount(20, null, { recount: null })).toMatchObject({
      by: 'none',
      why: 'nothing shows whether all rows came, since the instance offers no count',
    });
    const uncounted = (count: number) =>
      next([answer(ALL_KEYS, upTo(20), { count })], { recount: count }, { key: null, countsTables: false });
    expect(uncounted(20)).toMatchObject({
      by: 'none',
      why: expect.stringContaining('counts as many, but was not seen'),
    });
    expect(uncounted(9)).toMatchObject({
      by: 'none',
      why: expect.stringContaining('counts 9 where 20 rows came, but'),
    });
    expect(byCount(2_000, null, { recount: null })).toMatchObject({ do: 'refuse' });
    expect(byCount(2_000, 2_000)).toMatchObject({ do: 'proven', by: 'count' });
  });
});

test('a scan of many answers keeps no more in mind than one of a few', () => {
  let held = nothingHeld({ ...KEY, type: { kind: 'text' } });
  const sizes = new Set<number>();
  for (let n = 0; n < 1000; n++) {
    held = hold(held, answer(from(n), [n + 1], { excluded: 1 }));
    if (n > 100) sizes.add(held.recent.length + held.against.length);
  }
  expect(sizes.size).toBe(1);
  expect(held).toMatchObject({ answers: 1000, rows: 1000 });
});
