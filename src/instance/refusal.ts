/**
 * What an answer that is not 2xx means, and whether asking again can help. Pure: status, headers and the first bytes of the body in, a
 * verdict out.
 *
 * ERP.net's error bodies are JSON `{message, code, type, info, …}`, in some clients below `error`; the status is 500 even for faults of
 * the request. `info` may hold a stack trace and is never shown.
 */
import { TablevaultError } from '../core/errors.ts';
import { askedFor, placeOf, type RequestPlace } from './errors.ts';

export interface ErrorBody {
  readonly message: string | undefined;
  readonly code: string | undefined;
  readonly type: string | undefined;
}

/** What to do about an answer that carries no data. */
export type Verdict =
  /** 429: slow down, then ask again. */
  | {
      readonly kind: 'slow';
      readonly afterMs: number | null;
      readonly aboutRate: boolean;
      readonly error: TablevaultError;
    }
  /** No licence seat is free: wait. */
  | { readonly kind: 'seats'; readonly error: TablevaultError }
  /** 401: renew the token once. */
  | { readonly kind: 'renew'; readonly error: TablevaultError }
  /** A fault of the server that may pass; `tries` at most in all, where set. */
  | {
      readonly kind: 'again';
      readonly afterMs: number | null;
      readonly tries: number | null;
      readonly error: TablevaultError;
    }
  /** Asking again cannot help. */
  | { readonly kind: 'final'; readonly error: TablevaultError };

/** Name of the error that tells that all licence seats are taken; its status is not documented. */
const NO_SEAT = 'MaximumLicenseCountExceeded';
/** Of what `Retry-After` asks for, ms. */
const LONGEST_WAIT_MS = 86_400_000;
const ABOUT_RATE = /rpm|per[ -]?minute|rate limit/i;
/** Types of errors that blame the request: the same request will fail again. */
const REQUEST_FAULT =
  /argument|parse|pars(er|ing)|syntax|odata|uri|format|notsupported|not supported|invalid|unknown|notfound|not found|badrequest/i;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body, or its first 64 KiB. */
  readonly text: string;
}

/** An answer of a cache is as old as it says; of the instance itself, no more than clocks and queues make it. In seconds. */
export const OLDEST_S = 60;

/** Does an answer say that it is a part of what was asked for? @see RFC 9110 section 14.4 */
export function isPart(headers: HttpAnswer['headers']): boolean {
  return headers['content-range'] !== undefined;
}

/** Seconds for which caches have kept an answer. @see RFC 9111 section 5.1 */
export function ageOf(headers: HttpAnswer['headers']): number {
  const age = headers['age']?.trim() ?? '';
  return /^\d+$/.test(age) ? Number(age) : 0;
}

export function judge(answer: HttpAnswer, place: RequestPlace, now: number): Verdict {
  const { status, headers, text } = answer;
  const body = parseErrorBody(text);
  const said = describe(body);
  const at = { ...placeOf(place), status };
  const afterMs = retryAfter(headers['retry-after'], headers['date'], now);
  if (text.includes(NO_SEAT)) {
    const error = new TablevaultError('INSTANCE_SEATS', 'all licence seats of the instance are taken', {
      at,
      retryable: true,
      hint: 'Sessions close after 20 minutes idle: try later, or free a seat (Dmv_Current_Sessions shows who holds them).',
    });
    return { kind: 'seats', error };
  }
  if (status === 429) {
    const error = new TablevaultError('INSTANCE_BUSY', `the instance refuses more requests (429)${said}`, {
      at,
      retryable: true,
      hint: 'Other clients use its limits too: lower limits.concurrency, or run at another hour.',
    });
    return { kind: 'slow', afterMs, aboutRate: ABOUT_RATE.test(text.slice(0, 2000)), error };
  }
  if (status === 401) {
    const error = new TablevaultError('AUTH_TOKEN', `the instance does not accept the token (401)${said}`, {
      at,
      hint: 'Check that the token is of this instance, not expired and not revoked, and that its Trusted Application is enabled.',
    });
    return { kind: 'renew', error };
  }
  if (status === 403) {
    const error = new TablevaultError(
      'AUTH_FORBIDDEN',
      `the identity may not do this: ${askedFor(place)} (403)${said}`,
      {
        at,
        hint: "Check the rights of the Trusted Application's System User on this table, and that scope `read` is among the application's scopes.",
      },
    );
    return { kind: 'final', error };
  }
  if (status >= 300 && status < 400) return { kind: 'final', error: redirected(answer, place) };
  if ((status > 200 && status < 300) || (status === 200 && isPart(headers))) {
    const error = new TablevaultError(
      'INSTANCE_ANSWER',
      isPart(headers)
        ? `the instance answers ${askedFor(place)} with a part (${headers['content-range']?.slice(0, 40)})`
        : `the instance answers ${status} instead of 200 to ${askedFor(place)}`,
      {
        at,
        hint: 'Such an answer may hold a part of the data only, so it is not used; a proxy between here and the instance may be at fault.',
      },
    );
    return { kind: 'final', error };
  }
  if (status === 200 && ageOf(headers) > OLDEST_S) {
    const error = new TablevaultError(
      'INSTANCE_ANSWER',
      `a cache answers ${place.purpose} in place of the instance: what it sends is ${ageOf(headers)} s old`,
      {
        at,
        retryable: true,
        hint: 'Old rows are not used. Let no proxy between here and the instance keep answers of the Table API.',
      },
    );
    return { kind: 'again', afterMs, tries: 3, error };
  }
  // 501 is how OData says that it does not do what was asked (OData Protocol 4.01, section 9.3.1); the server is well.
  if (status === 408 || status === 425 || (status > 500 && status !== 501)) {
    const error = new TablevaultError(
      'INSTANCE_ANSWER',
      `the instance answers ${status} to ${askedFor(place)}${said}`,
      {
        at,
        retryable: true,
        hint: 'If it stays so, the instance or a proxy before it is down: try later.',
      },
    );
    return { kind: 'again', afterMs, tries: status === 505 ? 1 : null, error };
  }
  const blamed =
    body !== undefined && REQUEST_FAULT.test(`${body.type ?? ''} ${body.code ?? ''} ${body.message ?? ''}`);
  const error = new TablevaultError('REQUEST_REFUSED', `the instance refuses ${askedFor(place)} (${status})${said}`, {
    at,
    retryable: (status === 500 || status < 300) && !blamed,
    hint: 'Check filter and columns of this table in the pipeline; `tablevault tables <pipeline> --columns <table>` shows which columns take filters.',
  });
  if (status !== 500 && status >= 300) return { kind: 'final', error };
  return { kind: 'again', afterMs, tries: blamed ? 2 : 4, error };
}

