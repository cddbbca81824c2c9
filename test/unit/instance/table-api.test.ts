import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Auth, Endpoints } from '../../../src/core/pipeline.ts';
import { Secret } from '../../../src/core/secret.ts';
import { type Instance, openInstance } from '../../../src/instance/open.ts';
import type { TransportTuning } from '../../../src/instance/transport-options.ts';
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

interface Settings {
  readonly auth?: Auth;
  readonly endpoints?: (origin: string) => Endpoints;
  readonly tuning?: Partial<TransportTuning>;
}

async function open(behaviour: Behaviour, { auth = reference, endpoints, tuning }: Settings = {}) {
  const server = await startMiniInstance(behaviour);
  closers.push(() => server.close());
  const lockFolder = mkdtempSync(join(tmpdir(), 'tablevault-test-'));
  closers.push(() => rmSync(lockFolder, { recursive: true }));
  const opened: Promise<Instance> = openInstance(
    { instance: server.origin, auth, endpoints: endpoints?.(server.origin) ?? {}, limits },
    {
      clock: createEagerClock(Date.now()),
      emit: () => undefined,
      signal: new AbortController().signal,
      random: () => 0.5,
      tuning: { env: {}, ...tuning },
      lockFolder,
    },
  ).then((instance) => {
    closers.push(() => instance.close());
    return instance;
  });
  opened.catch(() => undefined);
  return { server, opened };
}

const xml = (response: ServerResponse, text = METADATA) => {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(text);
  return true;
};

const sitesAt =
  (...paths: string[]) =>
  (origin: string) =>
    paths.map((path, n) => ({ Type: 'TableAPI', Status: n === 0 ? 'Unknown' : 'Working', Url: `${origin}/${path}` }));

/** An API that answers below these roots, and is not there elsewhere. */
const answersAt =
  (...roots: string[]): NonNullable<Behaviour['api']> =>
  ({ url }, response) => {
    const root = roots.find((each) => url.startsWith(each));
    if (root === undefined) json(response, 404, {});
    else if (url.endsWith('$metadata')) xml(response);
    else json(response, 200, { value: [{ name: 'Gen_Documents' }] });
    return true;
  };

describe('of several Table API sites that an instance lists', () => {
  it.each([
    ['is not there', (response: ServerResponse) => json(response, 404, {})],
    ['is down', (response: ServerResponse) => json(response, 503, {})],
    ['resets connections', (response: ServerResponse) => response.destroy()],
    ['redirects to a sign-in page', (response: ServerResponse) => response.writeHead(302, { location: '/id' }).end()],
    ['shows a page', (response: ServerResponse) => response.end('<!DOCTYPE html><html></html>')],
    ['takes no token', (response: ServerResponse) => json(response, 401, {})],
  ])('the one that works is taken when the other %s', async (_, dead) => {
    const api: Behaviour['api'] = (request, response, count) => {
      if (!request.url.startsWith('/dead')) return answersAt('/tableapi/odata/')(request, response, count);
      dead(response);
      return true;
    };
    const { server, opened } = await open({ sites: sitesAt('dead', 'tableapi'), api });
    expect((await opened).tableApi).toBe(`${server.origin}/tableapi/odata/`);
  });

  it('the one that works is taken while the other never answers', async () => {
    const api: Behaviour['api'] = ({ url }) => url.startsWith('/hangs');
    const { server, opened } = await open(
      { sites: sitesAt('hangs', 'tableapi'), api },
      { tuning: { firstByteTimeoutMs: 200 } },
    );
    expect((await opened).tableApi).toBe(`${server.origin}/tableapi/odata/`);
  });

  it('those that work are named when there are more than one, and no other', async () => {
    const api = answersAt('/a/odata/', '/c/odata/');
    const { server, opened } = await open({ sites: sitesAt('b', 'a', 'c'), api });
    const error = await opened.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'AMBIGUOUS_ENDPOINT',
      exitCode: 2,
      message: `2 of 3 Table API sites of the instance work: ${server.origin}/a/odata/, ${server.origin}/c/odata/`,
      hint: expect.stringContaining(`tableApi: ${server.origin}/a/odata/`),
    });
  });

  it('each is named with its fault when none works', async () => {
    const { opened } = await open({ sites: sitesAt('a', 'b'), api: answersAt() });
    await expect(opened).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      message: expect.stringMatching(/none of the 2 .*\/a\/odata\/: .*404.*\/b\/odata\/: /),
    });
  });

  it('those of another origin are sent nothing', async () => {
    const other = await startServer((_, response) => void xml(response));
    closers.push(() => other.close());
    const sites = (origin: string) => [
      { Type: 'TableAPI', Status: 'Working', Url: `${other.origin}/tableapi` },
      { Type: 'TableAPI', Status: 'Working', Url: `${origin}/tableapi` },
    ];
    const { server, opened } = await open({ sites });
    expect((await opened).tableApi).toBe(`${server.origin}/tableapi/odata/`);
    expect(other.seen).toEqual([]);
  });

  it('those of another origin are offered when the own one does not work', async () => {
    const sites = (origin: string) => [
      { Type: 'TableAPI', Status: 'Working', Url: 'https://other.example/tableapi' },
      { Type: 'TableAPI', Status: 'Working', Url: `${origin}/tableapi` },
    ];
    const { opened } = await open({ sites, api: answersAt() });
    await expect(opened).rejects.toMatchObject({ hint: expect.stringContaining('https://other.example/tableapi') });
  });
});

