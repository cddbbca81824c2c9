import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import { pauseMs, withRetries } from '../../../src/core/retry.ts';

const POLICY = { attempts: 4, firstPauseMs: 100, lastPauseMs: 250 };
const passing = () => new TablevaultError('INSTANCE_ANSWER', 'not now', { retryable: true });

function fakeClock() {
  const slept: number[] = [];
  return { slept, clock: { sleep: async (ms: number) => void slept.push(ms) } };
}

describe('a step with retries', () => {
  it('is tried again after failures that may pass, with pauses that double up to the last', async () => {
    const { clock, slept } = fakeClock();
    const told: number[] = [];
    const step = async (attempt: number) => {
      if (attempt < 4) throw passing();
      return attempt;
    };
    expect(await withRetries(POLICY, { clock, onRetry: (_, next) => told.push(next) }, step)).toBe(4);
    expect(slept).toEqual([100, 200, 250]);
    expect(told).toEqual([2, 3, 4]);
  });

  it('fails with its last error when it was tried often enough, and at once for good', async () => {
    const { clock, slept } = fakeClock();
    await expect(withRetries(POLICY, { clock }, () => Promise.reject(passing()))).rejects.toThrow('not now');
    expect(slept).toHaveLength(3);
    await expect(withRetries(POLICY, { clock }, () => Promise.reject(new Error('bug')))).rejects.toThrow('bug');
    expect(slept).toHaveLength(3);
  });

  it('ends by the signal instead of another try, and never hides by it what failed for good', async () => {
    const abort = new AbortController();
    const step = () => {
      abort.abort(new Error('enough'));
      return Promise.reject(passing());
    };
    await expect(withRetries(POLICY, { ...fakeClock(), signal: abort.signal }, step)).rejects.toThrow('enough');
    const other = new AbortController();
    const full = () => {
      other.abort(new Error('enough'));
      return Promise.reject(new TablevaultError('DESTINATION_FULL', 'no space is left'));
    };
    await expect(withRetries(POLICY, { ...fakeClock(), signal: other.signal }, full)).rejects.toThrow('no space');
  });
});

describe('a pause', () => {
  it('never shrinks from try to try and never passes the last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, share) => {
        const now = pauseMs(POLICY, attempt, share);
        expect(now).toBeLessThanOrEqual(pauseMs(POLICY, attempt + 1, share));
        expect(now).toBeLessThanOrEqual(250);
        expect(now).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
