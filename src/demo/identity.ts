/** The identity authority at `<instance>/id`: discovery document, keys, and the token endpoint with the documented errors. */
import type { IncomingMessage } from 'node:http';
import { secretMatches, type TrustedApplication } from './applications.ts';
import type { DemoLimits } from './options.ts';
import type { TokenStore } from './tokens.ts';

export interface IdentitySettings {
  readonly issuer: string;
  readonly tokens: TokenStore;
  readonly applications: ReadonlyMap<string, TrustedApplication>;
  readonly limits: DemoLimits;
  /** See `authorityAnswers` of the personality. */
  readonly loose: boolean;
}

/** A small answer, complete in memory. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const MAX_FORM_BYTES = 64 * 1024;

/** Answers a request below `/id`, given the path after it. */
export async function answerIdentity(
  request: IncomingMessage,
  path: string,
  settings: IdentitySettings,
): Promise<Answer> {
  const { issuer, tokens, loose } = settings;
  if (path === '/.well-known/openid-configuration' && request.method === 'GET') {
    return json(200, {
      issuer: loose ? `${issuer}/` : issuer,
      jwks_uri: `${issuer}/.well-known/openid-configuration/jwks`,
      authorization_endpoint: `${issuer}/connect/authorize`,
      token_endpoint: `${issuer}/connect/token`,
      scopes_supported: ['read', 'update', 'offline_access', 'DomainApi'],
      grant_types_supported: ['authorization_code', 'client_credentials', 'refresh_token'],
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    });
  }
  if (path === '/.well-known/openid-configuration/jwks' && request.method === 'GET')
    return json(200, await tokens.jwks());
  if (path === '/connect/token') {
    if (request.method !== 'POST') return json(405, { error: 'invalid_request' }, { allow: 'POST' });
    return answerToken(request, settings);
  }
  return json(404, { error: 'not_found' });
}

async function answerToken(request: IncomingMessage, settings: IdentitySettings): Promise<Answer> {
  const form = await readForm(request);
  if (form === undefined) return tokenError('invalid_request', 'The body must be a form, each field given once.');
  const grant = form.get('grant_type');
  if (grant === undefined) return tokenError('invalid_request', 'grant_type is missing.');
  const application = settings.applications.get(form.get('client_id') ?? '');
  const secret = form.get('client_secret');
  if (!form.has('client_id')) return tokenError('invalid_client', 'client_id is missing.');
  if (application === undefined || !application.isEnabled || application.clientType !== 'Confidential') {
    return tokenError('invalid_client', 'The application is unknown or disabled.');
  }
  if (secret === undefined || !secretMatches(application, secret))
    return tokenError('invalid_client', 'The secret is wrong.');
  if (grant === 'authorization_code' || grant === 'refresh_token') {
    return tokenError('invalid_grant', 'The code or token is unknown or spent.');
  }
  if (grant !== 'client_credentials') return tokenError('unsupported_grant_type', 'The grant type is not supported.');
  if (!application.systemUserAllowed || application.systemUser === null) {
    return tokenError('unauthorized_client', 'The application has no System User or may not use it.');
  }
  const asked = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '' && scope !== 'DomainApi');
  if (asked.some((scope) => !application.scopes.includes(scope))) {
    return tokenError('invalid_scope', 'The application does not have the scope that was asked.');
  }
  const granted = asked.length > 0 ? asked : application.scopes;
  const seconds = settings.limits.accessTokenSeconds;
  const token = await settings.tokens.issueAccess(application, granted, seconds);
  const answer = { access_token: token, expires_in: seconds, token_type: 'Bearer', scope: granted.join(' ') };
  return json(
    200,
    settings.loose ? { ...answer, expires_in: String(seconds), scope: null, refresh_token: null } : answer,
  );
}

/** The fields of a form body; undefined when it is none or a field comes twice. */
async function readForm(request: IncomingMessage): Promise<ReadonlyMap<string, string> | undefined> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_FORM_BYTES) return undefined;
    chunks.push(chunk);
  }
  const fields = [...new URLSearchParams(Buffer.concat(chunks).toString('utf8'))];
  const form = new Map(fields);
  return form.size === fields.length ? form : undefined;
}

function tokenError(error: string, description: string): Answer {
  return json(400, { error, error_description: description });
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(value),
  };
}
