/** What keeps a command waiting, as a person is told while it goes on: run events folded. Pure; times are passed in. */
import { duration } from '../core/duration.ts';
import type { RequestEvent, RunEvent } from '../core/events.ts';
import { count, plural } from '../core/words.ts';

type Retry = Extract<RunEvent, { type: 'retry' }>;
type Sent = Extract<RequestEvent, { phase: 'sent' }>;

/** A request sent again is worth a word from this failure on: one or two happen on every network. */
export const NOTABLE_TRIES = 3;

/** A first byte that takes longer is worth a word, ms. */
const SILENCE_MS = 5_000;

/** A request of which no data has come yet. */
interface OpenRequest {
  /** Its last try, while that has no answer. */
  readonly sent: (Sent & { readonly at: number }) | null;
  /** Its last failure. */
  readonly retry: Retry | null;
}

export interface Waits {
  /** Why the process pauses, and until when. */
  readonly pause: { readonly reason: string; readonly until: number } | null;
  readonly perMinute: number | null;
  readonly requests: ReadonlyMap<number, OpenRequest>;
}

export const NO_WAITS: Waits = { pause: null, perMinute: null, requests: new Map() };

export function waitsAfter(waits: Waits, event: RunEvent, now: number): Waits {
  switch (event.type) {
    case 'wait':
      return { ...waits, pause: { reason: event.reason, until: now + event.ms } };
    case 'spaced':
      return { ...waits, perMinute: event.perMinute };
    case 'retry':
      return withRequest(waits, event.request, { sent: null, retry: event });
    case 'request': {
      const { retry = null } = waits.requests.get(event.request) ?? {};
      if (event.phase === 'over') return withRequest(waits, event.request, null);
      const sent = event.phase === 'sent' ? { ...event, at: now } : null;
      return withRequest(waits, event.request, { sent, retry });
    }
    default:
      return waits;
  }
}

export interface WaitLine {
  /** The same for as long as the same is waited for. */
  readonly reason: string;
  readonly text: string;
}

/** One line for each kind of wait that goes on. */
export function waitLines({ pause, perMinute, requests }: Waits, now: number): readonly WaitLine[] {
  const lines: WaitLine[] = [];
  if (pause !== null && pause.until > now) {
    lines.push({ reason: pause.reason, text: `next try in ${duration(pause.until - now)}: ${pause.reason}` });
  }
  if (perMinute !== null) lines.push({ reason: 'spaced', text: spacedText(perMinute) });
  const open = [...requests.values()];
  const [retry] = open.flatMap((each) => each.retry ?? []).toSorted((a, b) => b.tries - a.tries);
  if (retry !== undefined && retry.tries >= NOTABLE_TRIES) lines.push({ reason: retry.reason, text: retryText(retry) });
  const silent = open.flatMap(({ sent }) => (sent !== null && now - sent.at > SILENCE_MS ? [sent] : []));
  const [oldest] = silent.toSorted((a, b) => a.at - b.at);
  if (oldest !== undefined) {
    lines.push({ reason: `first byte: ${oldest.what}`, text: silenceText(oldest, silent.length - 1, now) });
  }
  return lines;
}

export function retryText({ reason, tries, givenUpAfterMs }: Retry): string {
  return `trying again: ${reason} (${count(tries)} tries so far; a request is given up after ${duration(givenUpAfterMs)})`;
}

export function spacedText(perMinute: number): string {
  return `requests are spaced out: the instance accepts ${count(perMinute)} per minute`;
}

function silenceText({ what, at, firstByteTimeoutMs }: Sent & { readonly at: number }, others: number, now: number) {
  const more = others === 0 ? '' : ` and ${plural(others, 'other request')}`;
  return `waiting ${duration(now - at)} for the first byte of ${what}${more} (${duration(firstByteTimeoutMs)} at most)`;
}

function withRequest(waits: Waits, number: number, request: OpenRequest | null): Waits {
  const requests = new Map(waits.requests);
  if (request === null) requests.delete(number);
  else requests.set(number, request);
  return { ...waits, requests };
}
