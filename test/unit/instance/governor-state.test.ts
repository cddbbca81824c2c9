import { describe, expect, it } from 'vitest';
import {
  decide,
  GOVERNOR_DEFAULTS,
  type GovernorState,
  initialState,
  onAnswered,
  onRefused,
  onReleased,
  onSent,
  paused,
} from '../../../src/instance/governor-state.ts';
import { createLatencyTracker } from '../../../src/instance/latency.ts';

const AS_USUAL = { toUsual: 1, toBest: 1 };
const limits = (ceiling: number) => ({ ...GOVERNOR_DEFAULTS, ceiling });

function fill(state: GovernorState, now = 0): GovernorState {
  let next = state;
  while (decide(next, now).go) next = onSent(next, now);
  return next;
}

/** Answers and replaces `count` requests, keeping all places taken. */
function serve(state: GovernorState, count: number, now = 0, ratio = AS_USUAL): GovernorState {
  let next = fill(state, now);
  for (let i = 0; i < count; i += 1) next = fill(onReleased(onAnswered(next, now, ratio)), now);
  return next;
}

describe('governor rules', () => {
  it('begins with two in flight, or one where no more are allowed', () => {
    expect(fill(initialState(limits(4))).inFlight).toBe(2);
    expect(fill(initialState(limits(1))).inFlight).toBe(1);
  });

  it('finds the ceiling when nothing is refused, and never passes it', () => {
    expect(serve(initialState(limits(4)), 100).limit).toBe(4);
    expect(serve(initialState(limits(10)), 2000).maxInFlight).toBe(10);
  });

  it('does not increase a limit that is not used', () => {
    let state = initialState(limits(10));
    for (let i = 0; i < 100; i += 1) state = onReleased(onAnswered(onSent(state, 0), 0, AS_USUAL));
    expect(state.limit).toBe(2);
  });

  it('halves what was accepted after a 429, and pauses everybody', () => {
    const full = serve(initialState(limits(10)), 2000);
    const refused = onRefused(full, 1000, { retryAfterMs: null, aboutRate: false, jitter: 1 });
    expect(refused.limit).toBe(4);
    expect(decide(refused, 1100)).toMatchObject({ go: false, at: 1250 });
  });

  it('never waits less than its own pause, which doubles, whatever Retry-After says', () => {
    let state = fill(initialState(limits(4)));
    for (const pause of [250, 500, 1000]) {
      state = onRefused({ ...state, pausedUntil: 0 }, 0, { retryAfterMs: 0, aboutRate: pause === 1000, jitter: 1 });
      expect(state.pausedUntil).toBe(pause);
    }
  });

  it('waits as long as Retry-After says', () => {
    const state = onRefused(fill(initialState(limits(4))), 0, { retryAfterMs: 7000, aboutRate: false, jitter: 0 });
    expect(decide({ ...state, inFlight: 0 }, 6999)).toMatchObject({ go: false, at: 7000 });
    expect(decide({ ...state, inFlight: 0 }, 7000).go).toBe(true);
  });

  it('doubles its own pause with each refusal in a row, up to half a minute', () => {
    let state = fill(initialState(limits(1)));
    const pauses: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      state = onRefused(state, i * 1e6, { retryAfterMs: null, aboutRate: false, jitter: 1 });
      pauses.push(state.pausedUntil - i * 1e6);
    }
    expect(pauses.slice(0, 3)).toEqual([250, 500, 1000]);
    expect(pauses.at(-1)).toBe(30_000);
  });

  it('bets on a higher limit only while refusals stay rare', () => {
    const refused = onReleased(
      onRefused(fill(initialState(limits(4))), 0, { retryAfterMs: null, aboutRate: false, jitter: 0 }),
    );
    expect(refused.limit).toBe(1);
    expect(serve(refused, 400, 10_000).limit).toBe(1);
    expect(serve(refused, 800, 10_000).limit).toBeGreaterThan(1);
  });

  it('does not bet while answers are slower than they were', () => {
    const refused = onReleased(
      onRefused(fill(initialState(limits(4))), 0, { retryAfterMs: null, aboutRate: false, jitter: 0 }),
    );
    expect(serve(refused, 2000, 10_000, { toUsual: 1, toBest: 3 }).limit).toBe(1);
  });

  it('tries again after a rest even when requests are few', () => {
    const refused = onReleased(
      onRefused(fill(initialState(limits(4))), 0, { retryAfterMs: null, aboutRate: false, jitter: 0 }),
    );
    expect(serve(refused, 5, 59_000).limit).toBe(1);
    expect(serve(refused, 5, 61_000).limit).toBe(2);
  });

  it('halves the limit when answers become clearly slower', () => {
    const full = serve(initialState(limits(8)), 2000);
    expect(full.limit).toBe(8);
    expect(serve(full, 8, 0, { toUsual: 5, toBest: 5 }).limit).toBe(4);
  });

  it('never lets a pause shorten another', () => {
    const state = paused(paused(initialState(limits(2)), 5000, 'seats'), 100, 'other');
    expect(decide(state, 200)).toEqual({ go: false, at: 5000 });
    expect(state.pauseReason).toBe('seats');
  });

  it('keeps a budget a minute once the instance has told of one', () => {
    let state = initialState(limits(4));
    for (let i = 0; i < 100; i += 1) state = onReleased(onSent(state, i * 100));
    state = onSent(state, 10_000);
    state = onReleased(onRefused(state, 10_000, { retryAfterMs: null, aboutRate: true, jitter: 0 }));
    expect(state.perMinute).toBe(90);
    let now = 20_000;
    const sentAt: number[] = [];
    while (now < 400_000) {
      const decision = decide(state, now);
      if (decision.go) {
        sentAt.push(now);
        state = onReleased(onSent(state, now));
      } else now = Math.max(now + 1, decision.at ?? now);
    }
    const busiest = Math.max(
      ...sentAt.map((at) => sentAt.filter((other) => other >= at && other < at + 60_000).length),
    );
    expect(busiest).toBeLessThanOrEqual(91);
    expect(sentAt.length).toBeGreaterThan(400);
  });
});

