/** What to do after a request did not succeed: data in, the next step out. Pure. */
import { duration } from '../core/duration.ts';
import { TablevaultError } from '../core/errors.ts';
import { pauseMs } from '../core/retry.ts';
import type { Verdict } from './refusal.ts';

export interface Patience {
  /** The first delay is random between 0 and this, ms; the range doubles each time ("full jitter"). */
  readonly firstPauseMs: number;
  readonly lastPauseMs: number;
  /** Faults (5xx, resets, time-outs) of one request are retried for this long, ms. */
  readonly faultBudgetMs: number;
  /** Tries while the origin has never answered: a wrong address should fail at once, a network that fails at night should not. */
  readonly firstContactTries: number;
  /** 429 answers to one request are waited out for this long, ms. */
  readonly busyBudgetMs: number;
  /** A missing licence seat is waited for this long, ms. Seats of idle sessions come free after 20 minutes. */
  readonly seatsBudgetMs: number;
  /** First wait for a seat, ms; grows by half each time, to four times this. */
  readonly seatsPauseMs: number;
}

/** What happened to one request so far. */
export interface RequestHistory {
  readonly faults: number;
  readonly firstFaultAt: number | null;
  readonly refusals: number;
  readonly firstRefusalAt: number | null;
  readonly seatWaits: number;
  readonly firstSeatWaitAt: number | null;
  readonly renewed: boolean;
}

export const NO_HISTORY: RequestHistory = {
  faults: 0,
  firstFaultAt: null,
  refusals: 0,
  firstRefusalAt: null,
  seatWaits: 0,
  firstSeatWaitAt: null,
  renewed: false,
};

export type Step =
  | { readonly do: 'fail'; readonly error: TablevaultError }
  | { readonly do: 'renew'; readonly history: RequestHistory; readonly error: TablevaultError }
  /** This request waits. */
  | { readonly do: 'delay'; readonly ms: number; readonly history: RequestHistory; readonly error: TablevaultError }
  /** All requests wait; `refusal` when the governor should also learn from it. */
  | {
      readonly do: 'pause';
      readonly ms: number | null;
      readonly reason: string;
      readonly refusal: { readonly retryAfterMs: number | null; readonly aboutRate: boolean } | null;
      readonly history: RequestHistory;
    };

export interface StepInput {
  readonly verdict: Verdict;
  readonly history: RequestHistory;
  readonly policy: Patience;
  readonly now: number;
  readonly deadlineAt: number;
  /** Has this origin ever answered? */
  readonly contacted: boolean;
  /** 0 to 1. */
  readonly random: number;
}

export function nextStep(input: StepInput): Step {
  const { verdict, history, policy, now } = input;
  switch (verdict.kind) {
    case 'final':
      return { do: 'fail', error: verdict.error };
    case 'renew':
      if (history.renewed) return { do: 'fail', error: verdict.error };
      return { do: 'renew', history: { ...history, renewed: true }, error: verdict.error };
    case 'slow': {
      const since = history.firstRefusalAt ?? now;
      const until = now + (verdict.afterMs ?? 0);
      if (until - since > policy.busyBudgetMs || until >= input.deadlineAt)
        return gaveUp(verdict.error, now - since, history.refusals + 1);
      const { afterMs: retryAfterMs, aboutRate } = verdict;
      return {
        do: 'pause',
        ms: null,
        reason: 'the instance refused a request (429)',
        refusal: { retryAfterMs, aboutRate },
        history: { ...history, refusals: history.refusals + 1, firstRefusalAt: since },
      };
    }
    case 'seats': {
      const since = history.firstSeatWaitAt ?? now;
      const ms = policy.seatsPauseMs * Math.min(4, 1.5 ** history.seatWaits) * (1 + input.random / 4);
      if (now + ms - since > policy.seatsBudgetMs || now + ms >= input.deadlineAt) {
        return gaveUp(verdict.error, now - since, history.seatWaits + 1);
      }
      return {
        do: 'pause',
        ms,
        reason: `no licence seat is free (MaximumLicenseCountExceeded); after ${duration(Math.min(policy.seatsBudgetMs, input.deadlineAt - since))} at most the command gives up; seats of idle sessions come free after 20 minutes, sooner if somebody signs out`,
        refusal: null,
        history: { ...history, seatWaits: history.seatWaits + 1, firstSeatWaitAt: since },
      };
    }
    case 'again':
      return again(verdict, input);
  }
}

function again(verdict: Extract<Verdict, { kind: 'again' }>, input: StepInput): Step {
  const { history, policy, now } = input;
  const tries = history.faults + 1;
  const since = history.firstFaultAt ?? now;
  const own = pauseMs(policy, tries, input.random);
  const asked = verdict.afterMs ?? 0;
  const ms = Math.max(own, asked);
  const most = Math.min(
    verdict.tries ?? Number.POSITIVE_INFINITY,
    input.contacted ? Number.POSITIVE_INFINITY : policy.firstContactTries,
  );
  if (tries >= most || now + ms - since > policy.faultBudgetMs || now + ms >= input.deadlineAt) {
    return gaveUp(verdict.error, now - since, tries);
  }
  const next = { ...history, faults: tries, firstFaultAt: since };
  if (asked > own) {
    return { do: 'pause', ms, reason: 'the instance asked to wait (Retry-After)', refusal: null, history: next };
  }
  return { do: 'delay', ms, history: next, error: verdict.error };
}

function gaveUp(error: TablevaultError, ms: number, tries: number): Step {
  if (tries < 2) return { do: 'fail', error };
  const lasted = ms < 1000 ? '' : ` in ${Math.round(ms / 1000)} s`;
  const told = new TablevaultError(error.code, `${error.message} (${tries} tries${lasted})`, {
    at: error.at,
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
  return { do: 'fail', error: told };
}
