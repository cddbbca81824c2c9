/** The lease of a pipeline: one run at a time. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { asTablevaultError, TablevaultError } from '../../core/errors.ts';
import type { CallOptions, Store } from '../../storage/store.ts';
import { type Generation, generationsOf, isDamaged, LEASE_TTL_MS, type LeaseRecord } from './generations.ts';
import type { Holder } from './holder.ts';
import { hasEnded, thisProcess } from './holder.ts';

/**
 * A renewed lease on stores that can only create objects. Whoever creates the next generation holds the lease, be it the holder who renews
 * or another who takes over one that ran out; so there is one winner. Age is told by the store's own clock, never by those of the hosts. A
 * released lease leaves a generation that says so.
 */

/** Time that a release has, ms: a run that ends does not wait for a store that does not answer. The lease runs out then. */
const RELEASE_MS = 5_000;

/** Difference between a store's clock and the times of its objects that is no fault. */
const CLOCK_TOLERANCE_MS = 5_000;

export interface Lease {
  /** Aborts with the reason (`LOCKED`, or the store's error) as soon as the lease is or may be another's: stop the run. */
  readonly signal: AbortSignal;
  /** Renews now, and throws the signal's reason when the lease was lost. Call it before the commit. */
  assertHeld(): Promise<void>;
  /** Ends the renewal and lets the next run in at once. Never throws: a lease that cannot be released runs out. */
  release(): Promise<void>;
}

export interface LeaseOptions extends CallOptions {
  readonly clock: Clock;
  /** Default `LEASE_TTL_MS`; renewed every third of it. */
  readonly ttlMs?: number;
  /** Whether a holder is known to be gone, so that its lease need not run out. Default: by boot, namespace and pid. */
  readonly isGone?: (holder: Holder) => boolean;
  /** Milliseconds that only go forward, for the age of one's own lease. Default `performance.now`. */
  readonly monotonicMs?: () => number;
}

/**
 * Takes the lease of a name (a pipeline's, a token's fingerprint).
 * @throws TablevaultError `LOCKED` naming host, pid and since when of the holder.
 */
