/** The end of a run by `limits.deadline`. */
import type { Clock } from './clock.ts';
import { type ErrorDetails, TablevaultError } from './errors.ts';

export interface Deadline {
  /** Aborts with DEADLINE when the time is up. */
  readonly signal: AbortSignal;
  /** No longer: what is done now must not be broken off. */
  stop(): void;
}

/** A timer of Node waits no longer than 2^31 ms. */
const LONGEST_SLEEP_MS = 24 * 3600_000;

/** Ends a run wherever it is: waiting, asking, or in the middle of a body. */
export function startDeadline(ms: number, clock: Clock): Deadline {
  const passed = new AbortController();
  const stopped = new AbortController();
  const at = clock.now() + ms;
  const wait = async () => {
    for (;;) {
      const left = at - clock.now();
      if (left <= 0) break;
      await clock.sleep(Math.min(left, LONGEST_SLEEP_MS), stopped.signal);
    }
    passed.abort(deadlinePassed());
  };
  // A sleep that is broken off is the deadline being stopped.
  wait().catch(() => undefined);
  return { signal: passed.signal, stop: () => stopped.abort() };
}

/** @param at where the run was, if that is known */
export function deadlinePassed(at: ErrorDetails['at'] = {}): TablevaultError {
  return new TablevaultError('DEADLINE', 'the run has lasted longer than limits.deadline', {
    at,
    hint: 'Raise limits.deadline.',
  });
}
