/**
 * The way to the instance: GET and nothing else, within the governor's limits, to allowed origins only.
 *
 * `get` resolves when the head of a good answer is there; up to then it retries by itself. What breaks inside a body is thrown from its
 * iterator as a retryable error, and whoever reads it must redo the whole task: a part that was already handed on cannot be taken back.
 */
import { setMaxListeners } from 'node:events';
import { deadlinePassed } from '../core/deadline.ts';
import { isRetryable, TablevaultError } from '../core/errors.ts';
import { withRetries } from '../core/retry.ts';
import { attempt, type Outcome } from './attempt.ts';
import { readAll } from './body.ts';
import { createDispatcher } from './dispatcher.ts';
import { askedFor, placeOf, type RequestPlace } from './errors.ts';
import { createGovernor, type Slot } from './governor.ts';
import type { Verdict } from './refusal.ts';
import { NO_HISTORY, nextStep, type RequestHistory, type Step } from './retry.ts';
import { TRANSPORT_DEFAULTS, type TransportDeps, type TransportOptions } from './transport-options.ts';
import { userAgent } from './user-agent.ts';

export interface TransportRequest {
  /** What it is for, in a few words: shown in errors, and groups requests that should take about the same time. */
  readonly purpose: string;
  readonly table?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly accept?: string | undefined;
  /** `Accept-Language` in place of the one that all requests carry. */
  readonly acceptLanguage?: string | undefined;
  /** Send the credential. Default true. */
  readonly credentials?: boolean | undefined;
  /** Less patience than the transport has: for documents, which are small, and for addresses that need not answer. */
  readonly patience?: RequestPatience | undefined;
}

/** Times in ms; where the transport's own is shorter, that counts. */
export interface RequestPatience {
  readonly firstByteTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** From the head of the answer to its end. A body that is not complete by then is not asked for again. */
  readonly bodyTimeoutMs?: number;
  /** Faults are retried for this long. */
  readonly faultBudgetMs?: number;
}

/** For `$metadata` and the service document: minutes for a server to compose them, and minutes to send them. */
export const DOCUMENT_PATIENCE: RequestPatience = { firstByteTimeoutMs: 120_000, bodyTimeoutMs: 120_000 };

export interface Reply {
  readonly url: string;
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed. Must be drained, left by `break`, or cancelled: the request's slot is held until then. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Gives the rest up. */
  cancel(): void;
}

