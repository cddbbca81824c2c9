import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../src/core/events.ts';
import type { Auth, Endpoints } from '../../../src/core/pipeline.ts';
import { Secret } from '../../../src/core/secret.ts';
import { demoApplication } from '../../../src/demo/applications.ts';
import { startDemo } from '../../../src/demo/instance.ts';
import { type Instance, openInstance } from '../../../src/instance/open.ts';
import { createEagerClock } from './support/fake-clock.ts';
import { type Behaviour, CLIENT, METADATA, startMiniInstance } from './support/mini-instance.ts';
import { json, startServer } from './support/server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const service: Auth = { kind: 'service', clientId: CLIENT.id, clientSecret: new Secret(CLIENT.secret) };
const reference: Auth = { kind: 'reference-token', token: new Secret('enrt_example'), header: 'x-api-key' };
const limits = { concurrency: 4, pageRows: 1000, memoryMb: 512, resumeWithinMs: 1e7, deadlineMs: 1e7 };

async function open(
  behaviour: Behaviour = {},
  { auth = service, endpoints = {}, instance }: { auth?: Auth; endpoints?: Endpoints; instance?: string } = {},
) {
  const server = await startMiniInstance(behaviour);
  closers.push(() => server.close());
  const events: RunEvent[] = [];
  const lockFolder = mkdtempSync(join(tmpdir(), 'tablevault-test-'));
  closers.push(() => rmSync(lockFolder, { recursive: true }));
  const opening = openInstance(
    { instance: instance ?? server.origin, auth, endpoints, limits },
    {
      clock: createEagerClock(Date.now()),
      emit: (event) => events.push(event),
      signal: new AbortController().signal,
      random: () => 0.5,
      tuning: { env: {} },
      lockFolder,
    },
  );
  const opened: Promise<Instance> = opening.then((result) => {
    closers.push(() => result.close());
    return result;
  });
  opened.catch(() => undefined);
  return { server, events, opened, lockFolder };
}

const warnings = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));