export async function acquireLease(store: Store, name: string, options: LeaseOptions): Promise<Lease> {
  const { clock, ttlMs = LEASE_TTL_MS, isGone = hasEnded, monotonicMs = () => performance.now() } = options;
  const call = { signal: options.signal };
  const mine: LeaseRecord = {
    formatVersion: 1,
    name,
    token: randomUUID(),
    holder: thisProcess(clock.now()),
    ttlMs,
    released: false,
  };
  const generations = generationsOf(store, name);
  let takenAt = monotonicMs();
  let generation = await takeNext();
  const lost = new AbortController();
  const ending = new AbortController();
  const tooLate = new AbortController();
  let renewal: Promise<boolean> | undefined;
  /** A try to renew that may have been stored, though it failed: the store counts from it. */
  let unclear: { readonly number: number; readonly begunAt: number } | undefined;
  const renewing = renewUntilEnd();

  async function takeNext(): Promise<number> {
    const newest = await generations.newest(call);
    if (newest !== undefined && !(await isOver(newest))) throw locked(store, newest.record);
    takenAt = monotonicMs();
    const next = (newest?.number ?? 0) + 1;
    const { overtaker } = await createAndLookBack(next, call);
    if (overtaker !== undefined) {
      if (overtaker.number > next) await generations.remove(next, call).catch(() => undefined);
      throw locked(store, overtaker.record);
    }
    await generations.removeOlder(next, call);
    return next;
  }

  async function isOver({ number, modifiedMs, record }: Generation): Promise<boolean> {
    if (record.released || isGone(record.holder)) return true;
    const ageMs = (await store.serverNowMs(call)) - modifiedMs;
    if (ageMs >= -CLOCK_TOLERANCE_MS) return ageMs > record.ttlMs;
    // From the future: the store's clock was set back. Then age says nothing, but a living holder renews.
    await clock.sleep(record.ttlMs, options.signal);
    return (await generations.newest(call))?.number === number;
  }

  /**
   * Creates our generation of this number, and says who has it or a greater one instead. A process that was slow or stopped for long may
   * create a number that others had used and removed: then a greater one exists.
   */
  async function createAndLookBack(
    number: number,
    looking: CallOptions,
  ): Promise<{ readonly overtaker?: Pick<Generation, 'number' | 'record'>; readonly created: boolean }> {
    const { record, created } = await generations.create(number, mine, looking);
    if (record.token !== mine.token) return { overtaker: { number, record }, created };
    const newest = await generations.newest(looking);
    return newest !== undefined && newest.number > number ? { overtaker: newest, created } : { created };
  }

  /** Creates the next generation now; a renewal that is under way is shared. False when it could not. */
  function renew(): Promise<boolean> {
    renewal ??= renewOnce().finally(() => {
      renewal = undefined;
    });
    return renewal;
  }

  async function renewOnce(): Promise<boolean> {
    const begunAt = monotonicMs();
    const next = generation + 1;
    try {
      // Not by the run's signal: a run that winds down still holds its lease.
      const signal = AbortSignal.any([AbortSignal.timeout(ttlMs / 3), tooLate.signal]);
      const { overtaker, created } = await createAndLookBack(next, { signal });
      if (overtaker === undefined) {
        generation = next;
        // Found, not created: an earlier try was stored, and its answer was lost.
        takenAt = created || unclear?.number !== next ? begunAt : unclear.begunAt;
        await generations.removeOlder(next, { signal });
        return true;
      }
      lost.abort(locked(store, overtaker.record));
    } catch (error) {
      if (unclear?.number !== next) unclear = { number: next, begunAt };
      if (monotonicMs() - takenAt > ttlMs * 0.8) lost.abort(unrenewed(store, name, error));
    }
    return false;
  }

  async function renewUntilEnd(): Promise<void> {
    let renewed = true;
    while (!lost.signal.aborted) {
      try {
        await clock.sleep(renewed ? ttlMs / 3 : ttlMs / 12, ending.signal);
      } catch {
        return;
      }
      renewed = await renew();
    }
  }

  return {
    signal: lost.signal,
    async assertHeld() {
      lost.signal.throwIfAborted();
      const renewed = await renew();
      if (!renewed && monotonicMs() - takenAt > ttlMs) lost.abort(unrenewed(store, name, undefined));
      lost.signal.throwIfAborted();
    },
    async release() {
      ending.abort();
      const timer = setTimeout(() => tooLate.abort(), RELEASE_MS);
      try {
        await renewing;
        if (lost.signal.aborted) return;
        const call = { signal: tooLate.signal };
        const last = { ...mine, released: true };
        const { record } = await generations.create(generation + 1, last, call);
        // A renewal whose answer was lost stands there.
        const ours = record.token === mine.token && !record.released;
        if (ours) await generations.create(generation + 2, last, call);
        await generations.removeOlder(generation + 1, call);
      } catch {
        return;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Whether somebody may hold the lease of a name now: it is neither released nor run out. Takes nothing. */
export async function isLeased(store: Store, name: string, call: CallOptions = {}): Promise<boolean> {
  const newest = await generationsOf(store, name).newest(call);
  if (newest === undefined || newest.record.released) return false;
  return (await store.serverNowMs(call)) - newest.modifiedMs <= newest.record.ttlMs;
}

function locked(store: Store, record: LeaseRecord): TablevaultError {
  const { name, holder } = record;
  const hint = 'Wait until it has ended. If it was killed, its lock expires within a minute or two.';
  if (isDamaged(record)) {
    const what = `another process seems to run ${name}; which one is not known, since its lock is damaged`;
    return new TablevaultError('LOCKED', what, { at: { vault: store.uri }, hint });
  }
  return new TablevaultError(
    'LOCKED',
    `process ${holder.pid} on ${holder.host} has been running ${name} since ${holder.since}`,
    { at: { vault: store.uri, host: holder.host, pid: holder.pid, since: holder.since }, hint },
  );
}

function unrenewed(store: Store, name: string, cause: unknown): TablevaultError {
  const why = cause === undefined ? 'the process was stopped for too long' : asTablevaultError(cause).message;
  return new TablevaultError('DESTINATION_UNREACHABLE', `the lock of ${name} could not be renewed in time: ${why}`, {
    at: { vault: store.uri },
    cause,
    retryable: true,
    hint: 'Another run may have begun meanwhile, so this one stopped. Run again: finished parts are not read again.',
  });
}
