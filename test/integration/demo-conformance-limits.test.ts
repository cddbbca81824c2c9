/** The demo instance against FACTS: rights, sessions, licences and limits. */
import { describe, expect, test } from 'vitest';
import { demoSecret } from '../../src/demo/applications.ts';
import { conformanceClient } from '../unit/demo/conformance.ts';
import { parseExact, startClient } from '../unit/demo/support.ts';

const client = await conformanceClient();

/** The form of a token request that is right. */
const form = (uri = 'my.app/backup') => ({
  grant_type: 'client_credentials',
  client_id: uri,
  client_secret: demoSecret(uri, 1),
  scope: 'read',
});
const KEY = 'Gen_Currencies?$select=Currency_Id';

describe('rights', () => {
  test('[T] a read can be short without an error: rows of a whole chain, or of one response', async () => {
    client.demo.configure({ rights: { maxRows: 25 } });
    expect((await client.page('Gen_Countries?$select=Country_Id')).rows.length).toBe(
      Math.min(25, count('Gen_Countries')),
    );
    const { rows, pages } = await client.all('Gen_Documents?$top=10&$select=Id');
    expect([rows.length, pages]).toEqual([25, 3]);
    const first = await client.page('Gen_Documents?$top=25&$select=Id');
    expect([first.rows.length, first.nextLink]).toEqual([25, undefined]);
  });

  test('[T] a read can be narrow without an error: columns absent, or null', async () => {
    client.demo.configure({ rights: { hiddenColumns: { Sec_Users: ['Email'] } } });
    const row = async () => (await client.page('Sec_Users?$top=1&$select=User_Id,Email')).rows[0]!;
    expect(await row()).not.toHaveProperty('Email');
    client.demo.configure({ rights: { hiddenColumnsAs: 'null' } });
    expect((await row())['Email']).toBeNull();
  });

  test('[T] records can be hidden without an error, while Dmv_Table_Info tells of them', async () => {
    client.demo.configure({ rights: { hiddenRows: { Gen_Documents: 0.5 } } });
    const { rows } = await client.all('Gen_Documents?$top=100&$select=Id');
    expect(rows.length).toBeGreaterThan(count('Gen_Documents') * 0.3);
    expect(rows.length).toBeLessThan(count('Gen_Documents') * 0.7);
    const info = await client.page("Dmv_Table_Info?$filter=Table_Name eq 'Gen_Documents'");
    expect((info.rows[0]!['Row_Count'] as { text: string }).text).toBe(String(count('Gen_Documents')));
    expect((await client.get('Gen_Documents/$count')).text).toBe(String(rows.length));
  });

  test('a forbidden table answers 403', async () => {
    client.demo.configure({ rights: { forbiddenTables: ['Sec_Users'] } });
    expect((await client.get('Sec_Users')).status).toBe(403);
  });
});

const count = (table: string) => client.demo.tables.find((entry) => entry.name === table)!.rows;

describe('sessions, licences, limits', () => {
  test('[T] the first call of a token opens a session; without a free seat the error is named MaximumLicenseCountExceeded', async () => {
    const own = await startClient({ tables: ['Gen_Currencies'], limits: { seats: 3, seatsTaken: 2 } });
    expect((await own.get(KEY)).status).toBe(200);
    const second = { authorization: `Bearer ${(await own.token(form())).body['access_token']}` };
    const refused = await own.get(KEY, second);
    expect(refused.status).toBe(500);
    expect(JSON.parse(refused.text).type).toBe('MaximumLicenseCountExceeded');
    own.demo.configure({ limits: { seatErrorStatus: 403 } });
    expect((await own.get(KEY, second)).status).toBe(403);
    own.demo.advanceClock(20 * 60_000);
    expect((await own.get(KEY, second)).status).toBe(200);
    expect(own.demo.witness().sessions).toMatchObject({ open: 1, opened: 2, maxOpen: 1, refused: 2 });
    await own.close();
  });

  test.each([true, false])(
    '[I] a response that streams past the end of its session is cut: %s',
    async (cutAtSessionEnd) => {
      const own = await startClient({
        tables: ['Gen_Documents'],
        rows: 0.1,
        limits: { cutAtSessionEnd },
        personality: { compression: [] },
      });
      own.demo.configure({ limits: { bytesPerSecond: 4_000_000 } });
      const reading = own.get('Gen_Documents').then(
        (reply) => reply.text,
        () => 'cut',
      );
      await expect
        .poll(() => own.demo.witness().log[0]?.bytes ?? 0, { interval: 5, timeout: 10_000 })
        .toBeGreaterThan(0);
      own.demo.configure({ limits: { bytesPerSecond: null } });
      own.demo.advanceClock(3_600_001);
      const text = await reading;
      if (cutAtSessionEnd) expect(text).toBe('cut');
      else expect((parseExact(text) as { value: unknown[] }).value.length).toBe(4000);
      await own.close();
    },
  );

  test('[T] one token from two processes is noticed', async () => {
    const { execFile } = await import('node:child_process');
    const script = `fetch(process.argv[1], { headers: { 'x-api-key': process.argv[2] } }).then((r) => r.text())`;
    await client.get(KEY);
    const before = client.demo.witness().sharedTokenRequests;
    await client.get(KEY);
    expect(client.demo.witness().sharedTokenRequests).toBe(before);
    const args = ['-e', script, `${client.demo.url}/tableapi/odata/${KEY}`, client.demo.credentials.referenceToken];
    await new Promise((resolve, reject) =>
      execFile(process.execPath, args, (error) => (error === null ? resolve(null) : reject(error))),
    );
    if (process.platform === 'linux') expect(client.demo.witness().sharedTokenRequests).toBe(before + 1);
  });

  test('[T] GlobalConcurrentRequests: two at once, five in the queue, 429 beyond, over all sessions', async () => {
    // A clock whose waits end when the test says so: no slot comes free before all ten have called.
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const clock = { now: () => Date.now(), sleep: () => gate };
    const own = await startClient({ tables: ['Gen_Currencies'], limits: { latencyMs: 1 }, clock });
    const service = { authorization: `Bearer ${(await own.token(form())).body['access_token']}` };
    const statuses: number[] = [];
    const calls = Array.from({ length: 10 }, async (_, i) => {
      statuses.push((await own.get(KEY, i % 2 === 0 ? undefined : service)).status);
    });
    await expect.poll(() => statuses.length, { timeout: 10_000 }).toBe(3);
    expect(statuses).toEqual([429, 429, 429]);
    open();
    await Promise.all(calls);
    expect(statuses.filter((status) => status === 200).length).toBe(7);
    expect(own.demo.witness()).toMatchObject({ maxInFlight: 2, maxQueued: 5, tooManyRequests: 3 });
    await own.close();
  });

  test('[T] limits answer 429; Retry-After comes or does not', async () => {
    client.demo.configure({ limits: { slots: 0, queue: 0 } });
    const without = await client.get(KEY);
    expect([without.status, without.headers.get('retry-after')]).toEqual([429, null]);
    client.demo.configure({ limits: { retryAfterSeconds: 3 } });
    expect((await client.get(KEY)).headers.get('retry-after')).toBe('3');
  });

  test('latency and bandwidth of a request can be set', async () => {
    client.demo.configure({ limits: { latencyMs: 120, bytesPerSecond: 100_000 }, personality: { compression: [] } });
    const began = performance.now();
    const { text } = await client.get('Gen_Countries?$top=100');
    expect(performance.now() - began).toBeGreaterThan(100 + (text.length / 100_000) * 800);
  });
});