describe('opening an instance', () => {
  it('finds its Table API, gets a token with scope read alone, and reads the model', async () => {
    const { server, opened, events } = await open();
    const instance = await opened;
    expect(instance.tableApi).toBe(`${server.origin}/tableapi/odata/`);
    expect(instance.version).toBe('26.1.2.3');
    expect(instance.model.tables.map(({ name }) => name)).toEqual(['Gen_Documents']);
    expect(instance.metadataSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await instance.reloadModel()).toMatchObject({ sha256: instance.metadataSha256 });
    const posts = server.seen.filter(({ method }) => method === 'POST');
    expect(posts).toHaveLength(1);
    expect(Object.fromEntries(new URLSearchParams(posts[0]?.body))).toEqual({
      grant_type: 'client_credentials',
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      scope: 'read',
    });
    expect(warnings(events)).toEqual([]);
    expect(await instance.identity.describe()).toBe('service identity my.app/backup, scope read');
  });

  it('only ever sends GET, but for the token request', async () => {
    const { server, opened } = await open();
    await opened;
    expect(server.seen.filter(({ method }) => method !== 'GET').map(({ url }) => url)).toEqual(['/id/connect/token']);
  });

  it('sends no credential during discovery', async () => {
    const { server, opened } = await open({}, { auth: reference });
    await opened;
    for (const { url, headers } of server.seen) {
      expect('x-api-key' in headers).toBe(url.startsWith('/tableapi'));
      expect(headers).not.toHaveProperty('authorization');
    }
  });

  it('uses the older discovery address where the newer is missing', async () => {
    const { opened } = await open({ discoveryPath: '/sys/auto-discovery' });
    expect((await opened).discovery.source).toMatch(/\/sys\/auto-discovery$/);
  });

  it('tries the usual place when the Table API is not listed', async () => {
    const { opened } = await open({ sites: () => [] });
    expect((await opened).discovery.tableApiFrom).toBe('usual place');
  });

  it('works without any discovery document', async () => {
    const { opened } = await open({ discoveryPath: null });
    expect((await opened).discovery.source).toBeNull();
  });

  it.each([404, 503])(
    'takes the identity authority that answers, of several that are listed (the other: %i)',
    async (status) => {
      const sites = (origin: string) => [
        { Type: 'TableAPI', Status: 'Working', Url: `${origin}/tableapi` },
        { Type: 'ID', Status: 'Working', Url: `${origin}/old-id` },
        { Type: 'ID', Status: 'Working', Url: `${origin}/id` },
      ];
      const api: Behaviour['api'] = ({ url }, response) => {
        if (!url.startsWith('/old-id')) return false;
        json(response, status, {});
        return true;
      };
      const { server, opened } = await open({ sites, api });
      expect((await opened).discovery.authority).toBe(`${server.origin}/id`);
      for (const { url, headers } of server.seen)
        if (url.startsWith('/old-id')) expect(headers).not.toHaveProperty('authorization');
    },
  );

  it('asks which of several authorities that answer to use', async () => {
    const sites = (origin: string) =>
      ['id', 'id2', 'gone'].map((name) => ({ Type: 'ID', Status: 'Working', Url: `${origin}/${name}` }));
    const api: Behaviour['api'] = ({ url }, response) => {
      if (!url.startsWith('/id2/')) return false;
      json(response, 200, {});
      return true;
    };
    const { opened } = await open({ sites, api });
    await expect(opened).rejects.toMatchObject({
      code: 'AMBIGUOUS_ENDPOINT',
      message: expect.stringMatching(/has 2 sites of type ID: \S+\/id, \S+\/id2$/),
    });
  });

  it('reports a site that does not work', async () => {
    const { opened, events } = await open({
      sites: (origin) => [
        { Type: 'TableAPI', Status: 'NotWorking', StatusDescription: 'pool stopped', Url: `${origin}/tableapi` },
      ],
    });
    await opened;
    expect(warnings(events)).toEqual(['the instance reports its TableAPI site as NotWorking: pool stopped']);
  });

  it.each(['TableAPI', 'ID'])('sends nothing to another origin that discovery names as %s', async (type) => {
    const other = await startServer((_, response) => json(response, 200, {}));
    closers.push(() => other.close());
    const { server, opened } = await open({
      sites: () => [{ Type: type, Status: 'Working', Url: `${other.origin}/x` }],
    });
    await expect(opened).rejects.toMatchObject({
      code: 'FOREIGN_ORIGIN',
      hint: expect.stringContaining(`: ${other.origin}/x }`),
    });
    expect(other.seen).toHaveLength(0);
    expect(server.tokens).toHaveLength(0);
  });

  it('refuses the global identity, as instance, as configured and as discovered authority', async () => {
    const code = 'AUTH_AUTHORITY';
    await expect((await open({}, { instance: 'https://id.erp.net' })).opened).rejects.toMatchObject({ code });
    await expect((await open({}, { endpoints: { identity: 'https://id.erp.net/id' } })).opened).rejects.toMatchObject({
      code,
      exitCode: 3,
    });
  });

  it('refuses plain http to another machine', async () => {
    const { opened } = await open({}, { instance: 'http://demodb.my.erp.net' });
    await expect(opened).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('in clear'),
    });
  });

  it('says so when there is no Table API', async () => {
    const api: Behaviour['api'] = (_, response) => {
      json(response, 404, {});
      return true;
    };
    await expect((await open({ api })).opened).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      hint: expect.stringContaining('endpoints:'),
    });
  });

  it('reads $metadata again when it breaks off', async () => {
    const api: Behaviour['api'] = (request, response, count) => {
      if (!request.url.endsWith('$metadata') || count > 0) return false;
      response.writeHead(200, { 'content-length': METADATA.length });
      response.write(METADATA.slice(0, 300), () => response.destroy());
      return true;
    };
    expect((await (await open({ api })).opened).model.tables).toHaveLength(1);
  });

  it('reads $metadata again when something else comes in its place', async () => {
    const api: Behaviour['api'] = (request, response, count) => {
      if (!request.url.endsWith('$metadata') || count > 0) return false;
      response.end('{"value":');
      return true;
    };
    expect((await (await open({ api })).opened).model.tables).toHaveLength(1);
  });

  it('only warns when the service document cannot be read', async () => {
    const api: Behaviour['api'] = (request, response) => {
      if (!request.url.endsWith('/odata/')) return false;
      json(response, 404, {});
      return true;
    };
    const { opened, events } = await open({ api });
    expect((await opened).model.tables).toHaveLength(1);
    expect(warnings(events)[0]).toContain('service document');
  });
});

