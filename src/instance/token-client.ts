/**
 * Client credentials by openid-client, over a `fetch` of our own that can do two things only: GET the authority's discovery document, and
 * POST to the token endpoint that it names, both on the authority's origin.
 */
import {
  allowInsecureRequests,
  ClientError,
  ClientSecretPost,
  type Configuration,
  type CustomFetch,
  clientCredentialsGrant,
  customFetch,
  discovery,
  ResponseBodyError,
} from 'openid-client';
import { type Dispatcher, request as send } from 'undici';
import type { Clock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import type { Auth } from '../core/pipeline.ts';
import { pauseMs } from '../core/retry.ts';
import { createSecretMask } from '../core/secret-mask.ts';
import { openBody, readAll } from './body.ts';
import { networkError } from './errors.ts';
import { retryAfter } from './refusal.ts';
import { plainDocument, plainTokenAnswer } from './token-answer.ts';
import { checkGrant, type TokenGrant } from './token-checks.ts';
import { tokenError } from './token-errors.ts';

export interface TokenClientOptions {
  /** E.g. `https://demodb.my.erp.net/id`, already judged fit to be sent the credential. */
  readonly authority: string;
  readonly auth: Extract<Auth, { kind: 'service' }>;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly userAgent: string;
  readonly timeoutMs: number;
  /** Tries of one token request at most. */
  readonly tries: number;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_DELAY_MS = 30_000;

/** Asks for one token each time it is called. Faults of the network and 5xx are tried again a few times. */
export function createTokenClient(options: TokenClientOptions): () => Promise<TokenGrant> {
  const { clock, signal, random } = options;
  let configuration: Configuration | undefined;

  async function ask(): Promise<TokenGrant> {
    configuration ??= await discover(options);
    const askedAt = clock.now();
    const answer = await clientCredentialsGrant(configuration, { scope: 'read' });
    const { access_token: accessToken, scope, expires_in: expiresIn } = answer;
    return checkGrant({ accessToken, scope, expiresIn }, options.authority, askedAt);
  }

  return async () => {
    for (let tried = 1; ; tried += 1) {
      signal.throwIfAborted();
      try {
        return await ask();
      } catch (thrown) {
        if (signal.aborted) throw signal.reason;
        const error = explain(thrown, options);
        if (!error.retryable || tried >= options.tries) throw error;
        const wanted = typeof error.at['retryAfterMs'] === 'number' ? error.at['retryAfterMs'] : 0;
        const own = pauseMs({ firstPauseMs: 1_000, lastPauseMs: MAX_DELAY_MS }, tried, random());
        await clock.sleep(Math.max(Math.min(wanted, MAX_DELAY_MS * 2), own), signal);
      }
    }
  };
}

async function discover(options: TokenClientOptions): Promise<Configuration> {
  const { auth, authority } = options;
  const server = new URL(authority);
  const fetchOfOurs = limitedFetch(options);
  const secret = auth.clientSecret.reveal();
  const configuration = await discovery(server, auth.clientId, undefined, ClientSecretPost(secret), {
    [customFetch]: fetchOfOurs,
    timeout: Math.ceil(options.timeoutMs / 1000),
    // Plain http gets past the check of addresses for loopback alone.
    execute: server.protocol === 'http:' ? [allowInsecureRequests] : [],
  });
  const endpoint = configuration.serverMetadata().token_endpoint;
  if (endpoint === undefined) {
    throw new TablevaultError('AUTH_AUTHORITY', `the authority ${authority} names no token endpoint`, {
      hint: 'Check that endpoints.identity is the authority of the instance: <instance>/id.',
    });
  }
  if (new URL(endpoint).origin !== server.origin) {
    throw new TablevaultError(
      'FOREIGN_ORIGIN',
      `the authority names a token endpoint on another origin, ${new URL(endpoint).origin}; nothing was sent there`,
      {
        at: { authority },
        hint: `If that is right, name the authority that lives there in the pipeline: endpoints: { identity: ${new URL(endpoint).origin}/… }.`,
      },
    );
  }
  return configuration;
}

/** The only way out of openid-client: what it may ask for is compared with what it needs. */
function limitedFetch(options: TokenClientOptions): CustomFetch {
  const { authority, dispatcher, clock, signal } = options;
  const { origin, href: server } = new URL(authority);
  const document = `${authority.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  return async (url, { method, headers, body, signal: timeout }) => {
    const target = new URL(url);
    const isDocument = method === 'GET' && target.href === document;
    const isToken =
      method === 'POST' && body instanceof URLSearchParams && body.get('grant_type') === 'client_credentials';
    if (target.origin !== origin || !(isDocument || isToken)) {
      throw new TablevaultError(
        'FOREIGN_ORIGIN',
        `a request to ${target.origin} was stopped: it is not needed for a token`,
        {
          at: { authority, method },
          hint: 'Check endpoints.identity in the pipeline.',
        },
      );
    }
    const place = { url, purpose: isToken ? 'the token request' : 'the identity document' };
    let status: number;
    let answerHeaders: Readonly<Record<string, string | string[] | undefined>>;
    let bytes: Uint8Array;
    try {
      const ending = timeout === undefined ? signal : AbortSignal.any([signal, timeout]);
      const response = await send(url, {
        method,
        headers: { ...headers, accept: 'application/json', 'user-agent': options.userAgent },
        body: isToken ? String(body) : null,
        dispatcher,
        signal: ending,
        headersTimeout: options.timeoutMs,
        bodyTimeout: options.timeoutMs,
      });
      status = response.statusCode;
      answerHeaders = response.headers;
      const bodyOptions = {
        place,
        encoding: String(response.headers['content-encoding'] ?? ''),
        maxRatio: 1,
        withinMs: options.timeoutMs,
        signal: ending,
        onWireBytes: () => undefined,
        onEnd: () => undefined,
      };
      bytes = await readAll(openBody(response.body, bodyOptions).chunks, MAX_ANSWER_BYTES, place);
    } catch (thrown) {
      throw networkError(thrown, place);
    }
    if (status === 429 || status >= 500) {
      const date = String(answerHeaders['date'] ?? '');
      const wait = retryAfter(String(answerHeaders['retry-after'] ?? ''), date, clock.now());
      throw new TablevaultError('INSTANCE_ANSWER', `the authority answers ${status} to ${place.purpose}`, {
        at: { authority, status, ...(wait === null ? {} : { retryAfterMs: wait }) },
        retryable: true,
        hint: 'The identity site of the instance is down or busy: try later.',
      });
    }
    // Without WWW-Authenticate, which would keep openid-client from reading the error in the body.
    const type = String(answerHeaders['content-type'] ?? '');
    const answer = isToken ? plainTokenAnswer(bytes) : plainDocument(bytes, server);
    return new Response(status === 204 || status === 304 ? null : answer, {
      status,
      headers: { 'content-type': type },
    });
  };
}

/** Causes are dropped on purpose: those of openid-client may hold the answer, and with it a token. */
function explain(thrown: unknown, { authority, auth }: TokenClientOptions): TablevaultError {
  const ours = innermost(thrown);
  if (ours !== undefined) return ours;
  const at = { authority };
  if (thrown instanceof ResponseBodyError) {
    const secrets = createSecretMask(auth.clientSecret.reveal());
    const description = thrown.error_description === undefined ? undefined : secrets.mask(thrown.error_description);
    return tokenError(thrown.error, description, { ...at, clientId: auth.clientId });
  }
  if (thrown instanceof ClientError && thrown.code === 'OAUTH_TIMEOUT') {
    return new TablevaultError('INSTANCE_UNREACHABLE', `the authority ${authority} does not answer in time`, {
      at,
      retryable: true,
      hint: 'If it stays so, check network, VPN, firewall and proxy (HTTPS_PROXY, NO_PROXY).',
    });
  }
  const why = thrown instanceof ClientError && thrown.code !== undefined ? ` (${thrown.message}; ${thrown.code})` : '';
  return new TablevaultError(
    'AUTH_AUTHORITY',
    `${authority} does not answer as an identity authority of an instance${why}`,
    {
      at,
      hint: 'Check that instance: is right; where the authority is not <instance>/id, name it below endpoints: identity.',
    },
  );
}

function innermost(thrown: unknown): TablevaultError | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if (error instanceof TablevaultError) return error;
  return undefined;
}
