import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { Clock } from '../../core/clock.ts';
import { asTablevaultError, hasCode, TablevaultError } from '../../core/errors.ts';
import { canonicalBytes } from '../../core/json.ts';
import { putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions, Store } from '../../storage/store.ts';
import { parseObject } from '../chain/parse.ts';
import { lockFolder, lockKey, sequenceOf } from '../layout.ts';
import type { Holder } from './holder.ts';
import { hasEnded, holderSchema, thisProcess } from './holder.ts';

/**
 * A renewed lease on stores that can only create objects: generations `locks/<name>/<n>.json`. Whoever creates the next
 * generation holds the lease, be it the holder who renews or another who takes over one that ran out; so there is one winner.
 * Age is told by the store's own clock, never by those of the hosts. A released lease leaves a generation that says so, so that
 * numbers only grow. Older generations are removed, except the last few, which a slow listing may need.
 */
export const LEASE_TTL_MS = 60_000;
const KEPT_GENERATIONS = 3;
/** Difference between a store's clock and the times of its objects that is no fault. */
const CLOCK_TOLERANCE_MS = 5_000;

export const leaseSchema = z.object({
  formatVersion: z.literal(1),
  name: z.string(),
  /** Random, one a holder. */
  token: z.string().min(16),
  holder: holderSchema,
  /** The lease runs out this long after the generation was stored. */
  ttlMs: z.int().positive(),
  released: z.boolean(),
});
type LeaseRecord = z.infer<typeof leaseSchema>;

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
  let takenAt = monotonicMs();
  let generation = await takeNext();
  const lost = new AbortController();
  const ending = new AbortController();
  let renewal: Promise<boolean> | undefined;
  const renewing = renewUntilEnd();

  async function takeNext(): Promise<number> {
    const newest = await newestGeneration(store, name, call);
    if (newest !== undefined && !(await isOver(newest))) throw locked(store, newest.record);
    takenAt = monotonicMs();
    const next = (newest?.generation ?? 0) + 1;
    const owner = await createGeneration(next, mine, call);
    if (owner.token !== mine.token) throw locked(store, owner);
    // A slow taker may have created a number that had been used and removed: then a greater one exists.
    const now = await newestGeneration(store, name, call);
    if (now !== undefined && now.generation > next) {
      await store.remove(lockKey(name, next), call).catch(() => undefined);
      throw locked(store, now.record);
    }
    await removeOlder(next);
    return next;
  }

  async function isOver({ generation: seen, modifiedMs, record }: Newest): Promise<boolean> {
    if (record.released || isGone(record.holder)) return true;
    const ageMs = (await store.serverNowMs(call)) - modifiedMs;
    if (ageMs >= -CLOCK_TOLERANCE_MS) return ageMs > record.ttlMs;
    // From the future: the store's clock was set back. Then age says nothing, but a living holder renews.
    await clock.sleep(record.ttlMs, options.signal);
    return (await newestGeneration(store, name, call))?.generation === seen;
  }

  /** Creates a generation and returns whose it is in the end, ours or another's. */
  async function createGeneration(number: number, record: LeaseRecord, how: CallOptions): Promise<LeaseRecord> {
    const key = lockKey(name, number);
    return (await putIfAbsent(store, key, canonicalBytes(record), how)) ? record : readRecord(store, key, how);
  }

  /** Best effort: a writer role may lack the right to delete. */
  async function removeOlder(current: number): Promise<void> {
    try {
      for await (const object of store.list(lockFolder(name))) {
        const number = sequenceOf(object.key, lockFolder(name));
        if (number !== undefined && number <= current - KEPT_GENERATIONS) await store.remove(object.key);
      }
    } catch {
      return;
    }
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
    try {
      const owner = await createGeneration(generation + 1, mine, { signal: AbortSignal.timeout(ttlMs / 3) });
      // A holder that was stopped for long may create a number that others had used and removed: then a greater one exists.
      const newest = owner.token === mine.token ? await newestGeneration(store, name, {}) : undefined;
      if (owner.token !== mine.token) {
        lost.abort(locked(store, owner));
      } else if (newest !== undefined && newest.generation > generation + 1) {
        lost.abort(locked(store, newest.record));
      } else {
        generation += 1;
        takenAt = begunAt;
        await removeOlder(generation);
        return true;
      }
    } catch (error) {
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
      await renewing;
      if (lost.signal.aborted) return;
      try {
        await createGeneration(generation + 1, { ...mine, released: true }, { signal: AbortSignal.timeout(ttlMs / 3) });
        await removeOlder(generation + 1);
      } catch {
        return;
      }
    },
  };
}

/** Whether somebody may hold the lease of a name now: it is neither released nor run out. Takes nothing. */
export async function isLeased(store: Store, name: string, call: CallOptions = {}): Promise<boolean> {
  const newest = await newestGeneration(store, name, call);
  if (newest === undefined || newest.record.released) return false;
  return (await store.serverNowMs(call)) - newest.modifiedMs <= newest.record.ttlMs;
}

interface Newest {
  readonly generation: number;
  readonly modifiedMs: number;
  readonly record: LeaseRecord;
}

/** What a damaged generation is taken for: it runs out as any other. */
function damaged(name: string): LeaseRecord {
  const holder = { host: 'unknown', pid: 0, since: new Date(0).toISOString(), place: null, started: null };
  return { formatVersion: 1, name, token: 'of a damaged generation', holder, ttlMs: LEASE_TTL_MS, released: false };
}

async function newestGeneration(store: Store, name: string, call: CallOptions): Promise<Newest | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    let newest: { key: string; generation: number; modifiedMs: number } | undefined;
    for await (const object of store.list(lockFolder(name), call)) {
      const generation = sequenceOf(object.key, lockFolder(name));
      if (generation !== undefined) newest = { key: object.key, generation, modifiedMs: object.modifiedMs };
    }
    if (newest === undefined) return undefined;
    try {
      return { ...newest, record: await readRecord(store, newest.key, call) };
    } catch (error) {
      if (hasCode(error, 'VAULT_CORRUPT')) return { ...newest, record: damaged(name) };
      // Renewed and removed since it was listed: look again.
      const removed = hasCode(error, 'OBJECT_MISSING');
      if (!removed || attempt === 5) throw error;
    }
  }
}

async function readRecord(store: Store, key: string, call: CallOptions): Promise<LeaseRecord> {
  return parseObject(leaseSchema, await store.get(key, call), key);
}

function locked(store: Store, { name, holder }: LeaseRecord): TablevaultError {
  return new TablevaultError(
    'LOCKED',
    `${name} is being run by process ${holder.pid} on ${holder.host} since ${holder.since}`,
    {
      at: { vault: store.uri, host: holder.host, pid: holder.pid, since: holder.since },
      hint: 'Wait until it has ended. If it was killed, its lock ends by itself within a minute or two.',
    },
  );
}

function unrenewed(store: Store, name: string, cause: unknown): TablevaultError {
  const why = cause === undefined ? 'the process was stopped for too long' : asTablevaultError(cause).message;
  return new TablevaultError('DESTINATION_UNREACHABLE', `the lock of ${name} could not be renewed in time: ${why}`, {
    at: { vault: store.uri },
    cause,
    retryable: true,
    hint: 'Another run may have begun meanwhile, so this one stopped. Run again: what is finished is not read again.',
  });
}