describe('a token', () => {
  it.each([
    ['invalid_client', 401, 'AUTH_CLIENT', 'ApplicationSecretHash'],
    ['unauthorized_client', 400, 'AUTH_CLIENT', 'SystemUserAllowed'],
    ['invalid_scope', 400, 'AUTH_SCOPE', 'Add `read` to Scope'],
    ['invalid_grant', 400, 'AUTH_CLIENT', 'System User'],
    ['unsupported_grant_type', 400, 'AUTH_CLIENT', 'endpoints.identity'],
    ['invalid_request', 400, 'AUTH_CLIENT', 'auth.clientId'],
    ['something_new', 400, 'AUTH_CLIENT', 'Trusted Application'],
  ])('refused with %s says what to change in the Trusted Application', async (error, status, code, hint) => {
    const { opened } = await open({
      token: (_, response) => {
        const description = `secret ${CLIENT.secret} is wrong`;
        json(response, status, { error, error_description: description }, { 'www-authenticate': 'Basic realm="id"' });
        return true;
      },
    });
    const thrown = await opened.catch((caught: unknown) => caught);
    expect(thrown).toMatchObject({
      code,
      exitCode: 3,
      hint: expect.stringContaining(hint),
      message: expect.stringContaining(error),
    });
    expect(String(thrown) + JSON.stringify(thrown)).not.toContain(CLIENT.secret);
  });

  it('without read is refused', async () => {
    await expect((await open({ scope: 'profile' })).opened).rejects.toMatchObject({ code: 'AUTH_SCOPE' });
  });

  it('whose own claims lack read is refused although the answer says otherwise', async () => {
    const claims = (origin: string) => ({ iss: `${origin}/id`, aud: 'TableAPI', scope: ['update'] });
    await expect((await open({ claims, scope: null })).opened).rejects.toMatchObject({ code: 'AUTH_SCOPE' });
  });

  it('with more than read is warned of, once', async () => {
    const { opened, events } = await open({ scope: 'read update DomainApi' });
    await opened;
    expect(warnings(events)).toEqual([expect.stringContaining('update DomainApi')]);
  });

  it('of another issuer is refused', async () => {
    const claims = () => ({ iss: 'https://other.example/id', aud: ['TableAPI'], scope: ['read'] });
    await expect((await open({ claims })).opened).rejects.toMatchObject({ code: 'AUTH_AUTHORITY' });
  });

  it('for another API is refused', async () => {
    const claims = (origin: string) => ({ iss: `${origin}/id`, aud: ['DomainApi'], scope: ['read'] });
    await expect((await open({ claims })).opened).rejects.toMatchObject({
      code: 'AUTH_SCOPE',
      message: expect.stringContaining('DomainApi'),
    });
  });

  it('is asked for again when the authority is busy', async () => {
    const { server, opened } = await open({
      token: (_, response, count) => {
        if (count >= 2) return false;
        json(response, count === 0 ? 503 : 429, {}, { 'retry-after': '1' });
        return true;
      },
    });
    await opened;
    expect(server.tokens).toHaveLength(1);
  });

  it('is not asked for at a foreign token endpoint', async () => {
    const other = await startServer((_, response) => json(response, 200, {}));
    closers.push(() => other.close());
    const { opened } = await open({ tokenEndpoint: () => `${other.origin}/token` });
    await expect(opened).rejects.toMatchObject({ code: 'FOREIGN_ORIGIN' });
    expect(other.seen).toHaveLength(0);
  });

  it.each(['', '/', '//'])('is taken of an issuer that ends in %j', async (end) => {
    const issuer = (origin: string) => `${origin}/id${end}`;
    const claims = (origin: string) => ({
      iss: `${origin}/id${end === '' ? '/' : ''}`,
      aud: ['TableAPI'],
      scope: ['read'],
    });
    expect((await (await open({ issuer, claims })).opened).model.tables).toHaveLength(1);
  });

  it('is taken of an authority that is configured with a slash at its end', async () => {
    const server = await startMiniInstance();
    closers.push(() => server.close());
    const endpoints = { identity: `${server.origin}/id/` };
    await (await open({}, { endpoints, instance: server.origin })).opened;
    expect(server.tokens).toHaveLength(1);
  });

  it.each([
    ['null members', { scope: null, refresh_token: null, expires_in: null, id_token: null }],
    ['its life as text', { expires_in: '3600' }],
    ['no life', { expires_in: undefined }],
  ])('is read from an answer with %s', async (_, answer) => {
    const { server, opened } = await open({ answer });
    expect((await opened).model.tables).toHaveLength(1);
    expect(server.tokens).toHaveLength(1);
  });

  it('is not asked for at an authority that calls itself otherwise', async () => {
    const { server, opened } = await open({ issuer: () => 'https://other.example/id' });
    await expect(opened).rejects.toMatchObject({ code: 'AUTH_AUTHORITY' });
    expect(server.tokens).toHaveLength(0);
  });

  it('is renewed once after a 401 that four requests see at the same time', async () => {
    let revoked = '';
    const { server, opened } = await open({
      api: (request, response) => {
        if (!request.url.includes('Gen_Documents')) return false;
        const good = request.headers.authorization !== `Bearer ${revoked}`;
        json(response, good ? 200 : 401, { value: [] });
        return true;
      },
    });
    const instance = await opened;
    revoked = server.tokens[0] ?? '';
    const url = `${instance.tableApi}Gen_Documents`;
    await Promise.all([1, 2, 3, 4].map(() => instance.transport.getBytes(url, { purpose: 'a page' })));
    expect(server.tokens).toHaveLength(2);
  });
});

