/** What a token must be before it is used. Pure. */
import { decodeJwt, type JWTPayload } from 'jose';
import { TablevaultError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import { isSameIssuer } from './token-answer.ts';

export interface TokenGrant {
  readonly token: Secret;
  /** Milliseconds since 1970, by our clock, just before the token was asked for. */
  readonly askedAt: number;
  readonly lifetimeMs: number;
  /** As granted; empty where neither the answer nor the token tells. */
  readonly scopes: readonly string[];
  readonly warnings: readonly string[];
}

export interface TokenAnswer {
  readonly accessToken: string;
  /** `scope` of the token answer. */
  readonly scope: string | undefined;
  /** Seconds. */
  readonly expiresIn: number | undefined;
}

/** The vendor's tokens live about an hour; used where neither the answer nor the token says. */
const USUAL_LIFETIME_MS = 3_600_000;
const AUDIENCE = 'TableAPI';

/**
 * Checks issuer, audience and scope where the token is a JWT, and the scope of the answer in any case. The signature is the API's to check:
 * the token came straight from the authority.
 *
 * @param issuer the authority that was asked
 * @throws AUTH_AUTHORITY for another issuer, AUTH_SCOPE without `read` or without the Table API
 * @see RFC 9068 (JWT profile for access tokens), RFC 6749 section 5.1 (a scope left out is the scope asked for)
 */
export function checkGrant(answer: TokenAnswer, issuer: string, askedAt: number): TokenGrant {
  const claims = claimsOf(answer.accessToken);
  if (claims?.iss !== undefined && !isSameIssuer(claims.iss, issuer)) {
    throw new TablevaultError(
      'AUTH_AUTHORITY',
      `the token was issued by ${claims.iss.slice(0, 200)}, not by ${issuer}`,
      {
        hint: "Name the instance's own authority in the pipeline: endpoints: { identity: <instance>/id }.",
      },
    );
  }
  const audience = claims?.aud === undefined ? undefined : [claims.aud].flat();
  if (audience !== undefined && !audience.some((name) => name.toLowerCase() === AUDIENCE.toLowerCase())) {
    throw new TablevaultError(
      'AUTH_SCOPE',
      `the token is not for the Table API (its audience: ${audience.join(', ').slice(0, 200)})`,
      {
        hint: 'Check the scopes of the Trusted Application: `read` must be among them.',
      },
    );
  }
  const scopes = answer.scope !== undefined ? words(answer.scope) : scopesOf(claims);
  const inToken = scopesOf(claims);
  const lacks = [scopes, inToken].some((list) => list.length > 0 && !list.includes('read'));
  if (lacks || answer.scope === '') {
    throw new TablevaultError(
      'AUTH_SCOPE',
      `the authority granted ${scopes.length === 0 ? 'no scope' : `only: ${scopes.join(' ').slice(0, 200)}`}`,
      {
        hint: 'Add `read` to Scope of the Trusted Application.',
      },
    );
  }
  const wider = [...new Set([...scopes, ...inToken])].filter((scope) => scope !== 'read');
  const warnings =
    wider.length === 0
      ? []
      : [
          `the granted scope is wider than asked for: ${wider.join(' ').slice(0, 200)}; \`read\` in Scope of the Trusted Application is enough`,
        ];
  return { token: new Secret(answer.accessToken), askedAt, lifetimeMs: lifetime(answer, claims), scopes, warnings };
}

/** By the authority's own clock: ours may be wrong, so only differences count. */
function lifetime({ expiresIn }: TokenAnswer, claims: JWTPayload | undefined): number {
  if (expiresIn !== undefined && expiresIn > 0) return expiresIn * 1000;
  const { exp, iat } = claims ?? {};
  return exp !== undefined && iat !== undefined && exp > iat ? (exp - iat) * 1000 : USUAL_LIFETIME_MS;
}

function claimsOf(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    // Not a JWT: opaque tokens are as good, and only the API can judge them.
    return undefined;
  }
}

function scopesOf(claims: JWTPayload | undefined): readonly string[] {
  const scope = claims?.['scope'];
  if (typeof scope === 'string') return words(scope);
  return Array.isArray(scope) ? scope.filter((item) => typeof item === 'string') : [];
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
