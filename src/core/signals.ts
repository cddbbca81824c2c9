/** Signals that many wait on. */
import { setMaxListeners } from 'node:events';

/** One signal that aborts with the first of several. Everything under way may listen to it: more than ten who do are no leak. */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...signals]);
  setMaxListeners(0, signal);
  return signal;
}
