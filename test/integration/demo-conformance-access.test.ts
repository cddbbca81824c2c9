/** The demo instance against FACTS: addresses, identity, rights, sessions and limits. Tests are named after the statements. */
import { createHash } from 'node:crypto';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { demoApplication, demoSecret } from '../../src/demo/applications.ts';
import { conformanceClient } from '../unit/demo/conformance.ts';
import { startClient } from '../unit/demo/support.ts';

const client = await conformanceClient();

/** The form of a token request that is right. */
const form = (uri = 'my.app/backup') => ({
  grant_type: 'client_credentials',
  client_id: uri,
  client_secret: demoSecret(uri, 1),
  scope: 'read',
});
const bearer = async (uri?: string) => ({
  authorization: `Bearer ${(await client.token(form(uri))).body['access_token']}`,
});
const KEY = 'Gen_Currencies?$select=Currency_Id';

describe('addresses', () => {
  test('[T] auto-discovery is anonymous JSON at /tools/auto-discovery or /sys/auto-discovery', async () => {
    const paths = ['/tools/auto-discovery', '/sys/auto-discovery'];
    for (const [discovery, found] of [
      ['tools', [200, 404]],
      ['sys', [404, 200]],
      ['both', [200, 200]],
      ['none', [404, 404]],
    ] as const) {
      client.demo.configure({ personality: { discovery } });
      expect(await Promise.all(paths.map(async (path) => (await client.raw(path)).status))).toEqual(found);
    }
    client.demo.configure({ personality: { discovery: 'tools' } });
    const document = JSON.parse((await client.raw(paths[0]!)).text);
    expect(document).toMatchObject({ Host: new URL(client.demo.url).host, DbName: 'DEMO' });
    for (const site of document.WebSites) {
      expect(Object.keys(site).sort()).toEqual([
        'AdditionalProperties',
        'Status',
        'StatusDescription',
        'System',
        'Type',
        'Url',
      ]);
    }
    expect(document.WebSites.map((site: { Type: string }) => site.Type)).toEqual(['ID', 'TableAPI', 'DomainAPI']);
  });

  test('[T] a private site is not listed, though it works; there may be several Table API sites', async () => {
    const sites = async () =>
      JSON.parse((await client.raw('/tools/auto-discovery')).text).WebSites.filter(
        (site: { Type: string }) => site.Type === 'TableAPI',
      );
    client.demo.configure({ personality: { tableApiSite: 'private' } });
    expect(await sites()).toEqual([]);
    expect((await client.get(KEY)).status).toBe(200);
    client.demo.configure({ personality: { tableApiSite: 'two' } });
    expect((await sites()).length).toBe(2);
    client.demo.configure({ personality: { tableApiSite: 'not-working' } });
    expect((await sites())[0].Status).toBe('NotWorking');
  });

  test('[T] the Table API is at /tableapi with its OData root below: service document, $metadata, a set per table', async () => {
    const service = JSON.parse((await client.get('')).text);
    expect(service.value.map((entry: { name: string }) => entry.name).sort()).toEqual(
      client.demo.tables.map((table) => table.name).sort(),
    );
    expect(service.value[0]).toMatchObject({ kind: 'EntitySet', url: service.value[0].name });
    expect((await client.get('$metadata')).headers.get('content-type')).toBe('application/xml');
    for (const table of client.demo.tables)
      expect((await client.get(`${table.name}?$top=1`)).status, table.name).toBe(200);
    expect((await client.get('No_Such_Table')).status).toBe(404);
  });

  test('[T] /tools/ver gives the version as text', async () => {
    const reply = await client.raw('/tools/ver');
    expect(reply.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(reply.text).toMatch(/^\d+\.\d+/);
  });

  test('[T] the identity authority is <instance>/id', async () => {
    const document = JSON.parse((await client.raw('/id/.well-known/openid-configuration')).text);
    expect(document.issuer).toBe(`${client.demo.url}/id`);
    expect(document.token_endpoint).toBe(`${client.demo.url}/id/connect/token`);
  });
});

describe('the service application', () => {
  test('[T] gets a token of about an hour for client_credentials, and no refresh token', async () => {
    const { status, body } = await client.token(form());
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'read' });
    expect(body).not.toHaveProperty('refresh_token');
    expect((await client.get(KEY, { authorization: `Bearer ${body['access_token']}` })).status).toBe(200);
  });

  test('[T] access tokens are RS256 at+jwt with iss, aud, scope list, client_db, exp and no sid, and verify against the JWKS', async () => {
    const token = String((await client.token(form())).body['access_token']);
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
    const jwks = createRemoteJWKSet(new URL(`${client.demo.url}/id/.well-known/openid-configuration/jwks`));
    const { payload } = await jwtVerify(token, jwks, {
      issuer: `${client.demo.url}/id`,
      audience: 'TableAPI',
      typ: 'at+jwt',
    });
    expect(payload).toMatchObject({ scope: ['read'], client_db: 'DEMO', client_id: 'my.app/backup' });
    expect(payload.exp! - payload.iat!).toBe(3600);
    expect(payload).not.toHaveProperty('sid');
  });

  test('keys rotate: new tokens have a new key, old tokens still verify', async () => {
    const issue = async () => String((await client.token(form())).body['access_token']);
    const before = await issue();
    await client.demo.rotateKeys();
    const after = await issue();
    expect(decodeProtectedHeader(after).kid).not.toBe(decodeProtectedHeader(before).kid);
    const jwks = createRemoteJWKSet(new URL(`${client.demo.url}/id/.well-known/openid-configuration/jwks`));
    for (const token of [before, after]) await jwtVerify(token, jwks);
  });

  test('[T] with no scope asked all scopes of the application are granted, and what was granted comes back', async () => {
    const { scope: _, ...without } = form('my.app/wide');
    const { body } = await client.token(without);
    expect(body['scope']).toBe('read update offline_access');
    expect(decodeJwt(String(body['access_token']))['scope']).toEqual(['read', 'update', 'offline_access']);
    expect((await client.token(form('my.app/wide'))).body['scope']).toBe('read');
  });

  test('[T] DomainApi is a dead scope: asked for, it is not granted', async () => {
    expect((await client.token({ ...form(), scope: 'read DomainApi' })).body['scope']).toBe('read');
  });

  test.each([
    ['invalid_client', 'an unknown application', { client_id: 'my.app/unknown' }],
    ['invalid_client', 'a disabled one', form('my.app/disabled')],
    ['invalid_client', 'a wrong secret', { client_secret: 'wrong' }],
    ['invalid_client', 'one without a secret', form('my.app/no-secret')],
    ['invalid_client', 'one that is not Confidential', form('my.app/public')],
    ['unauthorized_client', 'SystemUserAllowed missing', form('my.app/no-system-user-allowed')],
    ['unauthorized_client', 'a System User missing', form('my.app/no-system-user')],
    ['invalid_scope', 'no scope read', form('my.app/no-read')],
    ['invalid_grant', 'a spent code', { grant_type: 'authorization_code', code: 'x' }],
    ['unsupported_grant_type', 'another grant', { grant_type: 'password' }],
  ])('[T] token error %s for %s', async (error, _, change) => {
    const { status, body } = await client.token({ ...form(), ...(change as Record<string, string>) });
    expect(status).toBe(400);
    expect(body['error']).toBe(error);
    expect(body).not.toHaveProperty('access_token');
  });

  test('[T] token error invalid_request for a request without a grant, with a field twice, or that is no form', async () => {
    const post = async (body: string, type: string) =>
      (
        await fetch(`${client.demo.url}/id/connect/token`, { method: 'POST', body, headers: { 'content-type': type } })
      ).json();
    const url = 'application/x-www-form-urlencoded';
    expect(await post('client_id=x', url)).toMatchObject({ error: 'invalid_request' });
    expect(await post('grant_type=client_credentials&client_id=a&client_id=b', url)).toMatchObject({
      error: 'invalid_request',
    });
    expect(await post(JSON.stringify(form()), 'application/json')).toMatchObject({ error: 'invalid_request' });
  });

  test('[T] the secret is registered as base64(sha256(secret))', async () => {
    const secretHash = createHash('sha256').update('a new secret').digest('base64');
    client.demo.setApplication({ ...demoApplication('my.app/new', 1), secretHash });
    expect((await client.token({ ...form('my.app/new'), client_secret: 'a new secret' })).status).toBe(200);
    expect((await client.token({ ...form('my.app/new'), client_secret: secretHash })).body['error']).toBe(
      'invalid_client',
    );
  });

  test('a token of an expired hour, a forged one and one of a disabled application get 401; one without read 403', async () => {
    const { scope: _, ...all } = form('my.app/no-read');
    const noRead = String((await client.token(all)).body['access_token']);
    expect((await client.get(KEY, { authorization: `Bearer ${noRead}` })).status).toBe(403);
    const [head, payload] = noRead.split('.');
    expect((await client.get(KEY, { authorization: `Bearer ${head}.${payload}.AAAA` })).status).toBe(401);
    client.demo.setApplication(demoApplication('my.app/going', 1));
    const going = await bearer('my.app/going');
    client.demo.setApplication(demoApplication('my.app/going', 1, { isEnabled: false }));
    expect((await client.get(KEY, going)).status).toBe(401);
    const own = await startClient({ tables: ['Gen_Currencies'] });
    const old = { authorization: `Bearer ${(await own.token(form())).body['access_token']}` };
    expect((await own.get(KEY, old)).status).toBe(200);
    own.demo.advanceClock(3_600_001);
    const late = await own.get(KEY, old);
    expect(late.status).toBe(401);
    expect(late.headers.get('www-authenticate')).toBe('Bearer');
    await own.close();
  });
});

