import { describe, expect, it } from 'vitest';
import { NO_WAITS, waitLines, waitsAfter } from '../../../src/cli/waits.ts';
import type { RunEvent } from '../../../src/core/events.ts';

function linesAt(now: number, events: readonly (readonly [number, RunEvent])[]): readonly string[] {
  const waits = events.reduce((state, [at, event]) => waitsAfter(state, event, at), NO_WAITS);
  return waitLines(waits, now).map(({ text }) => text);
}

const sent = (request: number, what: string): RunEvent => ({
  type: 'request',
  request,
  phase: 'sent',
  what,
  firstByteTimeoutMs: 300_000,
});
const failing = (request: number, tries: number): RunEvent => ({
  type: 'retry',
  request,
  reason: 'the connection was reset',
  tries,
  givenUpAfterMs: 300_000,
});

describe('what a command waits for', () => {
  it('is a first byte that takes longer than five seconds, until it comes', () => {
    const asked: readonly (readonly [number, RunEvent])[] = [[0, sent(1, 'a read of A')]];
    expect(linesAt(5_000, asked)).toEqual([]);
    expect(linesAt(5_001, asked)).toEqual(['waiting 5.0 s for the first byte of a read of A (5 min at most)']);
    expect(linesAt(9_000, [...asked, [8_000, { type: 'request', request: 1, phase: 'over' }]])).toEqual([]);
    expect(linesAt(9_000, [...asked, [8_000, { type: 'request', request: 1, phase: 'failed' }]])).toEqual([]);
  });

  it('is of several first bytes the one that is waited for longest; the others are counted', () => {
    const asked: readonly (readonly [number, RunEvent])[] = [
      [0, sent(1, 'a read of A')],
      [1_000, sent(2, 'a read of B')],
      [8_000, sent(3, 'a read of C')],
    ];
    expect(linesAt(10_000, asked)).toEqual([
      'waiting 10 s for the first byte of a read of A and 1 other request (5 min at most)',
    ]);
  });

  it('is a request that fails again and again, from the third failure until it succeeds or is given up', () => {
    const failed: readonly (readonly [number, RunEvent])[] = [
      [0, sent(1, 'a read of A')],
      [1_000, failing(1, 3)],
      [2_000, sent(1, 'a read of A')],
    ];
    expect(linesAt(900_000, failed.slice(0, 2))).toEqual([
      'trying again: the connection was reset (3 tries so far; a request is given up after 5 min)',
    ]);
    expect(linesAt(3_000, failed)).toHaveLength(1);
    expect(linesAt(3_000, [...failed, [2_500, { type: 'request', request: 1, phase: 'over' }]])).toEqual([]);
    expect(linesAt(3_000, [[0, failing(1, 2)]])).toEqual([]);
  });

  it('is a pause, until it is over', () => {
    const pause: readonly (readonly [number, RunEvent])[] = [[0, { type: 'wait', reason: 'no seat', ms: 9_000 }]];
    expect(linesAt(1_000, pause)).toEqual(['next try in 8.0 s: no seat']);
    expect(linesAt(9_000, pause)).toEqual([]);
  });
});
