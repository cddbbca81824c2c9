/**
 * The credential of a run: what to send with each request, and how to get a new one. One token at a time; callers that come while it is
 * renewed wait for the same renewal.
 */
import { createHash, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { asTablevaultError, TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { Auth } from '../core/pipeline.ts';
import type { Secret } from '../core/secret.ts';
import { createSecretMask } from '../core/secret-mask.ts';
import type { TokenGrant } from './token-checks.ts';

export interface Credential {
  readonly kind: Auth['kind'];
  /** Headers that carry the credential. Asks for a token first where there is none or it is about to expire. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /**
   * After a 401: true when another token is there to try with.
   * @param used the headers of the refused request; when they are no longer the current ones, nothing is asked for
   */
  renewAfter401(used?: Readonly<Record<string, string>>): Promise<boolean>;
  /** `text` with every secret of this credential replaced: for texts of a server, which may echo what it was sent. */
  scrub(text: string): string;
  /** For people; never a secret. */
  describe(): Promise<string>;
}

const derive = promisify<string, string, number, { N: number; r: number; p: number }, Buffer>(scrypt);

type ServiceAuth = Extract<Auth, { kind: 'service' }>;
type ReferenceAuth = Extract<Auth, { kind: 'reference-token' }>;

export interface ServiceDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Asks the authority for a token; see `token-client.ts`. */
  readonly requestToken: () => Promise<TokenGrant>;
}

/** Renewed this long before it expires, ms, or at nine tenths of its life where that is later. */
const EARLY_MS = 60_000;
/** After a renewal that failed while the old token still lives, ms. */
const RETRY_MS = 10_000;

/** A service identity: client credentials, a token for about an hour. */
export function createServiceCredential(auth: ServiceAuth, { clock, emit, requestToken }: ServiceDeps): Credential {
  let current:
    | { readonly grant: TokenGrant; readonly headers: Readonly<Record<string, string>>; renewAt: number }
    | undefined;
  let renewal: Promise<void> | undefined;
  const clientSecret = auth.clientSecret.reveal();
  let secrets = createSecretMask(clientSecret);
  const warned = new Set<string>();

  async function ask(): Promise<void> {
    const grant = await requestToken();
    // The token before this one may still be echoed by an answer that is under way; older ones are dead.
    const before = current === undefined ? [] : [current.grant.token.reveal()];
    secrets = createSecretMask(clientSecret, ...before, grant.token.reveal());
    for (const warning of grant.warnings.filter((text) => !warned.has(text))) {
      warned.add(warning);
      emit({ type: 'warning', message: warning });
    }
    const renewAt = grant.askedAt + Math.max(grant.lifetimeMs - EARLY_MS, grant.lifetimeMs * 0.9);
    current = { grant, headers: { authorization: `Bearer ${grant.token.reveal()}` }, renewAt };
  }

  function renew(): Promise<void> {
    renewal ??= ask().finally(() => {
      renewal = undefined;
    });
    return renewal;
  }

  return {
    kind: 'service',
    async headers() {
      if (current === undefined) await renew();
      else if (renewal !== undefined || clock.now() >= current.renewAt) await renewOrKeep(current);
      return current?.headers ?? {};
    },
    async renewAfter401(used) {
      if (used !== undefined && current !== undefined && used !== current.headers) return true;
      await renew();
      return true;
    },
    scrub: (text) => secrets.mask(text),
    async describe() {
      const scope = current === undefined ? '' : `, scope ${current.grant.scopes.join(' ') || 'not told'}`;
      return `service identity ${auth.clientId}${scope}`;
    },
  };

  /** A renewal that fails while the old token lives is no reason to stop: the next request tries again. */
  async function renewOrKeep(old: NonNullable<typeof current>): Promise<void> {
    try {
      await renew();
    } catch (thrown) {
      const error = asTablevaultError(thrown);
      const alive = clock.now() < old.grant.askedAt + old.grant.lifetimeMs;
      if (!alive || !error.retryable) throw error;
      // The first of those who waited for it tells and sets the time of the next try.
      if (clock.now() < old.renewAt) return;
      old.renewAt = clock.now() + RETRY_MS;
      emit({ type: 'warning', message: `the token could not be renewed yet: ${error.message}` });
    }
  }
}

/** A reference token: sent as it is, in one header. */
export function createReferenceCredential({ token, header }: ReferenceAuth): Credential {
  const value = token.reveal();
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new TablevaultError('CONFIG_INVALID', 'auth.token is empty or holds characters that no header can carry', {
      hint: 'Check the variable or file it comes from for spaces, quotes and line breaks: a reference token begins with enrt_.',
    });
  }
  const headers = header === 'authorization' ? { authorization: `Bearer ${value}` } : { 'x-api-key': value };
  let shown: Promise<string> | undefined;
  const sent = header === 'authorization' ? 'Authorization' : 'X-Api-Key';
  return {
    kind: 'reference-token',
    headers: () => Promise.resolve(headers),
    renewAfter401: () => Promise.resolve(false),
    scrub: createSecretMask(value).mask,
    async describe() {
      shown ??= costlyHash(token);
      return `reference token ${(await shown).slice(0, 8)} (scrypt), in ${sent}`;
    },
  };
}

/** For what is stored and shown: a token that is too short to be safe is not found from it by quick guesses. Takes some 50 ms. */
async function costlyHash(secret: Secret): Promise<string> {
  return (await derive(secret.reveal(), 'tablevault reference token', 16, { N: 2 ** 14, r: 8, p: 1 })).toString('hex');
}

/** SHA-256 of a secret, hexadecimal: tells tokens apart without telling what they are. */
export function fingerprint(secret: Secret): string {
  return createHash('sha256').update(secret.reveal()).digest('hex');
}
