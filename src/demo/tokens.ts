/** Tokens alive: signed access tokens and reference tokens, their scopes, their end, and their revocation at any moment. */
import { createHash, randomBytes } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Clock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import type { ReferenceToken, TrustedApplication } from './applications.ts';
import type { Rights } from './rights.ts';

/** Who calls, as a token tells. */
export interface Identity {
  /** Names the token without telling it. */
  readonly tokenId: string;
  readonly kind: 'service' | 'SAT' | 'PAT';
  readonly application: TrustedApplication;
  readonly user: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number | null;
  /** What this person is kept from; a System User is kept from what its application is. */
  readonly rights: Partial<Rights> | undefined;
}

export interface TokenStore {
  issueAccess(application: TrustedApplication, scopes: readonly string[], seconds: number): Promise<string>;
  /** Issues a reference token as the application's policy lets `by` do it. Throws USAGE when it does not. */
  issueReference(order: ReferenceOrder): ReferenceToken;
  /** The identity of a token that is alive. */
  identify(token: string): Identity | undefined;
  /** Revokes one token, or all of them; from the next request on they are unknown. */
  revoke(token?: string): void;
  /** A new signing key; the old one stays published. */
  rotateKeys(): Promise<void>;
  jwks(): Promise<{ readonly keys: readonly JWK[] }>;
  stats(): { readonly issued: number; readonly alive: number; readonly maxAlive: number };
}

export interface ReferenceOrder {
  readonly kind: 'SAT' | 'PAT';
  readonly application: string;
  readonly by: 'administrator' | 'user';
  readonly user?: string;
  readonly scopes?: readonly string[];
  readonly expiresAt?: number;
  /** Rights of the person of a PAT. */
  readonly rights?: Partial<Rights>;
  /** The token's text; random when not given. */
  readonly token?: string;
}

export interface TokenSettings {
  readonly clock: Clock;
  readonly issuer: () => string;
  readonly database: string;
  readonly applications: ReadonlyMap<string, TrustedApplication>;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export function createTokens(settings: TokenSettings): TokenStore {
  const { clock, applications } = settings;
  const alive = new Map<string, Identity>();
  let keys: Promise<readonly SigningKey[]> | null = null;
  let issued = 0;
  let maxAlive = 0;

  const signingKeys = () => {
    keys ??= makeKey().then((key) => [key]);
    return keys;
  };
  const add = (token: string, identity: Identity) => {
    sweep();
    alive.set(token, identity);
    issued++;
    maxAlive = Math.max(maxAlive, alive.size);
  };
  const sweep = () => {
    for (const [token, identity] of alive) {
      if (identity.expiresAt !== null && identity.expiresAt <= clock.now()) alive.delete(token);
    }
  };

  return {
    async issueAccess(application, scopes, seconds) {
      const [key] = await signingKeys();
      const now = Math.floor(clock.now() / 1000);
      const tokenId = randomBytes(16).toString('hex');
      const token = await new SignJWT({ client_id: application.uri, client_db: settings.database, scope: [...scopes] })
        .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: key!.kid })
        .setIssuer(settings.issuer())
        .setAudience(['TableAPI', 'DomainAPI'])
        .setIssuedAt(now)
        .setNotBefore(now)
        .setExpirationTime(now + seconds)
        .setJti(tokenId)
        .sign(key!.privateKey);
      const user = application.systemUser ?? '';
      add(token, {
        tokenId,
        kind: 'service',
        application,
        user,
        scopes,
        expiresAt: (now + seconds) * 1000,
        rights: application.rights,
      });
      return token;
    },
    issueReference(order) {
      const application = applications.get(order.application);
      const policy = application?.accessTokens ?? 'None';
      const administrator = order.by === 'administrator';
      const allowed =
        policy === 'AuthenticatedUsers'
          ? administrator || order.kind === 'PAT'
          : policy === 'AdministratorsOnly' && administrator;
      if (application === undefined || !allowed) {
        throw new TablevaultError(
          'USAGE',
          `the policy ${policy} of ${order.application} does not let a ${order.by} issue a ${order.kind}`,
        );
      }
      if (order.kind === 'SAT' && (!application.systemUserAllowed || application.systemUser === null)) {
        throw new TablevaultError('USAGE', `${order.application} has no System User for a SAT`);
      }
      const token = order.token ?? `enrt_${randomBytes(24).toString('base64url')}`;
      const user = order.kind === 'SAT' ? application.systemUser! : (order.user ?? 'maria');
      const scopes = order.scopes ?? application.scopes;
      const expiresAt = order.expiresAt ?? null;
      const tokenId = createHash('sha256').update(token).digest('hex').slice(0, 32);
      const rights = order.kind === 'SAT' ? application.rights : order.rights;
      add(token, { tokenId, kind: order.kind, application, user, scopes, expiresAt, rights });
      return { token, kind: order.kind, application: order.application, user, scopes, expiresAt };
    },
    identify(token) {
      const identity = alive.get(token);
      if (identity === undefined || (identity.expiresAt !== null && identity.expiresAt <= clock.now()))
        return undefined;
      const application = applications.get(identity.application.uri);
      return application?.isEnabled === true ? { ...identity, application } : undefined;
    },
    revoke(token) {
      if (token === undefined) alive.clear();
      else alive.delete(token);
    },
    async rotateKeys() {
      const old = await signingKeys();
      keys = makeKey().then((key) => [key, ...old.slice(0, 2)]);
      await keys;
    },
    jwks: async () => ({ keys: (await signingKeys()).map((key) => key.jwk) }),
    stats() {
      sweep();
      return { issued, alive: alive.size, maxAlive };
    },
  };
}

async function makeKey(): Promise<SigningKey> {
  const pair = await generateKeyPair('RS256', { modulusLength: 2048 });
  const kid = randomBytes(8).toString('hex').toUpperCase();
  return {
    kid,
    privateKey: pair.privateKey,
    jwk: { ...(await exportJWK(pair.publicKey)), kid, use: 'sig', alg: 'RS256' },
  };
}
