/** Create-only puts whose answer may be lost: what became of them is found out by reading back. */
import type { Clock } from '../../core/clock.ts';
import { asTablevaultError, TablevaultError } from '../../core/errors.ts';
import { pauseMs, type RetryPolicy } from '../../core/retry.ts';
import type { Store } from '../../storage/store.ts';

/** How long to go on when answers stay away. */
const COMMIT_PERSISTENCE: RetryPolicy = { attempts: 8, firstPauseMs: 200, lastPauseMs: 8_000 };

/** What is known of a create-only object after trying to put it. */
export type Confirmed =
  /** It is there, and it is ours. */
  | { readonly state: 'mine'; readonly bytes: Uint8Array }
  /** Another writer was first; `bytes` are its. */
  | { readonly state: 'other'; readonly bytes: Uint8Array }
  /** The store refused, nothing was left unanswered, and the object is not there. */
  | { readonly state: 'refused'; readonly error: TablevaultError }
  /** It may be there or come to be. */
  | { readonly state: 'unknown'; readonly error: TablevaultError };

export interface ConfirmOptions {
  readonly clock: Clock;
  readonly persistence?: RetryPolicy;
  /** Whether stored bytes are our own work (by their nonce). */
  readonly isMine: (bytes: Uint8Array) => boolean;
}

type Reading = { readonly bytes: Uint8Array } | 'absent' | TablevaultError;

/** Answers that say that the put was not carried out; everything else may be a lost answer. */
const REFUSED_FOR_GOOD = new Set([
  'DESTINATION_DENIED',
  'DESTINATION_FULL',
  'DESTINATION_MISSING',
  'DESTINATION_UNSAFE',
]);

/**
 * Puts a create-only object and finds out what became of it. No answer is believed by itself: after every put, whatever it
 * said, the key is read back. Ours there: done. Another's there: it was first. Nothing there: the same bytes are sent again. An
 * acknowledgement that cannot be confirmed by reading stays unknown.
 */
export async function putConfirmed(
  store: Store,
  key: string,
  bytes: Uint8Array,
  options: ConfirmOptions,
): Promise<Confirmed> {
  const { clock, isMine, persistence = COMMIT_PERSISTENCE } = options;
  let unanswered = false;
  for (let attempt = 1; ; attempt += 1) {
    const fault = await faultOf(store.putNew(key, bytes, { retries: false }));
    const found = await readBack(store, key);
    if (found instanceof TablevaultError) {
      unanswered = true;
    } else if (found !== 'absent') {
      if (!isMine(found.bytes)) return { state: 'other', bytes: found.bytes };
      const insecure = fault === undefined ? undefined : await faultOf(store.makeDurable?.(key));
      if (insecure === undefined) return { state: 'mine', bytes: found.bytes };
      unanswered = true;
    } else if (fault !== undefined && REFUSED_FOR_GOOD.has(fault.code)) {
      return { state: unanswered ? 'unknown' : 'refused', error: fault };
    } else {
      unanswered = true;
    }
    if (attempt >= persistence.attempts) {
      const error = fault ?? (found instanceof TablevaultError ? found : undefined) ?? vanished(store, key);
      return { state: 'unknown', error };
    }
    await clock.sleep(pauseMs(persistence, attempt));
  }
}

async function faultOf(step: Promise<void> | undefined): Promise<TablevaultError | undefined> {
  try {
    await step;
    return undefined;
  } catch (error) {
    return asTablevaultError(error);
  }
}

async function readBack(store: Store, key: string): Promise<Reading> {
  try {
    return { bytes: await store.get(key) };
  } catch (error) {
    const fault = asTablevaultError(error);
    return fault.code === 'OBJECT_MISSING' ? 'absent' : fault;
  }
}

function vanished(store: Store, key: string): TablevaultError {
  return new TablevaultError('DESTINATION_UNSAFE', `${store.uri} acknowledged ${key} but does not have it`, {
    at: { store: store.uri, object: key },
    hint: 'The store does not keep what it acknowledges: check it, or choose another destination.',
  });
}