/** The error that a JSON body describes, itself or below `error`; undefined when it describes none. */
export function parseErrorBody(text: string): ErrorBody | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const outer = asRecord(value);
  const inner = asRecord(outer?.['error']) ?? outer;
  if (inner === undefined) return undefined;
  const nested = asRecord(inner['message']);
  const body = {
    message: asText(inner['message']) ?? asText(nested?.['value']),
    code: asText(inner['code']),
    type: asText(inner['type']),
  };
  return body.message === undefined && body.code === undefined && body.type === undefined ? undefined : body;
}

/**
 * Does a body of status 200 begin like an error object instead of like data? Data begins with `@odata.context` or `value`.
 * @param head the first bytes, as text
 */
export function looksLikeError(head: string): boolean {
  return /^\s*\{\s*"(error|message|code|type|info|messageFormat)"\s*:/.test(head);
}

/**
 * `Retry-After` in ms: seconds or an HTTP date; null when absent or meaningless. At most a day. It only ever adds to a pause of our own: a
 * server that says 0, or whose clock is behind, does not ask to be asked without a pause.
 *
 * @param date `Date` of the same answer: the server's clock, which a date in `Retry-After` is read by; ours where there is none
 * @see RFC 9110 section 10.2.3
 */
export function retryAfter(header: string | undefined, date: string | undefined, now: number): number | null {
  const text = header?.trim() ?? '';
  if (text === '') return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, LONGEST_WAIT_MS);
  const theirs = Date.parse(date ?? '');
  const ms = Date.parse(text) - (Number.isNaN(theirs) ? now : theirs);
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
}

function redirected({ status, headers }: HttpAnswer, place: RequestPlace): TablevaultError {
  const here = new URL(place.url);
  let target: URL | undefined;
  try {
    target = new URL(headers['location'] ?? '', place.url);
  } catch {
    target = undefined;
  }
  const at = { ...placeOf(place), status };
  if (target !== undefined && target.origin !== here.origin) {
    return new TablevaultError(
      'FOREIGN_ORIGIN',
      `the instance redirects ${askedFor(place)} to another origin, ${target.origin}; it was not followed`,
      {
        at,
        hint: `If ${target.origin} really serves this instance, write it into the pipeline: as instance:, or below endpoints: (tableApi:, identity:).`,
      },
    );
  }
  return new TablevaultError(
    'INSTANCE_ANSWER',
    `the instance redirects ${askedFor(place)} (${status}); redirects are not followed`,
    {
      at: target === undefined ? at : { ...at, location: target.pathname.slice(0, 200) },
      hint: 'A redirect to a sign-in page means that the address is not the Table API: check instance and endpoints in the pipeline.',
    },
  );
}

function describe(body: ErrorBody | undefined): string {
  if (body === undefined) return '';
  const name = body.type ?? body.code;
  const message = (body.message ?? '').replace(/\s+/g, ' ').trim().slice(0, 300);
  const text =
    name === undefined || message.includes(name)
      ? message
      : `${name.slice(0, 80)}${message === '' ? '' : `: ${message}`}`;
  return text === '' ? '' : `: ${text}`;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function asText(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
