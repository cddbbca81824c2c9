/** Faults on order, the witness, the control port and the page of the demo instance. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Fault, FaultAction } from '../../src/demo/instance.ts';
import { HOSTILE_NAMES } from '../../src/demo/metadata.ts';
import { type Client, parseExact, startClient } from '../unit/demo/support.ts';

let client: Client;
beforeAll(async () => {
  client = await startClient({ rows: 0.02, personality: { compression: [] } });
});
beforeEach(() => client.demo.configure({ faults: [] }));
afterAll(() => client.close());

const PAGE = 'Gen_Documents?$top=50&$select=Id';
const order = (action: FaultAction, more: Partial<Fault> = {}) =>
  client.demo.configure({ faults: [{ on: { path: 'Gen_Documents', nth: 1 }, do: action, ...more }] });
const fired = () => client.demo.witness().faults.at(-1);

describe('a fault', () => {
  test('befalls the request it was ordered for, is recorded, and then is over', async () => {
    client.demo.configure({
      faults: [{ on: { path: /Gen_Documents/, nth: 2, times: 2 }, do: { status: 503, retryAfterSeconds: 4 } }],
    });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await client.get(PAGE)).status);
    expect(statuses).toEqual([200, 503, 503, 200]);
    expect(fired()).toMatchObject({ do: 'status 503', method: 'GET', nth: 3 });
  });

  test.each(['cut', 'cut-clean'] as const)('%s ends a body after so many bytes', async (action) => {
    const whole = (await client.get('Gen_Documents')).text;
    order(action, { afterBytes: 5000 });
    const reply = client.get('Gen_Documents').then((found) => found.text);
    if (action === 'cut') await expect(reply).rejects.toThrow();
    else expect(await reply).toBe(whole.slice(0, (await reply).length));
    if (action === 'cut-clean') expect(Buffer.byteLength(await reply)).toBe(5000);
    expect(fired()?.do).toBe(action);
  });

  test('cut befalls short bodies and coded ones too', async () => {
    order('cut-clean', { afterBytes: 1_000_000 });
    expect(() => parseExact('')).toThrow();
    const text = (await client.get(PAGE)).text;
    expect(() => parseExact(text)).toThrow();
    client.demo.configure({
      personality: { compression: ['gzip'] },
      faults: [{ on: { path: 'Gen_Documents' }, do: 'cut', afterBytes: 100 }],
    });
    await expect(client.get(PAGE)).rejects.toThrow();
    client.demo.configure({ personality: { compression: [] } });
  });

  test('reset and hang give no answer', async () => {
    order('reset');
    await expect(client.get(PAGE)).rejects.toThrow();
    order('hang');
    const signal = AbortSignal.timeout(200);
    await expect(fetch(`${client.demo.url}/tableapi/odata/${PAGE}`, { signal })).rejects.toThrow(/timeout/);
    order('hang-in-body', { afterBytes: 500 });
    const key = { 'x-api-key': client.demo.credentials.referenceToken };
    const response = await fetch(`${client.demo.url}/tableapi/odata/Gen_Documents`, {
      headers: key,
      signal: AbortSignal.timeout(300),
    });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow(/timeout/);
    await expect.poll(() => client.demo.witness().inFlight).toBe(0);
  });

  test('error-in-stream puts an error object in the place of a row; open leaves the JSON open', async () => {
    order('error-in-stream');
    const { rows } = await client.page(PAGE);
    expect(rows.at(-1)).toHaveProperty('error');
    order('error-in-stream-open');
    const text = (await client.get(PAGE)).text;
    expect(text).toContain('"error":{');
    expect(() => parseExact(text)).toThrow();
  });

  test('short and duplicate-row are well formed and wrong', async () => {
    order('short');
    const short = await client.page('Gen_Documents?$select=Id');
    expect(short.rows.length).toBeGreaterThan(0);
    expect(short.rows.length).toBeLessThan(800);
    expect(short.nextLink).toBeUndefined();
    order('duplicate-row');
    const twice = (await client.page(PAGE)).rows.map((row) => row['Id']);
    expect(new Set(twice).size).toBeLessThan(twice.length);
  });

  test('links lead to another origin or in a loop; the other origin counts the credentials it is sent', async () => {
    order('link-foreign');
    const foreign = (await client.page(PAGE)).nextLink!;
    expect(new URL(foreign).origin).toBe(client.demo.foreignUrl);
    expect(client.demo.witness().credentials['foreign']).toBe(0);
    await client.raw(foreign, { 'x-api-key': 'what a careless client would send' });
    expect(client.demo.witness().credentials['foreign']).toBe(1);
    expect(JSON.stringify(client.demo.witness())).not.toContain('careless');
    order('link-loop');
    const loop = (await client.page(PAGE)).nextLink!;
    expect(loop).toBe(`${client.demo.url}/tableapi/odata/${PAGE}`);
    order('redirect-foreign');
    expect((await client.get(PAGE)).headers.get('location')).toContain(client.demo.foreignUrl);
    order('html');
    expect((await client.get(PAGE)).headers.get('content-type')).toBe('text/html');
  });

  test('revoke-token takes the token away in the midst of a run', async () => {
    const { token } = client.demo.issueReferenceToken({
      application: 'my.app/backup',
      kind: 'SAT',
      by: 'administrator',
    });
    const statuses: number[] = [];
    client.demo.configure({ faults: [{ on: { path: 'Gen_Documents', nth: 2 }, do: 'revoke-token' }] });
    for (let i = 0; i < 3; i++) statuses.push((await client.get(PAGE, { 'x-api-key': token })).status);
    expect(statuses).toEqual([200, 401, 401]);
  });
});

test('a fault that does not fit its request, and a switch that does not exist, are errors', async () => {
  client.demo.configure({ faults: [{ on: { path: 'auto-discovery' }, do: 'link-loop' }] });
  expect((await client.raw('/tools/auto-discovery')).status).toBe(501);
  client.demo.configure({ faults: [{ on: { path: 'metadata' }, do: 'short' }] });
  expect((await client.get('$metadata')).status).toBe(501);
  client.demo.configure({ faults: [{ on: { path: 'auto-discovery' }, do: 'cut', afterBytes: 10 }] });
  await expect(client.raw('/tools/auto-discovery')).rejects.toThrow();
  expect(() => client.demo.configure({ personality: { nextlink: 'none' } as object })).toThrow(
    /no personality switch nextlink/,
  );
});

describe('the awkward instance', () => {
  test('serves rows of 100 MB', async () => {
    const value = { repeat: 'Я', times: 50_000_000 };
    const own = await startClient({
      tables: ['Crm_Sales_Order_Lines'],
      rows: 0.001,
      values: [{ table: 'Crm_Sales_Order_Lines', row: 7, column: 'Notes', value }],
    });
    const reply = await own.get('Crm_Sales_Order_Lines?$select=Notes', {
      'x-api-key': own.demo.credentials.referenceToken,
      'accept-encoding': 'identity',
    });
    expect(Buffer.byteLength(reply.text)).toBeGreaterThan(100_000_000);
    expect(JSON.parse(reply.text).value[7].Notes.length).toBe(50_000_000);
    await own.close();
  });

  test('has entity sets with hostile names, and serves them', async () => {
    client.demo.configure({ personality: { hostileNames: true } });
    const names = JSON.parse((await client.get('')).text).value.map((entry: { name: string }) => entry.name);
    expect(names).toEqual(expect.arrayContaining(HOSTILE_NAMES));
    expect((await client.get(`${encodeURIComponent('a&b<c>"d')}?$top=1`)).status).toBe(200);
    expect((await client.get('$metadata')).text).toContain('Name="a&amp;b&lt;c&gt;&quot;d"');
    client.demo.configure({ personality: { hostileNames: false } });
  });

  test('changes its columns between reads', async () => {
    const own = await startClient({ tables: ['Gen_Parties'], rows: 0.01 });
    const columns = async () => Object.keys((await own.page('Gen_Parties?$top=1')).rows[0]!);
    const before = await columns();
    own.demo.changeSchema({ kind: 'drop', table: 'Gen_Parties', column: 'Notes' });
    own.demo.changeSchema({ kind: 'add', table: 'Gen_Parties', column: { name: 'Added', type: 'int' } });
    expect(await columns()).toEqual([...before.filter((name) => name !== 'Notes'), 'Added']);
    expect((await own.get('$metadata')).text).toMatch(/Name="Added" Type="Edm.Int32" Nullable="false"/);
    expect((await own.get('Gen_Parties?$select=Notes')).status).toBe(500);
    await own.close();
  });

  test('goes on writing by itself while the writer runs', async () => {
    const own = await startClient({ tables: ['Inv_Lots'], rows: 0.1 });
    own.demo.startWriter({ inserts: 1, updates: 1, deletes: 1 }, 5);
    await expect.poll(() => own.demo.changes().length).toBeGreaterThan(8);
    own.demo.stopWriter();
    const written = own.demo.changes().length;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(own.demo.changes().length).toBe(written);
    await own.close();
  });
});

describe('the witness', () => {
  test('counts requests, bytes, slots, tokens and headers', async () => {
    const own = await startClient({ tables: ['Inv_Lots'], rows: 0.1, limits: { latencyMs: 30 } });
    const text = (await own.get('Inv_Lots')).text;
    await own.raw('/tools/ver');
    const witness = own.demo.witness();
    expect(witness).toMatchObject({
      requests: 2,
      byMethod: { GET: 2 },
      byStatus: { 200: 2 },
      byRoute: { 'GET /tableapi/odata/Inv_Lots': 1, 'GET /tools/ver': 1 },
      credentials: { instance: 1, foreign: 0 },
      maxInFlight: 1,
      tokens: { issued: 1, alive: 1 },
      sessions: { opened: 1 },
    });
    expect(witness.slots[0]!.busyMs).toBeGreaterThan(25);
    expect(witness.headers['instance']!['x-api-key']).toEqual(['[credential]']);
    expect(witness.log.map((record) => [record.url, record.status, record.complete])).toEqual([
      ['/tableapi/odata/Inv_Lots', 200, true],
      ['/tools/ver', 200, true],
    ]);
    // fetch asks for gzip: fewer bytes went over the wire.
    expect(witness.log[0]!.bytes).toBeLessThan(Buffer.byteLength(text));
    expect(witness.bytes).toBe(witness.log.reduce((sum, record) => sum + record.bytes, 0));
    await own.close();
  });
});

describe('the control port', () => {
  test('listens on loopback and does what the instance does in process', async () => {
    const { controlUrl, url, credentials } = client.demo;
    expect(new URL(controlUrl).hostname).toBe('127.0.0.1');
    expect(controlUrl).not.toBe(url);
    const post = async (path: string, body: object) =>
      (await fetch(controlUrl + path, { method: 'POST', body: JSON.stringify(body) })).json() as Promise<
        Record<string, unknown>
      >;
    const read = async (path: string) => (await fetch(controlUrl + path)).text();
    expect(JSON.parse(await read('/credentials'))).toEqual(credentials);
    expect(JSON.parse(await read('/tables')).length).toBe(40);
    await post('/configure', {
      personality: { nextLink: 'none' },
      faults: [{ on: { path: 'Gen_Parties' }, do: 'html' }],
    });
    expect((await client.page(PAGE)).nextLink).toBeUndefined();
    expect((await client.get('Gen_Parties')).text).toMatch(/^<html>/);
    await post('/configure', { personality: { nextLink: 'relative' }, faults: [] });
    await post('/write', { inserts: 2, tables: ['Inv_Lots'] });
    expect(JSON.parse(await read('/changes')).length).toBe(2);
    const lots = (await read('/rows/Inv_Lots'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lots.length).toBe(client.demo.tables.find((table) => table.name === 'Inv_Lots')!.rows);
    expect(JSON.parse(await read('/witness')).requests).toBeGreaterThan(1);
    expect(await post('/no-such', {})).toHaveProperty('error');
    expect(await post('/write', { inserts: 1, tables: ['No_Such_Table'] })).toMatchObject({ code: 'USAGE' });
    expect(
      await post('/issue-token', { kind: 'SAT', application: 'my.app/backup', by: 'administrator' }),
    ).toHaveProperty('token');
  });

  test('refuses a body that it cannot use, and says what one holds', async () => {
    const { controlUrl } = client.demo;
    const post = async (path: string, body: object) =>
      (await fetch(controlUrl + path, { method: 'POST', body: JSON.stringify(body) })).json();
    expect(await post('/change-schema', {})).toMatchObject({
      code: 'USAGE',
      error: expect.stringContaining('"kind": "drop"'),
    });
    expect(await post('/issue-token', {})).toMatchObject({
      code: 'USAGE',
      error: expect.stringContaining('"by": "administrator"'),
    });
    expect(await post('/configure', { personalty: {} })).toMatchObject({
      error: expect.stringContaining('personality'),
    });
    expect(await post('/configure', { limits: { latency: 5 } })).toMatchObject({
      error: expect.stringContaining('latencyMs'),
    });
    const switches = (await (await fetch(`${controlUrl}/switches`)).json()) as object;
    expect(switches).toMatchObject({ personality: { count: true }, limits: { seats: 20 }, rights: { maxRows: null } });
  });

  test('takes the bodies that its list shows', async () => {
    const own = await startClient({ tables: ['Gen_Parties'], rows: 0.01 });
    const { controls } = (await (await fetch(own.demo.controlUrl)).json()) as { controls: Record<string, string> };
    for (const [control, what] of Object.entries(controls)) {
      // Bodies as they can be copied, objects within objects too.
      const bodies = what.match(/\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/g) ?? [];
      for (const body of bodies.filter((each) => !each.includes('...') && !/Gen_Documents|my\.app/.test(each))) {
        const [method, path] = control.split(' ');
        const answer = await fetch(own.demo.controlUrl + path, { method: method!, body });
        expect(await answer.json(), `${control} ${body}`).not.toHaveProperty('error');
      }
    }
    await own.close();
  });
});

test('the page at / tells people what this is, the credentials, and commands to copy', async () => {
  const { text, headers } = await client.raw('/');
  const { service, referenceToken } = client.demo.credentials;
  expect(headers.get('content-type')).toMatch(/^text\/html/);
  for (const part of [
    service.clientId,
    service.clientSecret,
    referenceToken,
    'tablevault snapshot',
    'curl',
    'Gen_Documents',
  ]) {
    expect(text).toContain(part);
  }
});
