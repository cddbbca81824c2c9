/** `GlobalConcurrentRequests`: a few slots over all sessions, a short queue behind them, and other clients that hold some of both. */
import type { Clock } from '../core/clock.ts';
import type { DemoLimits } from './options.ts';
import { tooMany } from './sessions.ts';

export interface Slot {
  release(): void;
}

export interface SlotStats {
  /** Of each slot: how long it served us, and how many requests. */
  readonly slots: readonly { readonly busyMs: number; readonly requests: number }[];
  readonly inFlight: number;
  readonly queued: number;
  readonly maxInFlight: number;
  readonly maxQueued: number;
}

export interface Slots {
  /** Waits for a slot. Throws a 429 refusal when the queue is full; rejects when the signal aborts. */
  acquire(signal: AbortSignal): Promise<Slot>;
  stats(): SlotStats;
  close(): void;
}

export function createSlots(clock: Clock, limits: () => DemoLimits): Slots {
  const began = clock.now();
  const busy: { busyMs: number; requests: number; since: number | null }[] = [];
  const waiting: { readonly start: () => void }[] = [];
  let running = 0;
  let maxInFlight = 0;
  let maxQueued = 0;
  let timer: NodeJS.Timeout | null = null;

  const others = () => {
    const { onMs, offMs, slots, queue } = limits().others;
    if (onMs === undefined || offMs === undefined) return { slots, queue, changesInMs: null };
    const phase = (clock.now() - began) % (onMs + offMs);
    return phase < onMs
      ? { slots, queue, changesInMs: onMs - phase }
      : { slots: 0, queue: 0, changesInMs: onMs + offMs - phase };
  };

  const take = (): Slot => {
    let index = busy.findIndex((slot) => slot.since === null);
    if (index < 0) index = busy.push({ busyMs: 0, requests: 0, since: null }) - 1;
    const slot = busy[index]!;
    slot.since = performance.now();
    slot.requests++;
    running++;
    maxInFlight = Math.max(maxInFlight, running);
    let released = false;
    return {
      release() {
        if (released) return;
        released = true;
        slot.busyMs += performance.now() - slot.since!;
        slot.since = null;
        running--;
        pump();
      },
    };
  };

  const pump = () => {
    const now = others();
    while (waiting.length > 0 && running < limits().slots - now.slots) waiting.shift()!.start();
    if (waiting.length > 0 && now.changesInMs !== null && timer === null) {
      timer = setTimeout(() => {
        timer = null;
        pump();
      }, now.changesInMs + 1);
    }
  };

  return {
    acquire(signal) {
      const now = others();
      const set = limits();
      if (waiting.length === 0 && running < set.slots - now.slots) return Promise.resolve(take());
      if (waiting.length >= set.queue - now.queue)
        return Promise.reject(tooMany('GlobalConcurrentRequests', set, clock.now()));
      return new Promise((resolve, reject) => {
        const entry = {
          start() {
            signal.removeEventListener('abort', onAbort);
            resolve(take());
          },
        };
        const onAbort = () => {
          const at = waiting.indexOf(entry);
          if (at >= 0) waiting.splice(at, 1);
          reject(signal.reason);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.push(entry);
        maxQueued = Math.max(maxQueued, waiting.length);
        pump();
      });
    },
    stats: () => ({
      slots: busy.map((slot) => ({
        busyMs: slot.busyMs + (slot.since === null ? 0 : performance.now() - slot.since),
        requests: slot.requests,
      })),
      inFlight: running,
      queued: waiting.length,
      maxInFlight,
      maxQueued,
    }),
    close() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}
