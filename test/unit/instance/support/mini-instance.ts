import type { ServerResponse } from 'node:http';
import { type JWTPayload, SignJWT } from 'jose';
import { json, type SeenRequest, startServer, type TestServer } from './server.ts';

export const CLIENT = { id: 'my.app/backup', secret: 'example-client-secret' };

export const METADATA = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Erp" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="Doc"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Guid" Nullable="false"/></EntityType>
<EntityContainer Name="C"><EntitySet Name="Gen_Documents" EntityType="Erp.Doc"/></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>`;

/** What a test changes about the instance; the default is a good one. */
export interface Behaviour {
  readonly sites?: (origin: string) => readonly Record<string, unknown>[];
  readonly discoveryPath?: string | null;
  readonly claims?: (origin: string) => JWTPayload;
  readonly token?: (request: SeenRequest, response: ServerResponse, count: number) => boolean;
  readonly scope?: string | null;
  readonly expiresIn?: number;
  /** Members of the token answer in place of the good ones. */
  readonly answer?: Readonly<Record<string, unknown>>;
  readonly issuer?: (origin: string) => string;
  readonly tokenEndpoint?: (origin: string) => string;
  readonly api?: (request: SeenRequest, response: ServerResponse, count: number) => boolean;
}

/** The least of an instance that can be opened: discovery, identity, service document, `$metadata`. */
export async function startMiniInstance(
  behaviour: Behaviour = {},
): Promise<TestServer & { readonly tokens: readonly string[] }> {
  const tokens: string[] = [];
  const key = new TextEncoder().encode('0123456789abcdef0123456789abcdef');
  const server = await startServer(async (request, response, count) => {
    const { origin } = server;
    const path = request.url.split('?')[0] ?? '';
    const discoveryPath = behaviour.discoveryPath === undefined ? '/tools/auto-discovery' : behaviour.discoveryPath;
    if (path === discoveryPath) {
      const sites = behaviour.sites?.(origin) ?? [
        { Type: 'TableAPI', Status: 'Working', Url: `${origin}/tableapi` },
        { Type: 'ID', Status: 'Working', Url: `${origin}/id` },
      ];
      json(response, 200, { Host: '127.0.0.1', DbName: 'demo', WebSites: sites });
    } else if (path.startsWith('/tools/') && behaviour.api?.(request, response, count) === true) {
      return;
    } else if (path === '/tools/ver') {
      response.end('26.1.2.3\n');
    } else if (path === '/id/.well-known/openid-configuration') {
      json(response, 200, {
        issuer: behaviour.issuer?.(origin) ?? `${origin}/id`,
        token_endpoint: behaviour.tokenEndpoint?.(origin) ?? `${origin}/id/connect/token`,
        jwks_uri: `${origin}/id/jwks`,
      });
    } else if (path === '/id/connect/token') {
      if (behaviour.token?.(request, response, count) === true) return;
      const now = Math.floor(Date.now() / 1000);
      const claims = behaviour.claims?.(origin) ?? { iss: `${origin}/id`, aud: ['TableAPI'], scope: ['read'] };
      const token = await new SignJWT({ ...claims, n: tokens.length })
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
        .setIssuedAt(now)
        .setExpirationTime(now + 3600)
        .sign(key);
      tokens.push(token);
      const scope = behaviour.scope === undefined ? 'read' : behaviour.scope;
      json(response, 200, {
        access_token: token,
        token_type: 'Bearer',
        expires_in: behaviour.expiresIn ?? 3600,
        ...(scope === null ? {} : { scope }),
        ...behaviour.answer,
      });
    } else if (behaviour.api?.(request, response, count) === true) {
      return;
    } else if (path === '/tableapi/odata/') {
      json(response, 200, { value: [{ name: 'Gen_Documents', kind: 'EntitySet', url: 'Gen_Documents' }] });
    } else if (path === '/tableapi/odata/$metadata') {
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end(METADATA);
    } else {
      json(response, 404, { message: 'not found' });
    }
  });
  return Object.assign(server, { tokens });
}
