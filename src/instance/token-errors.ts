/** Each documented error of the token endpoint as a sentence that says what to change in the Trusted Application. */
import { type ErrorCode, TablevaultError } from '../core/errors.ts';

interface Advice {
  readonly code: ErrorCode;
  readonly what: string;
  readonly hint: string;
}

/** @see RFC 6749 section 5.2, and the vendor's page on service applications */
const ADVICE: Readonly<Record<string, Advice>> = {
  invalid_client: {
    code: 'AUTH_CLIENT',
    what: 'the client is unknown or disabled, or its secret is wrong',
    hint: 'In the Trusted Application check: ApplicationUri is auth.clientId, IsEnabled is on, ClientType is Confidential, and ApplicationSecretHash is base64(sha256(secret)) of this very secret.',
  },
  unauthorized_client: {
    code: 'AUTH_CLIENT',
    what: 'the client may not sign in as a service',
    hint: 'In the Trusted Application switch SystemUserAllowed on and set a System User.',
  },
  invalid_scope: {
    code: 'AUTH_SCOPE',
    what: 'the client may not have the scope `read`',
    hint: 'Add `read` to Scope of the Trusted Application.',
  },
  invalid_grant: {
    code: 'AUTH_CLIENT',
    what: 'the grant of the client is not valid',
    hint: 'In the Trusted Application check the System User: it must be set, active, and allowed (SystemUserAllowed).',
  },
  unsupported_grant_type: {
    code: 'AUTH_CLIENT',
    what: 'the authority does not offer client credentials',
    hint: 'Check that endpoints.identity is the authority of the instance (<instance>/id), and that ClientType of the Trusted Application is Confidential.',
  },
  invalid_request: {
    code: 'AUTH_CLIENT',
    what: 'the authority does not understand the request',
    hint: 'Check auth.clientId (the ApplicationUri of the Trusted Application) and auth.clientSecret for stray characters.',
  },
};

/**
 * @param error `error` of the OAuth answer
 * @param description `error_description`, already free of secrets
 */
export function tokenError(
  error: string,
  description: string | undefined,
  at: Readonly<Record<string, string>>,
): TablevaultError {
  const advice = Object.hasOwn(ADVICE, error) ? ADVICE[error] : undefined;
  const said =
    description === undefined || description === '' ? '' : `: ${description.replace(/\s+/g, ' ').slice(0, 200)}`;
  return new TablevaultError(
    advice?.code ?? 'AUTH_CLIENT',
    `no token: ${advice?.what ?? 'the authority refuses'} (${error.slice(0, 60)}${said})`,
    {
      at,
      hint:
        advice?.hint ??
        'Check the Trusted Application: IsEnabled, ClientType, SystemUserAllowed, System User, secret and Scope.',
    },
  );
}
