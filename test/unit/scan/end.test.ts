import { describe, expect, test } from 'vitest';
import type { Guid } from '../../../src/core/guid.ts';
import { type Answer, judgeEnd } from '../../../src/scan/end.ts';
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

const after = (n: number): KeyRange => ({ ge: key(n), le: null });

describe('the end of a scan', () => {
  test('is proven by a closing read that brings the greatest row alone', () => {
    const whole = answer(ALL_KEYS, [1, 2, 3]);
    expect(judgeEnd(ALL_KEYS, [whole])).toEqual({ do: 'read', range: after(3) });
    expect(judgeEnd(ALL_KEYS, [whole, answer(after(3), [], 1)])).toEqual({ do: 'proven', by: 'closing-read' });
  });

  test('is not proven by a closing read that brings nothing at all: it is asked again, and then given up', () => {
    const answers = [answer(ALL_KEYS, [1, 2, 3]), answer(after(3), [])];
    expect(judgeEnd(ALL_KEYS, answers)).toEqual({ do: 'read', range: after(3) });
    expect(judgeEnd(ALL_KEYS, [...answers, answer(after(3), [], 1)])).toEqual({ do: 'proven', by: 'closing-read' });
    expect(judgeEnd(ALL_KEYS, [...answers, answer(after(3), [])])).toMatchObject({ do: 'unproven' });
    const more = [...answers, answer(after(3), [4, 5], 1)];
    expect(judgeEnd(ALL_KEYS, more)).toEqual({ do: 'read', range: after(5) });
  });

  test('of an empty answer is believed only when it is empty twice', () => {
    const none = answer(ALL_KEYS, []);
    expect(judgeEnd(ALL_KEYS, [none])).toEqual({ do: 'read', range: ALL_KEYS });
    expect(judgeEnd(ALL_KEYS, [none, none])).toEqual({ do: 'proven', by: 'empty' });
    expect(judgeEnd(ALL_KEYS, [none, answer(ALL_KEYS, [1, 2])])).toEqual({ do: 'read', range: after(2) });
  });

  test('of a range is proven by its upper boundary, or by its lower one coming alone', () => {
    const range: KeyRange = { ge: key(2), le: key(5) };
    expect(judgeEnd(range, [answer(range, [3, 5], 1)])).toEqual({ do: 'proven', by: 'boundary' });
    expect(judgeEnd(range, [answer(range, [], 1)])).toEqual({ do: 'proven', by: 'closing-read' });
    expect(judgeEnd(range, [answer(range, [])])).toEqual({ do: 'read', range });
  });
});
