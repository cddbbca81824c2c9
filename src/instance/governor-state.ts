/**
 * When may the next request go? The rules, as pure functions over plain data; `governor.ts` is the shell with timers.
 *
 * In flight: additive increase, multiplicative decrease. An instance serves two requests at once and queues five more, for all of its
 * clients together, so two things must hold at the same time: three or four in flight when we are alone (the queue hides our latency), and
 * next to no 429 when others fill it. After a refusal every increase is therefore a **bet** that may cost another refusal, and is made only
 * while the share of refusals stays below `refusalShare`, and while answers are about as quick as they used to be; or, so that slow
 * requests do not wait for ever for a share, after a rest that doubles with every recent refusal.
 *
 * Pauses are shared by all requests. A budget of requests per minute applies only once the instance has shown that it has one: the
 * Table API documents none.
 */
import { pauseMs } from '../core/retry.ts';

export interface GovernorLimits {
  /** Requests in flight at most, `limits.concurrency` of the pipeline. */
  readonly ceiling: number;
  /** Share of refused requests below which another bet is made. Default 0.003. */
  readonly refusalShare: number;
  /** First rest after a refusal before an increase that the share alone would not allow, ms. Default 30 s. */
  readonly restMs: number;
  /** Longest such rest, ms. Default 10 minutes. */
  readonly maxRestMs: number;
  /** First pause of all requests after a 429, ms; doubles with each one in a row. `Retry-After` may only lengthen it. Default 250. */
  readonly pauseMs: number;
  /** Longest such pause, ms. Default 30 s. */
  readonly maxPauseMs: number;
  /** Requests a minute to begin with, or null until a refusal tells of a budget. */
  readonly requestsPerMinute: number | null;
  /** What to assume at most when a refusal tells of a budget. Default 600, the vendor's `SessionRpm`. */
  readonly assumedPerMinute: number;
}

export const GOVERNOR_DEFAULTS: Omit<GovernorLimits, 'ceiling'> = {
  refusalShare: 0.003,
  restMs: 30_000,
  maxRestMs: 600_000,
  pauseMs: 250,
  maxPauseMs: 30_000,
  requestsPerMinute: null,
  assumedPerMinute: 600,
};

/** First-byte latencies are compared with what the same kind of request usually takes: 1 is as usual. */
export interface LatencyRatio {
  /** Over the slow average: tells of a rise. */
  readonly toUsual: number;
  /** Over the least of late: tells whether the server is idle. */
  readonly toBest: number;
}

export interface GovernorState {
  readonly limits: GovernorLimits;
  /** Requests in flight at most, for now: 1 … ceiling. */
  readonly limit: number;
  readonly inFlight: number;
  readonly maxInFlight: number;
  /** Answers since the limit last changed. */
  readonly sinceChange: number;
  /** Answers and refusals of late (both halved now and then). */
  readonly answered: number;
  readonly refused: number;
  readonly refusedInARow: number;
  readonly lastRefusedAt: number;
  /** The latest latencies, eight at most. */
  readonly ratios: readonly LatencyRatio[];
  readonly pausedUntil: number;
  readonly pauseReason: string;
  readonly perMinute: number | null;
  /** Requests sent per second of the last minute: [second, count]. */
  readonly sent: readonly (readonly [number, number])[];
  readonly lastSentAt: number;
}

const RATIOS = 8;
/** Late history is halved past this many answers. */
const HISTORY = 4000;
/** Median rise that counts as clear. */
const CLEAR_RISE = 4;
/** Median over the best that still counts as an idle server. */
const QUIET = 2;

export function initialState(limits: GovernorLimits): GovernorState {
  return {
    limits,
    limit: Math.min(2, limits.ceiling),
    inFlight: 0,
    maxInFlight: 0,
    sinceChange: 0,
    answered: 0,
    refused: 0,
    refusedInARow: 0,
    lastRefusedAt: Number.NEGATIVE_INFINITY,
    ratios: [],
    pausedUntil: Number.NEGATIVE_INFINITY,
    pauseReason: '',
    perMinute: limits.requestsPerMinute,
    sent: [],
    lastSentAt: Number.NEGATIVE_INFINITY,
  };
}

export type Decision =
  | { readonly go: true }
  /** `at`: when to ask again; null: when a request in flight has ended. */
  | { readonly go: false; readonly at: number | null };

/** May a request be sent now? */
export function decide(state: GovernorState, now: number): Decision {
  if (now < state.pausedUntil) return { go: false, at: state.pausedUntil };
  if (state.inFlight >= state.limit) return { go: false, at: null };
  const at = nextByBudget(state, now);
  if (at > now) return { go: false, at };
  return { go: true };
}

export function onSent(state: GovernorState, now: number): GovernorState {
  const second = Math.floor(now / 1000);
  const kept = state.sent.filter(([at]) => at > second - 60);
  const last = kept.at(-1);
  const sent: GovernorState['sent'] =
    last?.[0] === second ? [...kept.slice(0, -1), [second, last[1] + 1]] : [...kept, [second, 1]];
  const inFlight = state.inFlight + 1;
  return { ...state, sent, lastSentAt: now, inFlight, maxInFlight: Math.max(state.maxInFlight, inFlight) };
}

