/** Errors of S3 as errors of a store, each with what to do next. */
import { TablevaultError } from '../core/errors.ts';
import { corrupt, objectExists, objectMissing } from './faults.ts';

/**
 * What S3 and the way to it can answer, as errors that say what to do.
 * Source: AWS, "Error responses" of the Amazon S3 API reference; Ceph RGW's codes are the same or a part of them.
 */
export interface S3Place {
  readonly store: string;
  readonly bucket: string;
  readonly object: string;
}

interface Answer {
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
  readonly errno: string | undefined;
  /** As the server asks; 0 where it does not. */
  readonly retryAfterMs: number;
}

const THROTTLED = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TooManyRequests',
  'ServiceUnavailable',
]);
/** No server is waited for longer than this at once. */
const MOST_RETRY_AFTER_MS = 120_000;
const WRITES = new Set(['storing', 'replacing']);
const BAD_HASH = new Set(['XAmzContentSHA256Mismatch', 'BadDigest', 'InvalidDigest', 'IncompleteBody']);
const TLS = /^(CERT_|ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL)/;

/** The store asks to slow down; it may say for how long. */
export class ThrottledFault extends TablevaultError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number, details: ConstructorParameters<typeof TablevaultError>[2]) {
    super('DESTINATION_UNREACHABLE', message, details);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Turns anything the SDK throws into a TablevaultError; an abort becomes the signal's reason. */
export function s3Fault(error: unknown, doing: string, place: S3Place, signal?: AbortSignal): unknown {
  if (error instanceof TablevaultError) return error;
  if (signal?.aborted) return signal.reason;
  const answer = answerOf(error);
  return mapped(answer, doing, place, error);
}

function mapped(answer: Answer, doing: string, place: S3Place, cause: unknown): TablevaultError {
  const { name, status, message, errno } = answer;
  const at = { store: place.store, object: place.object, ...(status === undefined ? {} : { status }) };
  const said = `${doing} ${place.object} failed: ${name}${message === '' || message === name ? '' : `: ${message}`}`;
  const fault = (
    code: ConstructorParameters<typeof TablevaultError>[0],
    what: string,
    hint: string,
    retryable = false,
  ) => new TablevaultError(code, what, { at, cause, hint, retryable });

  if (status === 412 || name === 'PreconditionFailed') return objectExists(at, cause);
  if (name === 'NoSuchBucket') {
    return fault(
      'DESTINATION_MISSING',
      `there is no bucket ${place.bucket}`,
      'Create the bucket (in this region), or correct the name in `destination:`.',
    );
  }
  // What is written need not be there.
  if (status === 404 && WRITES.has(doing) && name !== 'NoSuchUpload') {
    return fault(
      'DESTINATION_MISSING',
      said,
      `Look whether the bucket ${place.bucket} exists at this endpoint, and the key of TABLEVAULT_S3_KMS_KEY_ID, if one is set.`,
    );
  }
  if (name === 'NoSuchKey' || name === 'NotFound' || (status === 404 && name !== 'NoSuchUpload'))
    return objectMissing(at, cause);
  if (name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed' || status === 301) {
    return fault(
      'DESTINATION_MISSING',
      `the bucket ${place.bucket} is in another region: ${message}`,
      "Set AWS_REGION to the bucket's region.",
    );
  }
  if (name === 'RequestTimeTooSkewed') {
    return fault(
      'DESTINATION_DENIED',
      said,
      'Correct the clock of this host (NTP): a signed request is valid for 15 minutes.',
    );
  }
  if (name === 'ExpiredToken' || name === 'TokenRefreshRequired' || name === 'ExpiredTokenException') {
    return fault(
      'DESTINATION_DENIED',
      said,
      'The temporary credentials have expired: renew them, then run again; finished parts are kept.',
    );
  }
  if (name === 'CredentialsProviderError') {
    return fault(
      'DESTINATION_DENIED',
      'no credentials for S3 were found',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role.',
    );
  }
  if (name === 'InvalidAccessKeyId' || name === 'SignatureDoesNotMatch') {
    return fault(
      'DESTINATION_DENIED',
      said,
      'The access key or its secret is wrong for this endpoint: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    );
  }
  if (name === 'QuotaExceeded' || status === 507) {
    return fault('DESTINATION_FULL', said, 'Raise the quota or free space, then run again; finished parts are kept.');
  }
  if (BAD_HASH.has(name))
    return fault(
      'DESTINATION_UNREACHABLE',
      `${said}: the bytes changed on their way`,
      'Run again; if it happens again, look for a faulty proxy or network card.',
      true,
    );
  if (status === 401 || status === 403) {
    return fault(
      'DESTINATION_DENIED',
      said,
      `Allow the identity s3:PutObject, s3:GetObject, s3:DeleteObject on the objects and s3:ListBucket on ${place.bucket} (without s3:ListBucket a missing object looks forbidden).`,
    );
  }
  if (status === 501 || name === 'NotImplemented') {
    return fault(
      'DESTINATION_UNSAFE',
      said,
      'The server does not know conditional writes: use one that honours `If-None-Match: *`.',
    );
  }
  if (name === 'ConditionalRequestConflict' || name === 'OperationAborted' || status === 409) {
    return fault(
      'DESTINATION_UNREACHABLE',
      said,
      'Another request for the same object was under way: run again.',
      true,
    );
  }
  if (THROTTLED.has(name) || status === 429 || status === 503) {
    return new ThrottledFault(`${said} (throttled)`, answer.retryAfterMs, {
      at,
      cause,
      hint: 'The store asks to slow down: run again later, or with fewer tables at once.',
      retryable: true,
    });
  }
  if (TLS.test(errno ?? '')) {
    return fault(
      'DESTINATION_UNREACHABLE',
      said,
      'The certificate is not trusted: set NODE_EXTRA_CA_CERTS to the file of your CA.',
    );
  }
  if (status === 407) {
    return fault(
      'DESTINATION_UNREACHABLE',
      'the proxy requires a user (407)',
      'Write HTTPS_PROXY=http://user:password@host:port, or name the store in NO_PROXY.',
    );
  }
  if (errno === 'ENOTFOUND') {
    return fault(
      'DESTINATION_UNREACHABLE',
      said,
      'There is no such host: check AWS_ENDPOINT_URL_S3, AWS_REGION and the network.',
    );
  }
  // An upload of pieces may end with 200 and an error in the body.
  const passing =
    name === 'InternalError' || status === undefined || status >= 500 || status === 408 || name === 'RequestTimeout';
  return fault(
    'DESTINATION_UNREACHABLE',
    said,
    'Check AWS_ENDPOINT_URL_S3, AWS_REGION and the network, then run again.',
    passing,
  );
}

function answerOf(error: unknown): Answer {
  if (!(error instanceof Error))
    return { name: 'Unknown', status: undefined, message: String(error), errno: undefined, retryAfterMs: 0 };
  const fields = error as Error & {
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
    $response?: { headers?: Readonly<Record<string, string>> };
  };
  const errno = typeof fields.code === 'string' ? fields.code : undefined;
  const seconds = Number(fields.$response?.headers?.['retry-after'] ?? 0);
  const retryAfterMs = seconds > 0 ? Math.min(seconds * 1000, MOST_RETRY_AFTER_MS) : 0;
  const name = error.name === 'Error' || error.name === 'AggregateError' ? (errno ?? error.name) : error.name;
  return { name, status: fields.$metadata?.httpStatusCode, message: error.message.slice(0, 300), errno, retryAfterMs };
}

/** For a body that ended before its announced end. */
export function endedEarly(place: S3Place, got: number, announced: number): TablevaultError {
  return new TablevaultError('DESTINATION_UNREACHABLE', `${place.object} ended after ${got} of ${announced} bytes`, {
    at: { store: place.store, object: place.object },
    retryable: true,
    hint: 'The connection was cut: run again.',
  });
}

/** A file that no longer has the bytes that were hashed. */
export function changedFile(place: S3Place): TablevaultError {
  return corrupt(
    { store: place.store, object: place.object },
    'the local file no longer has the bytes that were hashed',
  );
}
