/**
 * One governor for the whole process: every request to the Table API holds one of its slots from before it is sent until its body is
 * drained. First come, first served; a request that was refused or failed goes back to the head of the queue.
 */
import type { Clock } from '../core/clock.ts';
import type { Emit } from '../core/events.ts';
import {
  type Decision,
  decide,
  GOVERNOR_DEFAULTS,
  type GovernorLimits,
  type GovernorState,
  initialState,
  onAnswered,
  onRefused,
  onReleased,
  onSent,
  paused,
  type Refusal,
} from './governor-state.ts';
import { createLatencyTracker } from './latency.ts';

export interface Slot {
  /** The first byte came, `ms` after the request was sent; `kind` groups requests that should take about the same. */
  answered(kind: string, ms: number): void;
  /** A 429 came. */
  refused(refusal: Omit<Refusal, 'jitter'>): void;
  /** Gives the slot back; calling it again does nothing. */
  release(): void;
}

export interface GovernorStats {
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly limit: number;
  readonly waiting: number;
}

export interface Governor {
  /** Resolves when a request may be sent. Rejects with the signal's reason, or when the governor closes. */
  acquire(options?: { readonly signal?: AbortSignal | undefined; readonly first?: boolean }): Promise<Slot>;
  /** Nobody sends for `ms`; `reason` is told to whoever watches. */
  pause(ms: number, reason: string): void;
  stats(): GovernorStats;
  close(reason: unknown): void;
}

export interface GovernorDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  /** 0 to 1. */
  readonly random: () => number;
}

interface Waiter {
  readonly grant: () => void;
  readonly reject: (reason: unknown) => void;
}

export function createGovernor(
  limits: Pick<GovernorLimits, 'ceiling'> & Partial<GovernorLimits>,
  { clock, emit, random }: GovernorDeps,
): Governor {
  let state = initialState({ ...GOVERNOR_DEFAULTS, ...limits });
  const latency = createLatencyTracker();
  const queue: Waiter[] = [];
  let timer: { readonly at: number; readonly stop: AbortController } | undefined;
  const never = Number.NEGATIVE_INFINITY;
  let told = { limit: 0, requests: 0, pausedUntil: never, perMinute: state.perMinute };
  let closed: { readonly reason: unknown } | undefined;

  function update(next: GovernorState): void {
    state = next;
    const now = clock.now();
    const { limit, inFlight: requests } = state;
    if (limit !== told.limit || requests !== told.requests) {
      told = { ...told, limit, requests };
      emit({ type: 'inFlight', requests, limit });
    }
    if (state.perMinute !== null && state.perMinute !== told.perMinute) {
      told = { ...told, perMinute: state.perMinute };
      emit({ type: 'spaced', perMinute: state.perMinute });
    }
    if (state.pausedUntil > now && state.pausedUntil !== told.pausedUntil) {
      told = { ...told, pausedUntil: state.pausedUntil };
      emit({ type: 'wait', reason: state.pauseReason, ms: Math.ceil(state.pausedUntil - now) });
    }
  }

  /** Grants slots while the rules allow it, then waits for the moment they name. */
  function pump(): void {
    while (queue.length > 0 && closed === undefined) {
      const now = clock.now();
      const decision = decide(state, now);
      if (!decision.go) {
        wakeAt(decision, now);
        return;
      }
      const waiter = queue.shift();
      update(onSent(state, now));
      waiter?.grant();
    }
  }

  function wakeAt({ at }: Extract<Decision, { go: false }>, now: number): void {
    if (at === null || (timer !== undefined && timer.at <= at && timer.at > now)) return;
    timer?.stop.abort();
    const stop = new AbortController();
    const mine = { at, stop };
    timer = mine;
    const wake = () => {
      if (timer !== mine) return;
      timer = undefined;
      pump();
    };
    // An aborted sleep was replaced by another: nothing to do.
    clock.sleep(Math.max(1, at - now), stop.signal).then(wake, () => undefined);
  }

  function slot(): Slot {
    let held = true;
    return {
      answered(kind, ms) {
        if (held) update(onAnswered(state, clock.now(), latency.compare(kind, ms)));
      },
      refused(refusal) {
        if (held) update(onRefused(state, clock.now(), { ...refusal, jitter: random() }));
      },
      release() {
        if (!held) return;
        held = false;
        update(onReleased(state));
        pump();
      },
    };
  }

  return {
    acquire({ signal, first = false } = {}) {
      return new Promise((resolve, reject) => {
        if (closed !== undefined) return reject(closed.reason);
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          const place = queue.indexOf(waiter);
          if (place >= 0) queue.splice(place, 1);
          reject(signal?.reason);
        };
        const waiter: Waiter = {
          grant: () => {
            signal?.removeEventListener('abort', onAbort);
            resolve(slot());
          },
          reject: (reason) => {
            signal?.removeEventListener('abort', onAbort);
            reject(reason);
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        if (first) queue.unshift(waiter);
        else queue.push(waiter);
        pump();
      });
    },
    pause(ms, reason) {
      update(paused(state, clock.now() + ms, reason));
    },
    stats: () => ({
      inFlight: state.inFlight,
      maxInFlight: state.maxInFlight,
      limit: state.limit,
      waiting: queue.length,
    }),
    close(reason) {
      closed = { reason };
      timer?.stop.abort();
      timer = undefined;
      for (const waiter of queue.splice(0)) waiter.reject(reason);
    },
  };
}
