import type { Clock } from '../../src/core/clock.ts';

/** A clock that runs `times` as fast as the wall's, for both sides: what waits minutes in life waits seconds here. */
export function hastyClock(times: number): Clock {
  const from = Date.now();
  return {
    now: () => from + (Date.now() - from) * times,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          clearTimeout(timer);
          reject(signal?.reason);
        };
        const timer = setTimeout(() => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, ms / times);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
  };
}