describe('reference tokens', () => {
  test('[T] are opaque enrt_… and go as Authorization: Bearer, X-Api-Key or Api-Key, only one of them', async () => {
    const token = client.demo.credentials.referenceToken;
    expect(token).toMatch(/^enrt_[\w-]{20,}$/);
    const status = async (headers: Record<string, string>) => (await client.get(KEY, headers)).status;
    expect(await status({ authorization: `Bearer ${token}` })).toBe(200);
    expect(await status({ 'x-api-key': token })).toBe(200);
    expect(await status({ 'api-key': token })).toBe(200);
    expect(await status({ 'x-api-key': token, authorization: `Bearer ${token}` })).toBe(401);
    expect(await status({ authorization: `Basic ${Buffer.from('a:b').toString('base64')}` })).toBe(401);
    expect(await status({})).toBe(401);
  });

  test('[T] the policy AccessTokens says who may issue them', () => {
    const issue = (application: string, kind: 'SAT' | 'PAT', by: 'administrator' | 'user') => () =>
      client.demo.issueReferenceToken({ application, kind, by });
    expect(issue('my.app/backup', 'PAT', 'user')).not.toThrow();
    expect(issue('my.app/backup', 'SAT', 'administrator')).not.toThrow();
    expect(issue('my.app/backup', 'SAT', 'user')).toThrow(/AuthenticatedUsers/);
    expect(issue('my.app/admin-tokens', 'PAT', 'user')).toThrow(/AdministratorsOnly/);
    expect(issue('my.app/admin-tokens', 'SAT', 'administrator')).not.toThrow();
    expect(issue('my.app/no-tokens', 'PAT', 'administrator')).toThrow(/None/);
    expect(issue('my.app/no-system-user', 'SAT', 'administrator')).toThrow(/System User/);
  });

  test("[T] a SAT acts as the System User, a PAT as a person with that person's rights", async () => {
    const rights = { hiddenColumns: { Crm_Customers: ['Credit_Limit'] } };
    const pat = client.demo.issueReferenceToken({
      application: 'my.app/backup',
      kind: 'PAT',
      by: 'user',
      user: 'maria',
      rights,
    });
    const sat = client.demo.issueReferenceToken({ application: 'my.app/backup', kind: 'SAT', by: 'administrator' });
    expect([pat.user, sat.user]).toEqual(['maria', 'backup']);
    const row = async (token: string) => (await client.page('Crm_Customers?$top=1', { 'x-api-key': token })).rows[0]!;
    expect(await row(pat.token)).not.toHaveProperty('Credit_Limit');
    expect(await row(sat.token)).toHaveProperty('Credit_Limit');
  });

  test('[T] end when they were issued to, and are revocable at any moment', async () => {
    const own = await startClient({ tables: ['Gen_Currencies'] });
    const issue = (expiresAt?: number) =>
      own.demo.issueReferenceToken({
        application: 'my.app/backup',
        kind: 'SAT',
        by: 'administrator',
        ...(expiresAt === undefined ? {} : { expiresAt }),
      }).token;
    const status = async (token: string) => (await own.get(KEY, { 'x-api-key': token })).status;
    const short = issue(Date.now() + 60_000);
    expect(await status(short)).toBe(200);
    own.demo.advanceClock(60_001);
    expect(await status(short)).toBe(401);
    const long = issue();
    expect(await status(long)).toBe(200);
    own.demo.revokeTokens(long);
    expect(await status(long)).toBe(401);
    await own.close();
  });

  test('have scopes: without read 403', async () => {
    const { token } = client.demo.issueReferenceToken({
      application: 'my.app/wide',
      kind: 'PAT',
      by: 'user',
      scopes: ['update'],
    });
    expect((await client.get(KEY, { 'x-api-key': token })).status).toBe(403);
  });
});