/** The slot is free again, however the request ended. */
export function onReleased(state: GovernorState): GovernorState {
  return { ...state, inFlight: Math.max(0, state.inFlight - 1) };
}

/** The first byte of an answer that is no refusal. */
export function onAnswered(state: GovernorState, now: number, ratio: LatencyRatio): GovernorState {
  const fade = state.answered >= HISTORY ? 0.5 : 1;
  const next = {
    ...state,
    answered: (state.answered + 1) * fade,
    refused: state.refused * fade,
    refusedInARow: 0,
    sinceChange: state.sinceChange + 1,
    ratios: [...state.ratios.slice(1 - RATIOS), ratio],
  };
  if (next.limit > 2 && median(next, 'toUsual') > CLEAR_RISE) {
    return changed(next, Math.max(2, Math.floor(next.limit / 2)));
  }
  return mayIncrease(next, now) ? changed(next, next.limit + 1) : next;
}

/** What a 429 asks for. */
export interface Refusal {
  /** From `Retry-After`, ms; null without. */
  readonly retryAfterMs: number | null;
  /** Does it speak of requests per minute rather than of requests at once? */
  readonly aboutRate: boolean;
  /** Random, 0 to 1. */
  readonly jitter: number;
}

/** A 429. Called while the refused request still counts as in flight. */
export function onRefused(state: GovernorState, now: number, refusal: Refusal): GovernorState {
  const { limits } = state;
  const inARow = state.refusedInARow + 1;
  const pause = { firstPauseMs: limits.pauseMs, lastPauseMs: limits.maxPauseMs };
  const until = now + Math.max(pauseMs(pause, inARow, 0.5 + refusal.jitter / 2), refusal.retryAfterMs ?? 0);
  const counted = {
    ...state,
    answered: state.answered + 1,
    refused: state.refused + 1,
    refusedInARow: inARow,
    lastRefusedAt: now,
  };
  if (refusal.aboutRate) {
    const seen = Math.floor(sentInLastMinute(state, now) * 0.9);
    const budget = Math.max(6, Math.min(state.perMinute ?? limits.assumedPerMinute, limits.assumedPerMinute, seen));
    // A budget that was already kept and still refused shrinks.
    const perMinute =
      state.perMinute !== null && budget >= state.perMinute ? Math.max(6, Math.floor(budget * 0.8)) : budget;
    return paused({ ...counted, perMinute }, until, 'the instance refused a request (429: too many per minute)');
  }
  // What was in flight beside the refused one was taken: half of that.
  const accepted = Math.max(0, state.inFlight - 1);
  const limit = Math.max(1, Math.min(state.limit, Math.floor(accepted / 2)));
  const reason = 'the instance refused a request (429: too many at once)';
  return paused(changed(counted, limit), until, reason);
}

/** Nobody sends before `until`. A pause is never shortened. */
export function paused(state: GovernorState, until: number, reason: string): GovernorState {
  return until <= state.pausedUntil ? state : { ...state, pausedUntil: until, pauseReason: reason };
}

function sentInLastMinute(state: GovernorState, now: number): number {
  const oldest = Math.floor(now / 1000) - 60;
  return state.sent.reduce((sum, [second, count]) => (second > oldest ? sum + count : sum), 0);
}

function mayIncrease(state: GovernorState, now: number): boolean {
  const { limits, limit } = state;
  if (limit >= limits.ceiling || state.inFlight < limit || state.sinceChange < 2 * limit) return false;
  if (state.refused < 0.5) return true;
  const rest = pauseMs({ firstPauseMs: limits.restMs, lastPauseMs: limits.maxRestMs }, Math.round(state.refused) + 1);
  if (now - state.lastRefusedAt >= rest) return true;
  const affordable = state.refused + 1 <= limits.refusalShare * state.answered;
  return affordable && state.ratios.length >= RATIOS && median(state, 'toBest') <= QUIET;
}

function changed(state: GovernorState, limit: number): GovernorState {
  return { ...state, limit, sinceChange: 0, ratios: [] };
}

function median(state: GovernorState, which: keyof LatencyRatio): number {
  if (state.ratios.length < RATIOS) return 1;
  const sorted = state.ratios.map((ratio) => ratio[which]).sort((a, b) => a - b);
  return sorted[RATIOS / 2] ?? 1;
}

/** Evenly spaced: a burst at the head of each minute would only move the waiting to its end. */
function nextByBudget(state: GovernorState, now: number): number {
  if (state.perMinute === null) return now;
  const spaced = state.lastSentAt + 60_000 / state.perMinute;
  if (sentInLastMinute(state, now) < state.perMinute) return Math.max(now, spaced);
  const oldest = state.sent.find(([second]) => second > Math.floor(now / 1000) - 60)?.[0] ?? 0;
  return Math.max(spaced, (oldest + 60) * 1000);
}
