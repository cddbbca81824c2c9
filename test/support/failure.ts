import { TablevaultError } from '../../src/core/errors.ts';

/** The error of ours that an action ends by. */
export function failureOf(action: () => unknown): TablevaultError {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof TablevaultError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}
