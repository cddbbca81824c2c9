/** Trusted Applications as data: who may ask for tokens, and for what. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Rights } from './rights.ts';

/** Who may issue reference tokens for an application. */
export type AccessTokenPolicy = 'None' | 'AuthenticatedUsers' | 'AdministratorsOnly';

export interface TrustedApplication {
  /** `ApplicationUri`: the client_id. */
  readonly uri: string;
  readonly isEnabled: boolean;
  readonly clientType: 'Confidential' | 'Public';
  readonly systemUserAllowed: boolean;
  readonly systemUser: string | null;
  /** base64(sha256(secret)); null when no secret was handed in. */
  readonly secretHash: string | null;
  readonly scopes: readonly string[];
  readonly accessTokens: AccessTokenPolicy;
  /** What its identity is kept from, beyond the rights of the whole instance. */
  readonly rights?: Partial<Rights>;
}

/** A reference token: sent as it is, never exchanged. */
export interface ReferenceToken {
  readonly token: string;
  readonly kind: 'SAT' | 'PAT';
  readonly application: string;
  /** The person of a PAT; a SAT acts as the application's System User. */
  readonly user: string;
  readonly scopes: readonly string[];
  /** Milliseconds since 1970, or null for no end. */
  readonly expiresAt: number | null;
}

function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}

export function secretMatches(application: TrustedApplication, secret: string): boolean {
  if (application.secretHash === null) return false;
  const stored = Buffer.from(application.secretHash);
  const given = Buffer.from(hashSecret(secret));
  return stored.length === given.length && timingSafeEqual(stored, given);
}

/** The secret of a built-in application: a function of the seed, so that no credential stands in a file. */
export function demoSecret(uri: string, seed: number): string {
  return createHash('sha256').update(`demo secret ${seed} ${uri}`).digest('base64url').slice(0, 32);
}

/** An application that may do all that an extractor needs; `but` changes it. */
export function demoApplication(uri: string, seed: number, but: Partial<TrustedApplication> = {}): TrustedApplication {
  return {
    uri,
    isEnabled: true,
    clientType: 'Confidential',
    systemUserAllowed: true,
    systemUser: 'backup',
    secretHash: hashSecret(demoSecret(uri, seed)),
    scopes: ['read'],
    accessTokens: 'AuthenticatedUsers',
    ...but,
  };
}

/** The one to use, and one for each way in which a Trusted Application can be set up wrongly. */
export function builtInApplications(seed: number): readonly TrustedApplication[] {
  return [
    demoApplication('my.app/backup', seed),
    demoApplication('my.app/wide', seed, { scopes: ['read', 'update', 'offline_access'] }),
    demoApplication('my.app/disabled', seed, { isEnabled: false }),
    demoApplication('my.app/public', seed, { clientType: 'Public' }),
    demoApplication('my.app/no-secret', seed, { secretHash: null }),
    demoApplication('my.app/no-system-user-allowed', seed, { systemUserAllowed: false }),
    demoApplication('my.app/no-system-user', seed, { systemUser: null }),
    demoApplication('my.app/no-read', seed, { scopes: ['update'] }),
    demoApplication('my.app/no-tokens', seed, { accessTokens: 'None' }),
    demoApplication('my.app/admin-tokens', seed, { accessTokens: 'AdministratorsOnly' }),
    demoApplication('my.app/limited', seed, {
      rights: { maxRows: 2000, hiddenColumns: { Crm_Customers: ['Credit_Limit'] }, hiddenRows: { Gen_Products: 0.1 } },
    }),
  ];
}