describe('a client secret', () => {
  it.each(['p@ss word:100%+/=&?#"\'`\\{}$~!*()', ' begins and ends with a space ', '%2B%20+', 'ключ-ß-漢字'])(
    'arrives at the authority as it is: %j',
    async (secret) => {
      const seed = 7;
      const secretHash = createHash('sha256').update(secret).digest('base64');
      const demo = await startDemo({
        seed,
        rows: 0.001,
        tables: ['Gen_Currencies'],
        applications: [demoApplication('my.app/odd secret+%', seed, { secretHash })],
      });
      closers.push(() => demo.close());
      const auth: Auth = { kind: 'service', clientId: 'my.app/odd secret+%', clientSecret: new Secret(secret) };
      expect((await (await open({}, { auth, instance: demo.url })).opened).model.tables).toHaveLength(1);
    },
  );
});

describe('a reference token', () => {
  it('is locked while it is used, and free afterwards', async () => {
    const { opened, lockFolder } = await open({}, { auth: reference });
    const instance = await opened;
    expect(readdirSync(lockFolder)).toHaveLength(1);
    expect(readdirSync(lockFolder)[0]).not.toContain('enrt_');
    await instance.close();
    expect(readdirSync(lockFolder)).toHaveLength(0);
  });

  it('is free again after an opening that failed', async () => {
    const { opened, lockFolder } = await open(
      { sites: () => [{ Type: 'TableAPI', Url: 'https://other.example/' }] },
      { auth: reference },
    );
    await expect(opened).rejects.toMatchObject({ code: 'FOREIGN_ORIGIN' });
    expect(readdirSync(lockFolder)).toHaveLength(0);
  });

  it('needs no authority', async () => {
    const sites = (origin: string) => [
      { Type: 'TableAPI', Status: 'Working', Url: `${origin}/tableapi` },
      { Type: 'ID', Status: 'Working', Url: 'https://id.erp.net/' },
    ];
    const { opened } = await open({ sites }, { auth: reference });
    expect((await opened).identity.kind).toBe('reference-token');
  });

  it('with a line break in it is refused before it is sent', async () => {
    const { opened } = await open({}, { auth: { ...reference, token: new Secret('enrt_example\n') } });
    await expect(opened).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('the folder of locks', () => {
  it('that cannot be written is an error, not a licence to go on', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'tablevault-test-')), 'file');
    closers.push(() => rmSync(join(file, '..'), { recursive: true }));
    writeFileSync(file, '');
    const opening = openInstance(
      { instance: 'http://127.0.0.1:1', auth: reference, endpoints: {}, limits },
      { clock: createEagerClock(), emit: () => undefined, signal: new AbortController().signal, lockFolder: file },
    );
    await expect(opening).rejects.toMatchObject({ code: 'LOCKED' });
  });
});