describe('a configured Table API', () => {
  it.each(['/any/place', '/any/place/', '/tableapi/OData', '/v4/odata'])('is taken as it is: %s', async (path) => {
    const root = `${path.replace(/\/$/, '')}/`;
    const { server, opened } = await open(
      { api: answersAt(root) },
      { endpoints: (origin) => ({ tableApi: `${origin}${path}` }) },
    );
    expect((await opened).tableApi).toBe(`${server.origin}${root}`);
    expect(server.seen.map(({ url }) => url)).toEqual([`${root}$metadata`, root]);
  });

  it.each([404, 401, 403, 500])('gets odata/ appended when $metadata answers %i without', async (status) => {
    const api: Behaviour['api'] = ({ url }, response) => {
      if (url !== '/tableapi/$metadata') return false;
      json(response, status, { message: 'invalid' });
      return true;
    };
    const { server, opened } = await open({ api }, { endpoints: (origin) => ({ tableApi: `${origin}/tableapi` }) });
    expect((await opened).tableApi).toBe(`${server.origin}/tableapi/odata/`);
  });

  it('whose token is refused at both addresses says so', async () => {
    const api: Behaviour['api'] = ({ url }, response) => {
      json(response, url === '/tableapi/$metadata' ? 401 : 404, {});
      return true;
    };
    const { opened } = await open({ api }, { endpoints: (origin) => ({ tableApi: `${origin}/tableapi` }) });
    await expect(opened).rejects.toMatchObject({ code: 'AUTH_TOKEN' });
  });

  it('with a reference token is all that is asked', async () => {
    const endpoints = (origin: string) => ({ tableApi: `${origin}/tableapi/odata` });
    const { server, opened } = await open({}, { endpoints });
    expect(await opened).toMatchObject({ version: null, discovery: { source: null } });
    expect(new Set(server.seen.map(({ url }) => url))).toEqual(
      new Set(['/tableapi/odata/$metadata', '/tableapi/odata/']),
    );
  });

  it('with a configured authority and a service identity is all that is asked', async () => {
    const endpoints = (origin: string) => ({ tableApi: `${origin}/tableapi/odata`, identity: `${origin}/id` });
    const { server, opened } = await open({}, { endpoints, auth: service });
    await opened;
    expect(new Set(server.seen.map(({ url }) => url.split('/')[1]))).toEqual(new Set(['id', 'tableapi']));
  });
});

describe('$metadata', () => {
  it('is the same however it is written, and another when it says something else', async () => {
    const written = [
      METADATA,
      `${METADATA}<!-- generated at 12:00:00 -->`,
      METADATA.replace('Name="Id" Type="Edm.Guid" Nullable="false"', 'Nullable="false"  Type="Edm.Guid"\n Name="Id"'),
      METADATA.replaceAll('\n', '\n\n  '),
      METADATA.replace('Edm.Guid', 'Edm.String'),
    ];
    const api: Behaviour['api'] = ({ url }, response, count) =>
      url.endsWith('$metadata') && xml(response, written[count]);
    const instance = await (await open({ api })).opened;
    for (let n = 1; n <= 3; n += 1) expect((await instance.reloadModel()).sha256).toBe(instance.metadataSha256);
    expect((await instance.reloadModel()).sha256).not.toBe(instance.metadataSha256);
  });

  it.each(['2.0', '3.0'])('of OData %s at a configured address is named, not looked past', async (version) => {
    const old = `<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">
<edmx:DataServices m:DataServiceVersion="${version}" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"/></edmx:Edmx>`;
    const api: Behaviour['api'] = ({ url }, response) => {
      if (url === '/old/$metadata') xml(response, old);
      else json(response, 404, {});
      return true;
    };
    const { opened } = await open({ api }, { endpoints: (origin) => ({ tableApi: `${origin}/old` }) });
    await expect(opened).rejects.toMatchObject({
      code: 'INSTANCE_ANSWER',
      message: expect.stringContaining(`OData V${version.slice(0, 1)}`),
    });
  });
});
