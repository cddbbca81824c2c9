/**
 * Answers of an authority in the form that the OAuth library takes: what means the same is made the same. Nothing is added, and an answer that
 * is not a JSON object is left for the library to refuse.
 */
import { below } from './origins.ts';

/** The identity document: an issuer with and without a slash at its end is one issuer. */
export function plainDocument(bytes: Uint8Array, authority: string): Uint8Array {
  return rewritten(bytes, (document) => {
    const { issuer } = document;
    return typeof issuer === 'string' && isSameIssuer(issuer, authority)
      ? { ...document, issuer: authority }
      : document;
  });
}

/**
 * The answer to a token request: a member that is null is a member left out, and a number of seconds may come as text.
 * @see RFC 6749 section 5.1: all but `access_token` and `token_type` are optional
 */
export function plainTokenAnswer(bytes: Uint8Array): Uint8Array {
  return rewritten(bytes, (answer) => {
    const given = Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== null));
    const { expires_in: seconds } = given;
    return typeof seconds === 'string' && /^\s*\d+\s*$/.test(seconds)
      ? { ...given, expires_in: Number(seconds) }
      : given;
  });
}

/** Do both name the same authority? Case of the host, a default port and slashes at the end make no difference. */
export function isSameIssuer(one: string, other: string): boolean {
  return plainIssuer(one) === plainIssuer(other);
}

function plainIssuer(issuer: string): string {
  return below(URL.canParse(issuer) ? new URL(issuer).href : issuer, '');
}

type JsonObject = Readonly<Record<string, unknown>>;

function rewritten(bytes: Uint8Array, rewrite: (object: JsonObject) => JsonObject): Uint8Array {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // Not JSON: the library says so, with what it expected.
    return bytes;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bytes;
  return Buffer.from(JSON.stringify(rewrite(value as JsonObject)));
}
