/** Faults of the network, of TLS and of proxies as TablevaultErrors that say what to change. */
import { type ErrorCode, TablevaultError } from '../core/errors.ts';
import { plural } from '../core/words.ts';

export interface RequestPlace {
  readonly url: string;
  /** What the request was for, e.g. `$metadata`. */
  readonly purpose: string;
  readonly table?: string | undefined;
}

/** What was asked for, in a person's words: "a read of Gen_Documents", "$metadata". */
export function askedFor({ purpose, table }: RequestPlace): string {
  if (table === undefined) return purpose;
  switch (purpose) {
    case 'rows':
    case 'closing read':
    case 'known rows':
      return `a read of ${table}`;
    case 'keys':
      return `a read of the keys of ${table}`;
    default:
      return `a question about ${table}`;
  }
}

interface Explanation {
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
  readonly retryable: boolean;
}

const TLS_TRUST =
  'NODE_EXTRA_CA_CERTS=/path/to/ca.pem names the certificate authority of your network, if it has one of its own.';
const IF_IT_STAYS = 'If it stays so, check network, VPN, firewall and proxy (HTTPS_PROXY, NO_PROXY).';

const tls = (what: string, hint: string): Explanation => ({ code: 'INSTANCE_TLS', what, hint, retryable: false });
const unreachable = (what: string, hint = IF_IT_STAYS, retryable = true): Explanation => ({
  code: 'INSTANCE_UNREACHABLE',
  what,
  hint,
  retryable,
});

/** By `code` of node's and undici's errors. */
const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: unreachable(
    'its host name is not known',
    'Check the host name in the pipeline, and the DNS of this machine.',
  ),
  EAI_AGAIN: unreachable('its host name could not be looked up just now'),
  ECONNREFUSED: unreachable(
    'nothing answers at its port',
    'Check host and port in the pipeline, and that the instance is running.',
  ),
  ECONNRESET: unreachable('the connection was reset'),
  EPIPE: unreachable('the connection was closed while writing'),
  ETIMEDOUT: unreachable('the connection timed out'),
  EHOSTUNREACH: unreachable('its host cannot be reached from here'),
  ENETUNREACH: unreachable('its network cannot be reached from here'),
  UND_ERR_SOCKET: unreachable('the other side closed the connection'),
  UND_ERR_CONNECT_TIMEOUT: unreachable('no connection was made in time'),
  UND_ERR_HEADERS_TIMEOUT: unreachable(
    'no answer began in time',
    `The instance may be busy with a long query. ${IF_IT_STAYS}`,
  ),
  UND_ERR_BODY_TIMEOUT: unreachable('the answer stopped in the middle'),
  UND_ERR_HEADERS_OVERFLOW: {
    code: 'INSTANCE_ANSWER',
    what: 'the headers of its answer are too large',
    hint: 'Check the address in the pipeline: this does not look like an ERP.net instance.',
    retryable: false,
  },
  CERT_HAS_EXPIRED: tls(
    'its certificate has expired',
    'The certificate must be renewed; check also the clock of this machine.',
  ),
  CERT_NOT_YET_VALID: tls('its certificate is not valid yet', 'Check the clock of this machine.'),
  DEPTH_ZERO_SELF_SIGNED_CERT: tls('its certificate is self-signed', TLS_TRUST),
  SELF_SIGNED_CERT_IN_CHAIN: tls('its certificate comes from an authority that is not trusted here', TLS_TRUST),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: tls(
    'its certificate comes without the chain that leads to a trusted authority',
    TLS_TRUST,
  ),
  UNABLE_TO_GET_ISSUER_CERT: tls('its certificate comes from an authority that is not trusted here', TLS_TRUST),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: tls('its certificate comes from an authority that is not trusted here', TLS_TRUST),
  CERT_REVOKED: tls('its certificate was revoked', 'Ask the administrator of the instance.'),
  ERR_TLS_CERT_ALTNAME_INVALID: tls(
    'its certificate is made out to another host name',
    'Write the host name of the certificate into the pipeline, or check whose server answers at this address.',
  ),
  EPROTO: tls('it does not speak TLS as expected', 'Check scheme and port: https:// needs a TLS port.'),
  ERR_SSL_WRONG_VERSION_NUMBER: tls(
    'it does not speak TLS at this port',
    'Check scheme and port: https:// needs a TLS port.',
  ),
};

