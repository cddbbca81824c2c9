/** The one loop around tries, and the one rule for the pauses between. */
import type { Clock } from './clock.ts';
import { isRetryable, type TablevaultError } from './errors.ts';

/** How often a step is tried, and the pauses between, which double from the first to the last. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly lastPauseMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 6, firstPauseMs: 200, lastPauseMs: 10_000 };

export interface RetryDeps {
  readonly clock: Pick<Clock, 'sleep'>;
  /** From 0 to below 1: the share of each pause that is taken, so that many who failed together do not come back together. Default: all of it. */
  readonly random?: () => number;
  readonly signal?: AbortSignal | undefined;
  /** Told of each failure that is followed by another try, which is number `next`. */
  readonly onRetry?: (error: TablevaultError, next: number) => void;
}

/**
 * Runs a step until it succeeds, fails for good (an error that is not `retryable`), or was tried often enough.
 * @param step gets the number of the try, from 1
 * @throws the signal's reason when it aborts between tries; what the step threw for good is never hidden by it
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  { clock, random, signal, onRetry }: RetryDeps,
  step: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await step(attempt);
    } catch (error) {
      if (!isRetryable(error) || attempt >= policy.attempts) throw error;
      signal?.throwIfAborted();
      onRetry?.(error, attempt + 1);
      await clock.sleep(pauseMs(policy, attempt, random?.()), signal);
    }
  }
}

/** Pause after the n-th try, n from 1, milliseconds: doubled each time up to the last, and of that a share from 0 to 1. */
export function pauseMs(
  { firstPauseMs, lastPauseMs }: Omit<RetryPolicy, 'attempts'>,
  attempt: number,
  share = 1,
): number {
  return Math.min(lastPauseMs, firstPauseMs * 2 ** Math.min(attempt - 1, 40)) * share;
}