/** A server of two slots and a queue of five; others may hold both slots and four places. Events in virtual time. */
function simulate(options: { ceiling: number; ms: number; othersEvery: number | null; latency: () => number }) {
  let state = initialState(limits(options.ceiling));
  const tracker = createLatencyTracker();
  const events: { at: number; run: () => void }[] = [];
  const at = (time: number, run: () => void) => {
    events.push({ at: time, run });
  };
  let now = 0;
  let running = 0;
  let held = false;
  const queue: (() => void)[] = [];
  const stats = { requests: 0, refused: 0, busy: 0, answered: 0 };
  const slots = () => (held ? 0 : 2);

  /** While others hold the slots, a queued request gets a turn of a slot now and then: five waiting share two slots. */
  const startNext = () => {
    while (running < slots() && queue.length > 0) queue.shift()?.();
  };
  const request = () => {
    stats.requests += 1;
    const began = now;
    const waiting = queue.length + (held ? 4 : 0);
    const refuse = (held || running >= 2) && waiting >= 5;
    if (refuse) {
      at(now + 1, () => {
        stats.refused += 1;
        state = onReleased(onRefused(state, now, { retryAfterMs: null, aboutRate: false, jitter: 0.5 }));
      });
      return;
    }
    const start = () => {
      running += 1;
      const took = options.latency();
      stats.busy += took;
      at(now + took, () => {
        running -= 1;
        stats.answered += 1;
        state = onAnswered(state, now, tracker.compare('page', now - began + 1));
        // One millisecond until the answer is drained and the next request has arrived.
        at(now + 1, () => {
          state = onReleased(state);
        });
        startNext();
      });
    };
    if (!held && running < 2) start();
    else {
      queue.push(start);
      // Behind four others on two busy slots: three turns.
      if (held) {
        at(now + 3 * options.latency(), () => {
          const place = queue.indexOf(start);
          if (place >= 0) {
            queue.splice(place, 1);
            start();
          }
        });
      }
    }
  };
  if (options.othersEvery !== null) {
    for (let time = options.othersEvery; time < options.ms; time += options.othersEvery) {
      at(time, () => {
        held = !held;
        if (!held) startNext();
      });
    }
  }
  while (now < options.ms) {
    let decision = decide(state, now);
    while (decision.go) {
      state = onSent(state, now);
      request();
      decision = decide(state, now);
    }
    if (decision.at !== null) at(decision.at, () => undefined);
    events.sort((a, b) => a.at - b.at);
    const next = events.shift();
    if (next === undefined) break;
    now = Math.max(now, next.at);
    next.run();
  }
  return {
    ...stats,
    share: stats.refused / stats.requests,
    slotsBusy: stats.busy / (2 * options.ms),
    limit: state.limit,
  };
}

describe('governor against a simulated instance of two slots and a queue of five', () => {
  const jittered = () => {
    let seed = 7;
    return () => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return 30 + (seed / 2147483648) * 20;
    };
  };

  it('keeps both slots busy when it is alone', () => {
    const result = simulate({ ceiling: 4, ms: 60_000, othersEvery: null, latency: () => 40 });
    expect(result.refused).toBe(0);
    expect(result.slotsBusy).toBeGreaterThan(0.98);
  });

  it.each([250, 1000, 5000, 20_000])(
    'is refused at most once in 200 requests when others fill it half of the time (every %i ms)',
    (othersEvery) => {
      const result = simulate({ ceiling: 4, ms: 300_000, othersEvery, latency: jittered() });
      expect(result.requests).toBeGreaterThan(1000);
      expect(result.share).toBeLessThanOrEqual(0.005);
    },
  );

  it('keeps both slots busy although ten in flight are more than the instance takes', () => {
    const result = simulate({ ceiling: 10, ms: 120_000, othersEvery: null, latency: jittered() });
    expect(result.share).toBeLessThanOrEqual(0.005);
    expect(result.slotsBusy).toBeGreaterThan(0.97);
  });
});