/** Anything thrown on the way to the head of a response. TablevaultErrors and reasons of an abort pass through as they are. */
export function networkError(thrown: unknown, place: RequestPlace): unknown {
  if (thrown instanceof TablevaultError || isAbort(thrown)) return thrown;
  const explanation = explain(thrown);
  if (explanation === undefined) return thrown;
  const { origin, pathname } = new URL(place.url);
  return new TablevaultError(explanation.code, `${origin} cannot be used: ${explanation.what}`, {
    hint: explanation.hint,
    retryable: explanation.retryable,
    at: placeOf(place, pathname),
    cause: thrown,
  });
}

/** Anything thrown inside a body: the answer is not whole, so whoever reads it must ask again. */
export function bodyError(thrown: unknown, place: RequestPlace, bytes: number): unknown {
  if (thrown instanceof TablevaultError || isAbort(thrown)) return thrown;
  const code = codeOf(thrown);
  const what =
    code === 'UND_ERR_BODY_TIMEOUT'
      ? 'stopped'
      : code?.startsWith('Z_') === true
        ? 'breaks off or is damaged'
        : 'broke off';
  return new TablevaultError(
    'BODY_TRUNCATED',
    `the answer to ${askedFor(place)} ${what} after ${plural(bytes, 'byte')}`,
    {
      hint: 'If it happens each time, a proxy or a time limit between here and the instance cuts long answers.',
      retryable: true,
      at: placeOf(place, new URL(place.url).pathname),
      cause: thrown,
    },
  );
}

/** For `at` of an error: path and table, never the query, which may hold data. */
export function placeOf(place: RequestPlace, pathname = new URL(place.url).pathname): Readonly<Record<string, string>> {
  const at = { purpose: place.purpose, path: pathname.slice(0, 200) };
  return place.table === undefined ? at : { ...at, table: place.table };
}

function explain(thrown: unknown): Explanation | undefined {
  const known = EXPLANATIONS[codeOf(thrown) ?? ''];
  if (known !== undefined) return known;
  const message = thrown instanceof Error ? thrown.message : '';
  const proxy = /Proxy response \(?(\d{3})\)?/.exec(message)?.[1];
  if (proxy !== undefined) {
    const hint =
      proxy === '407'
        ? 'The proxy requires a user: write HTTPS_PROXY=http://user:password@host:port.'
        : 'Check HTTPS_PROXY and NO_PROXY.';
    return unreachable(`the proxy answered ${proxy}`, hint, Number(proxy) >= 500);
  }
  const code = codeOf(thrown);
  if (code?.startsWith('HPE_') === true) {
    return {
      code: 'INSTANCE_ANSWER',
      what: `its answer is not HTTP (${code})`,
      hint: 'Check scheme and port of the address in the pipeline.',
      retryable: true,
    };
  }
  if (code?.startsWith('ERR_SSL_') === true) return tls(`TLS failed (${code})`, 'Check scheme, port and proxy.');
  if (code?.startsWith('UND_ERR_') === true || (code !== undefined && /^E[A-Z]+$/.test(code))) {
    return unreachable(`the request failed (${code})`);
  }
  return undefined;
}

/** The most telling code: a group (happy eyeballs) and a chain of causes carry it inside. */
function codeOf(thrown: unknown, depth = 0): string | undefined {
  if (!(thrown instanceof Error) || depth > 5) return undefined;
  const inner =
    thrown instanceof AggregateError ? codeOf(thrown.errors[0], depth + 1) : codeOf(thrown.cause, depth + 1);
  if (inner !== undefined && Object.hasOwn(EXPLANATIONS, inner)) return inner;
  const own = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
  return own ?? inner;
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'AbortError' && codeOf(thrown) !== 'UND_ERR_ABORTED';
}
