import type { Clock } from '../../../../src/core/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time on, waking sleepers in the order of their times, and lets promises settle between them. */
  advance(ms: number): Promise<void>;
  readonly sleepers: number;
}

export function createFakeClock(start = 1_700_000_000_000): FakeClock {
  let now = start;
  const sleepers: { at: number; wake: () => void }[] = [];
  const settle = async () => {
    for (let i = 0; i < 10; i += 1) await Promise.resolve();
  };
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { at: now + ms, wake: resolve };
        sleepers.push(sleeper);
        sleepers.sort((a, b) => a.at - b.at);
        signal?.addEventListener('abort', () => {
          const place = sleepers.indexOf(sleeper);
          if (place >= 0) sleepers.splice(place, 1);
          reject(signal.reason);
        });
      }),
    async advance(ms) {
      const end = now + ms;
      await settle();
      for (let next = sleepers[0]; next !== undefined && next.at <= end; next = sleepers[0]) {
        sleepers.shift();
        now = Math.max(now, next.at);
        next.wake();
        await settle();
      }
      now = end;
    },
    get sleepers() {
      return sleepers.length;
    },
  };
}

/** Time that passes at once: a sleep moves the clock and returns. */
export function createEagerClock(start = 1_700_000_000_000): Clock & { readonly slept: readonly number[] } {
  let now = start;
  const slept: number[] = [];
  return {
    now: () => now,
    slept,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
  };
}