export interface ReplyBytes {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

export interface TransportStats {
  /** Requests sent, tries included. */
  readonly requests: number;
  readonly byStatus: Readonly<Record<string, number>>;
  /** Requests that ended without an answer. */
  readonly failures: number;
  readonly wireBytes: number;
  /** Tries beyond the first. */
  readonly retries: number;
  readonly maxInFlight: number;
}

export interface Transport {
  /** @throws TablevaultError once retrying cannot help or has lasted too long; the signal's reason */
  get(url: string, request: TransportRequest): Promise<Reply>;
  /** The whole body; a body that breaks off is asked for again. At most `maxBytes`, 64 MiB by default. */
  getBytes(url: string, request: TransportRequest & { readonly maxBytes?: number }): Promise<ReplyBytes>;
  stats(): TransportStats;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** One try of a request. */
interface Ask {
  /** Of the request: all its tries share it. */
  readonly number: number;
  readonly place: RequestPlace;
  readonly origin: string;
  readonly request: TransportRequest;
  /** Ends with the request, the transport, or the process. */
  readonly lifetime: LinkedSignal;
  readonly history: RequestHistory;
  /** Tries before this one. */
  readonly tried: number;
}

/** A try without data: what to do next, and the credential that it carried. */
interface Failed {
  readonly step: Step;
  readonly sent: Readonly<Record<string, string>>;
}

/** What is read here is OData 4.0, which a server of a later version must then speak. `OData-Version` is for requests with a body. */
const TABLE_API_HEADERS = { 'odata-maxversion': '4.0', 'cache-control': 'no-cache' };
const MAX_BYTES = 64 * 1024 * 1024;
const BODY_TRIES = 4;
/** For a body that is read whole into memory, where the request names no other time: it is not large. */
const BYTES_TIMEOUT_MS = 600_000;

export function createTransport(options: TransportOptions, deps: TransportDeps): Transport {
  const tuning = { ...TRANSPORT_DEFAULTS, ...options.tuning };
  const { credential, origins } = options;
  const { clock, emit, random } = deps;
  const ceiling = options.limits.concurrency;
  const governor = createGovernor({ ...tuning.governor, ceiling }, deps);
  const dispatcher = createDispatcher({
    connections: ceiling + 1,
    connectTimeoutMs: tuning.connectTimeoutMs,
    env: tuning.env,
  });
  const closing = new AbortController();
  // Every request waiting or under way listens: more than ten is no leak.
  setMaxListeners(0, deps.signal, closing.signal);
  const deadlineAt = clock.now() + options.limits.deadlineMs;
  const contacted = new Set<string>();
  const byStatus: Record<string, number> = {};
  const counts = { requests: 0, failures: 0, wireBytes: 0, retries: 0 };
  let numbered = 0;
  const fixedHeaders = {
    'accept-encoding': 'gzip, br',
    'accept-language': tuning.acceptLanguage,
    'user-agent': userAgent(),
  };

  async function get(url: string, request: TransportRequest): Promise<Reply> {
    const place: RequestPlace = { url, purpose: request.purpose, table: request.table };
    const origin = checkOrigin(place, origins);
    const lifetime = linkSignals([deps.signal, closing.signal, request.signal]);
    const number = ++numbered;
    try {
      let history = NO_HISTORY;
      for (let tried = 0; ; tried += 1) {
        const result = await tryOnce({ number, place, origin, request, lifetime, history, tried });
        if ('reply' in result) return result.reply;
        emit({ type: 'request', request: number, phase: 'failed' });
        history = await follow(result, { number, request, signal: lifetime.signal });
      }
    } catch (thrown) {
      lifetime.unlink();
      throw thrown;
    } finally {
      emit({ type: 'request', request: number, phase: 'over' });
    }
  }

  /** One try, which holds a slot: until the reply's body has ended, or until it is known what to do next. */
  async function tryOnce(ask: Ask): Promise<{ readonly reply: Reply } | Failed> {
    const { place, origin, request, lifetime, tried } = ask;
    if (clock.now() >= deadlineAt) throw deadlinePassed(placeOf(place));
    const slot = await governor.acquire({ signal: lifetime.signal, first: tried > 0 });
    let sent: Readonly<Record<string, string>> = {};
    try {
      sent = await credentialHeaders(request, place);
      lifetime.signal.throwIfAborted();
      if (tried > 0) counts.retries += 1;
      const outcome = await once(ask, sent);
      contacted.add(origin);
      if (outcome.kind === 'data') {
        slot.answered(`${request.purpose} ${request.table ?? ''}`, outcome.firstByteMs);
        const reply = replyOf(place.url, outcome, () => {
          lifetime.unlink();
          slot.release();
        });
        return { reply };
      }
      const step = stepAfter(outcome.verdict, ask);
      pauseAll(step, slot);
      slot.release();
      return { step, sent };
    } catch (thrown) {
      slot.release();
      if (!isRetryable(thrown)) throw thrown;
      return { step: stepAfter({ kind: 'again', afterMs: null, tries: null, error: thrown }, ask), sent };
    }
  }

  /** One request on the wire, counted. */
  async function once(
    { number, place, request, lifetime }: Ask,
    sent: Readonly<Record<string, string>>,
  ): Promise<Outcome> {
    const { patience = {} } = request;
    const firstByteTimeoutMs = Math.min(
      tuning.firstByteTimeoutMs,
      patience.firstByteTimeoutMs ?? Number.POSITIVE_INFINITY,
    );
    counts.requests += 1;
    emit({ type: 'request', request: number, phase: 'sent', what: askedFor(place), firstByteTimeoutMs });
    try {
      const outcome = await attempt({
        place,
        headers: {
          ...fixedHeaders,
          accept: request.accept ?? tuning.accept,
          ...(request.credentials === false ? {} : TABLE_API_HEADERS),
          ...(request.acceptLanguage === undefined ? {} : { 'accept-language': request.acceptLanguage }),
          ...sent,
        },
        dispatcher,
        signal: lifetime.signal,
        firstByteTimeoutMs,
        idleTimeoutMs: Math.min(tuning.idleTimeoutMs, patience.idleTimeoutMs ?? Number.POSITIVE_INFINITY),
        bodyTimeoutMs: patience.bodyTimeoutMs ?? Number.POSITIVE_INFINITY,
        maxRatio: tuning.maxRatio,
        now: clock.now,
        scrub: (text) => credential?.scrub(text) ?? text,
        onWireBytes: (bytes) => {
          counts.wireBytes += bytes;
        },
      });
      byStatus[outcome.status] = (byStatus[outcome.status] ?? 0) + 1;
      return outcome;
    } catch (thrown) {
      counts.failures += 1;
      throw thrown;
    }
  }

  async function credentialHeaders(
    request: TransportRequest,
    place: RequestPlace,
  ): Promise<Readonly<Record<string, string>>> {
    if (request.credentials === false) return {};
    if (credential === undefined) {
      throw new TablevaultError('BUG', 'a request wants a credential before there is one', { at: placeOf(place) });
    }
    return credential.headers();
  }

  function faultBudgetOf({ patience }: TransportRequest): number {
    return Math.min(tuning.retry.faultBudgetMs, patience?.faultBudgetMs ?? Number.POSITIVE_INFINITY);
  }

  function stepAfter(verdict: Verdict, { history, origin, request }: Ask): Step {
    return nextStep({
      verdict,
      history,
      policy: { ...tuning.retry, faultBudgetMs: faultBudgetOf(request) },
      now: clock.now(),
      deadlineAt,
      contacted: contacted.has(origin),
      random: random(),
    });
  }

  /** Before the slot is free again, so that nobody slips through. */
  function pauseAll(step: Step, slot: Slot): void {
    if (step.do !== 'pause') return;
    if (step.refusal !== null) slot.refused(step.refusal);
    if (step.ms !== null) governor.pause(step.ms, step.reason);
  }

  /** Does what the step says; returns when the request may be tried again. */
  async function follow(
    { step, sent }: Failed,
    {
      number,
      request,
      signal,
    }: { readonly number: number; readonly request: TransportRequest; readonly signal: AbortSignal },
  ): Promise<RequestHistory> {
    switch (step.do) {
      case 'fail':
        throw step.error;
      case 'renew':
        if (credential === undefined || Object.keys(sent).length === 0) throw step.error;
        if (!(await credential.renewAfter401(sent))) throw step.error;
        return step.history;
      case 'delay':
        emit({
          type: 'log',
          level: 'info',
          message: `again in ${Math.round(step.ms)} ms: ${step.error.message}`,
          at: step.error.at,
        });
        // A refusal is asked for a few times within seconds; what the network does may go on for minutes.
        if (step.error.code !== 'REQUEST_REFUSED')
          emit({
            type: 'retry',
            request: number,
            reason: step.error.message,
            tries: step.history.faults,
            givenUpAfterMs: faultBudgetOf(request),
          });
        await clock.sleep(step.ms, signal);
        return step.history;
      case 'pause':
        return step.history;
    }
  }

  return {
    get,
    async getBytes(url, { maxBytes = MAX_BYTES, ...request }) {
      const place: RequestPlace = { url, purpose: request.purpose, table: request.table };
      return withRetries(
        { ...tuning.retry, attempts: BODY_TRIES },
        { clock, random, signal: deps.signal },
        async () => {
          const patience = { bodyTimeoutMs: BYTES_TIMEOUT_MS, ...request.patience };
          const { status, headers, body, cancel } = await get(url, { ...request, patience });
          try {
            return { url, status, headers, bytes: await readAll(body, maxBytes, place) };
          } finally {
            cancel();
          }
        },
      );
    },
    stats: () => ({ ...counts, byStatus: { ...byStatus }, maxInFlight: governor.stats().maxInFlight }),
    async close() {
      const reason = new TablevaultError('INTERRUPTED', 'the connection to the instance was closed');
      closing.abort(reason);
      governor.close(reason);
      await dispatcher.destroy();
    },
  };
}

function replyOf(url: string, outcome: Extract<Outcome, { kind: 'data' }>, onEnd: () => void): Reply {
  outcome.whenEnded(onEnd);
  const { status, headers, body } = outcome;
  return { url, status, headers, body: body.chunks, cancel: body.cancel };
}

/** The origin of the request, if it may be asked. */
function checkOrigin(place: RequestPlace, origins: ReadonlySet<string>): string {
  const { origin, pathname } = new URL(place.url);
  if (origins.has(origin)) return origin;
  throw new TablevaultError(
    'FOREIGN_ORIGIN',
    `${askedFor(place)} would go to another origin, ${origin}; nothing was sent there`,
    {
      at: placeOf(place),
      hint: `If ${origin} serves this instance, name it in the pipeline: endpoints: { tableApi: ${origin}${pathname.replace(/odata\/.*$/, 'odata/')} }.`,
    },
  );
}

interface LinkedSignal {
  readonly signal: AbortSignal;
  unlink(): void;
}

/** One signal that aborts with the first of several. By hand: `AbortSignal.any` keeps every request on the list of a signal that lives as long as the process. */
function linkSignals(signals: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  for (const signal of signals) {
    if (signal === undefined) continue;
    const onAbort = () => controller.abort(signal.reason);
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      undo.push(() => signal.removeEventListener('abort', onAbort));
    }
  }
  return { signal: controller.signal, unlink: () => undo.forEach((remove) => void remove()) };
}
