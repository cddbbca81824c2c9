/** The commit of a restore, and what is known of it. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { TablevaultError } from '../../core/errors.ts';
import { messageOf, postgresFault, stateOf } from './postgres-faults.ts';

/** Time that a commit has to be answered after an interrupt, ms: less than the process has to end. */
const COMMIT_GRACE_MS = 10_000;

/**
 * Commits, and tells what is known of it. An interrupt leaves some time for the answer.
 * @throws TablevaultError COMMIT_UNKNOWN when the server may or may not have committed; DESTINATION_* when it says that it did not
 */
export async function commit(
  client: Pick<pg.Client, 'query'>,
  shown: string,
  signal: AbortSignal | undefined,
  graceMs = COMMIT_GRACE_MS,
): Promise<void> {
  const stopped = new AbortController();
  const asked = client.query('COMMIT');
  asked.catch(() => undefined);
  try {
    const answer = await Promise.race([asked, interrupted(signal, stopped.signal, graceMs)]);
    // The answer to COMMIT in a transaction that has failed.
    if (answer.command === 'COMMIT') return;
  } catch (error) {
    if (wasRefused(error)) throw postgresFault(error, 'committing', shown);
    throw new TablevaultError(
      'COMMIT_UNKNOWN',
      `whether PostgreSQL committed the restore is not known: ${messageOf(error)}`,
      {
        at: { target: shown },
        cause: error,
        hint: 'Look whether the tables exist in the target: either all of them do, with all rows, or none. If there are none, restore again.',
      },
    );
  } finally {
    stopped.abort();
  }
  throw new TablevaultError('DESTINATION_UNREACHABLE', 'PostgreSQL rolled the restore back instead of committing it', {
    at: { target: shown },
    hint: 'Nothing was restored. Check the log of the server, and restore again.',
  });
}

/** Rejects some time after the signal aborted. */
async function interrupted(signal: AbortSignal | undefined, stop: AbortSignal, graceMs: number): Promise<never> {
  if (signal !== undefined && !signal.aborted) await once(signal, 'abort', { signal: stop });
  if (signal === undefined) await once(stop, 'abort');
  await setTimeout(graceMs, undefined, { signal: stop, ref: false });
  throw new Error('it was interrupted, and the server did not answer in time');
}

/** Did the server itself answer that it could not commit? A connection that broke (08, 57P) tells nothing. */
function wasRefused(error: unknown): boolean {
  const state = stateOf(error);
  return state !== undefined && !state.startsWith('08') && !state.startsWith('57P');
}
