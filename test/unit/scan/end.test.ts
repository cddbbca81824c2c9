import { describe, expect, test } from 'vitest';
import type { Guid } from '../../../src/core/guid.ts';
import { type Answer, judgeByCount, judgeEnd } from '../../../src/scan/end.ts';
import { ALL_KEYS, type KeyRange } from '../../../src/scan/ranges.ts';

const key = (n: number) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}` as Guid;

function answer(asked: KeyRange, keys: readonly number[], excluded = 0): Answer {
  const first = keys[0] === undefined ? null : key(keys[0]);
  const last = keys.at(-1) === undefined ? null : key(keys.at(-1)!);
  const ascending = keys.every((one, i) => i === 0 || keys[i - 1]! < one);
  return {
    asked,
    excluded,
    rows: keys.length,
    first,
    last,
    min: first,
    max: last,
    ascendingSql: ascending,
    ascendingText: ascending,
  };
}

const fromKey = (n: number): KeyRange => ({ ge: key(n), le: null });

describe('the end of a scan', () => {
  test('is proven by a closing read that brings the greatest row alone', () => {
    const many = Array.from({ length: 20 }, (_, i) => i + 1);
    const whole = answer(ALL_KEYS, many);
    expect(judgeEnd(ALL_KEYS, [whole])).toEqual({ do: 'read', range: fromKey(20) });
    expect(judgeEnd(ALL_KEYS, [whole, answer(fromKey(20), [], 1)])).toEqual({ do: 'proven', by: 'closing-read' });
  });

  test('is not proven by a closing read that brings nothing at all: it is asked again, and then given up', () => {
    const answers = [answer(ALL_KEYS, [1, 2, 3]), answer(fromKey(3), [])];
    expect(judgeEnd(ALL_KEYS, answers)).toEqual({ do: 'read', range: fromKey(3) });
    expect(judgeEnd(ALL_KEYS, [...answers, answer(fromKey(3), [], 1)])).toMatchObject({
      do: 'proven',
      by: 'closing-read',
    });
    expect(judgeEnd(ALL_KEYS, [...answers, answer(fromKey(3), [])])).toMatchObject({ do: 'unproven' });
    const more = [...answers, answer(fromKey(3), [4, 5], 1)];
    expect(judgeEnd(ALL_KEYS, more)).toEqual({ do: 'read', range: fromKey(5) });
  });

  test('of an empty answer is believed only when it is empty twice', () => {
    const none = answer(ALL_KEYS, []);
    expect(judgeEnd(ALL_KEYS, [none])).toEqual({ do: 'read', range: ALL_KEYS });
    expect(judgeEnd(ALL_KEYS, [none, none])).toEqual({ do: 'proven', by: 'empty' });
    expect(judgeEnd(ALL_KEYS, [none, answer(ALL_KEYS, [1, 2])])).toEqual({ do: 'read', range: fromKey(2) });
  });

  test('is to be confirmed over known rows where the rows are few, or an answer was short before', () => {
    const few = [answer(ALL_KEYS, [1, 2]), answer(fromKey(2), [], 1)];
    expect(judgeEnd(ALL_KEYS, few)).toMatchObject({ do: 'proven', confirm: { ge: null, holds: key(2) } });
    const step = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + 1 + i);
    const cut = [
      answer(ALL_KEYS, step(0, 2000)),
      answer(fromKey(2000), step(2000, 2010), 1),
      answer(fromKey(2010), [2011], 1),
      answer(fromKey(2011), [], 1),
    ];
    expect(judgeEnd(ALL_KEYS, cut)).toMatchObject({ do: 'proven', confirm: { ge: key(2000), holds: key(2011) } });
  });

  test('of a range is proven by its upper boundary, or by its lower one coming alone', () => {
    const range: KeyRange = { ge: key(2), le: key(5) };
    expect(judgeEnd(range, [answer(range, [3, 5], 1)])).toEqual({ do: 'proven', by: 'boundary' });
    expect(judgeEnd(range, [answer(range, [], 1)])).toEqual({ do: 'proven', by: 'closing-read' });
    expect(judgeEnd(range, [answer(range, [])])).toEqual({ do: 'read', range });
  });
});

describe('an answer held against counts', () => {
  test('is refused when it has fewer rows than were counted, or more than before and after', () => {
    expect(judgeByCount({ rows: 9, before: 10, after: 12 }).ok).toBe(false);
    expect(judgeByCount({ rows: 80, before: 40, after: 40 }).ok).toBe(false);
    expect(judgeByCount({ rows: 41, before: 40, after: 42 })).toMatchObject({ ok: true, proof: 'count' });
  });

  test('may have more rows than a count that may be old', () => {
    expect(judgeByCount({ rows: 41, before: 40, after: null })).toMatchObject({ ok: true, proof: 'none' });
  });
});
