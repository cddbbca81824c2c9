/** One GET: sent, and its head judged. No retry, no waiting. */
import { type Dispatcher, request as send } from 'undici';
import { TablevaultError } from '../core/errors.ts';
import { type Body, type BodyOptions, type Chunks, openBody, readHead, timerOf } from './body.ts';
import { networkError, placeOf, type RequestPlace } from './errors.ts';
import { ageOf, isPart, judge, looksLikeError, OLDEST_S, type Verdict } from './refusal.ts';

export interface Attempt {
  readonly place: RequestPlace;
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** From the head to the end of the body; Infinity for bodies of any length. */
  readonly bodyTimeoutMs: number;
  readonly maxRatio: number;
  readonly now: () => number;
  /** Replaces secrets in a text of the server. */
  readonly scrub: (text: string) => string;
  readonly onWireBytes: (bytes: number) => void;
}

export type Outcome =
  | {
      readonly kind: 'data';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Body;
      /** From the request to the first byte of the body (the head, where there is none), ms. */
      readonly firstByteMs: number;
      /** Runs `onEnd` when the body has ended; at once when it already has. */
      readonly whenEnded: (onEnd: () => void) => void;
    }
  | { readonly kind: 'trouble'; readonly status: number; readonly verdict: Verdict };

/** Bytes of an error's body that are read at most. */
const ERROR_BYTES = 64 * 1024;
/** How long the body of an error is waited for, ms: the status says most of it. */
const ERROR_MS = 30_000;
/** Enough of a body to tell data from an error object. */
const PEEK_BYTES = 64;

/** @throws what the network throws, as TablevaultError where it is known; the signal's reason */
export async function attempt(options: Attempt): Promise<Outcome> {
  const { place } = options;
  const began = options.now();
  let response: Dispatcher.ResponseData;
  try {
    response = await send(place.url, {
      method: 'GET',
      headers: options.headers,
      dispatcher: options.dispatcher,
      signal: options.signal,
      headersTimeout: options.firstByteTimeoutMs,
      bodyTimeout: options.idleTimeoutMs,
      highWaterMark: 256 * 1024,
    });
  } catch (thrown) {
    if (options.signal.aborted) throw options.signal.reason;
    throw networkError(thrown, place);
  }
  const { statusCode: status } = response;
  const headers = plainHeaders(response.headers);
  const ending = createEnding();
  const bodyOptions: BodyOptions = {
    place,
    encoding: headers['content-encoding'],
    maxRatio: options.maxRatio,
    withinMs: options.bodyTimeoutMs,
    signal: options.signal,
    onWireBytes: options.onWireBytes,
    onEnd: ending.end,
  };
  let body: Body;
  try {
    body = openBody(response.body, bodyOptions);
  } catch (thrown) {
    response.body.destroy();
    throw thrown;
  }
  const trouble = async (begun: Body): Promise<Outcome> => {
    const timer = timerOf(Math.min(ERROR_MS, options.idleTimeoutMs), () => body.cancel());
    const text = await readHead(begun, ERROR_BYTES);
    clearTimeout(timer);
    return {
      kind: 'trouble',
      status,
      verdict: judge({ status, headers, text: options.scrub(text) }, place, options.now()),
    };
  };
  if (status !== 200 || isPart(headers) || ageOf(headers) > OLDEST_S) return trouble(body);

  const peeking = timerOf(options.firstByteTimeoutMs, () =>
    body.fail(slowBeginning(place, options.firstByteTimeoutMs)),
  );
  const peeked = await peek(body);
  clearTimeout(peeking);
  const firstByteMs = options.now() - began;
  if (looksLikeError(Buffer.concat(peeked).toString('utf8', 0, PEEK_BYTES))) {
    return trouble(withChunks(body, peeked));
  }
  return { kind: 'data', status, headers, body: withChunks(body, peeked), firstByteMs, whenEnded: ending.whenEnded };
}

function slowBeginning(place: RequestPlace, ms: number): TablevaultError {
  return new TablevaultError(
    'INSTANCE_UNREACHABLE',
    `${new URL(place.url).origin} cannot be used: its answer does not get past its first bytes in ${Math.round(ms / 1000)} s`,
    {
      at: placeOf(place),
      retryable: true,
      hint: 'If it stays so, the instance or a proxy before it hangs: try later.',
    },
  );
}

/** The first chunks, until there is enough to look at. */
async function peek(body: Body): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < PEEK_BYTES) {
    const { done, value } = await body.chunks.next();
    if (done === true) break;
    chunks.push(value);
    bytes += value.length;
  }
  return chunks;
}

/** The body with chunks that were already taken from it before its rest. */
function withChunks(body: Body, taken: readonly Uint8Array[]): Body {
  let given = 0;
  const chunks: Chunks = {
    next() {
      const value = taken[given];
      if (value === undefined) return body.chunks.next();
      given += 1;
      return Promise.resolve({ done: false, value });
    },
    return() {
      given = taken.length;
      return body.chunks.return();
    },
    [Symbol.asyncIterator]: () => chunks,
  };
  return { ...body, chunks };
}

function createEnding() {
  let ended = false;
  let listener: (() => void) | undefined;
  return {
    end() {
      ended = true;
      listener?.();
    },
    whenEnded(onEnd: () => void) {
      if (ended) onEnd();
      else listener = onEnd;
    },
  };
}

function plainHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}
