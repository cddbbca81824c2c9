import type { Clock } from './clock.ts';
import { isRetryable } from './errors.ts';

/** How often a step is tried, and the pauses between: full jitter below a bound that doubles. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly lastPauseMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 6, firstPauseMs: 200, lastPauseMs: 10_000 };

export interface RetryDeps {
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a step until it succeeds, fails for good (an error that is not `retryable`), or was tried often enough. */
export async function withRetries<T>(policy: RetryPolicy, deps: RetryDeps, step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    deps.signal?.throwIfAborted();
    try {
      return await step();
    } catch (error) {
      const again = isRetryable(error) && attempt < policy.attempts;
      if (!again) throw error;
      await deps.clock.sleep(pauseMs(policy, attempt, deps.random), deps.signal);
    }
  }
}

/** Pause after the n-th try, n from 1, milliseconds. */
export function pauseMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  return Math.min(policy.lastPauseMs, policy.firstPauseMs * 2 ** (attempt - 1)) * random();
}
