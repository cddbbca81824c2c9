/** The main job, points 2 to 4: authentication, discovery, reading. One test for each sentence that no unit test says already. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { type Job, newestManifest, paragraphOf, snapshotsIn, startJob, type Taken } from '../support/job.ts';

const SMALL = ['Gen_C*'];

function expectDone(taken: Taken): void {
  expect(taken.code, taken.stderr).toBe(0);
  expect(taken.report).toMatchObject({ complete: true, error: null });
}

/** Nothing published; the error of the only table that failed. */
async function expectFailed(taken: Taken, exit: number, codes: readonly string[]): Promise<void> {
  expect(taken.code, taken.stderr).toBe(exit);
  expect(taken.report.snapshot).toBeNull();
  const errors = [taken.report.error, ...taken.report.tables.map(({ error }) => error)].map((error) => error?.code);
  expect(errors).toEqual(expect.arrayContaining([expect.stringMatching(new RegExp(`^(${codes.join('|')})$`))]));
  expect(await snapshotsIn(taken.vault)).toEqual([]);
}

describe('2. authentication', () => {
  let job: Job;
  beforeAll(async () => {
    job = await startJob({ rows: 0.05, limits: { slots: 4 } });
  });
  afterAll(() => job.close());

  test('one token serves the whole run, and is sent to the instance alone', async () => {
    const before = job.demo.witness();
    expectDone(await job.snapshot({ include: ['Gen_*'] }));
    const after = job.demo.witness();
    expect(after.tokens.issued - before.tokens.issued).toBe(1);
    expect(after.credentials['foreign']).toBe(0);
    expect(after.sharedTokenRequests).toBe(0);
    expect(after.headers['instance']).not.toHaveProperty('x-api-key');
  });

  test('a token that ends in the midst of four readers is renewed once on 401, without a stampede', async () => {
    const before = job.demo.witness().tokens.issued;
    job.demo.configure({ faults: [{ on: { path: /\/odata\/Gen_Products\?/, nth: 1 }, do: 'revoke-token' }] });
    const taken = await job.snapshot({ include: ['Gen_*', 'Cm_*'], more: 'limits: { concurrency: 4 }' });
    job.demo.configure({ faults: [] });
    expectDone(taken);
    expect(job.demo.witness().tokens.issued - before).toBe(2);
    await job.compare(taken);
  });

  test.each([
    ['token', 'authorization', 'x-api-key'],
    ['api-key', 'x-api-key', 'authorization'],
  ] as const)('a reference token as %s goes into the header %s and never into %s', async (auth, used, unused) => {
    const own = await startJob({ tables: ['Gen_Currencies'] });
    try {
      expectDone(await own.snapshot({ auth }));
      const { headers, tokens, byRoute } = own.demo.witness();
      expect(Object.keys(headers['instance']!)).toContain(used);
      expect(Object.keys(headers['instance']!)).not.toContain(unused);
      expect(Object.keys(byRoute).filter((route) => route.startsWith('POST '))).toEqual([]);
      expect(tokens.issued).toBe(1);
    } finally {
      await own.close();
    }
  });

  test.each([
    ['my.app/disabled', 'AUTH_CLIENT', 'IsEnabled'],
    ['my.app/public', 'AUTH_CLIENT', 'ClientType'],
    ['my.app/no-secret', 'AUTH_CLIENT', 'ApplicationSecretHash'],
    ['my.app/no-system-user-allowed', 'AUTH_CLIENT', 'SystemUserAllowed'],
    ['my.app/no-system-user', 'AUTH_CLIENT', 'System User'],
    ['my.app/no-read', 'AUTH_SCOPE', '`read`'],
  ])('the token error of %s says what to change in the Trusted Application', async (clientId, code, advice) => {
    const taken = await job.snapshot({ clientId, include: SMALL });
    await expectFailed(taken, 3, [code]);
    expect(paragraphOf(taken)).toContain('Trusted Application');
    expect(paragraphOf(taken)).toContain(advice);
  });

  test('a reference token that was revoked is AUTH_TOKEN, one without the scope read is forbidden', async () => {
    const order = { kind: 'SAT', application: 'my.app/backup', by: 'administrator' } as const;
    const revoked = job.demo.issueReferenceToken(order).token;
    job.demo.revokeTokens(revoked);
    await expectFailed(await job.snapshot({ auth: 'token', include: SMALL, env: { TOKEN: revoked } }), 3, [
      'AUTH_TOKEN',
    ]);
    const { token: blind } = job.demo.issueReferenceToken({ ...order, scopes: ['update'] });
    const taken = await job.snapshot({ auth: 'token', include: SMALL, env: { TOKEN: blind } });
    await expectFailed(taken, 3, ['AUTH_FORBIDDEN', 'AUTH_SCOPE']);
  });
});

describe('3. discovery', () => {
  let job: Job;
  beforeAll(async () => {
    job = await startJob({ tables: ['Gen_Currencies', 'Gen_Countries', 'Sec_Users'] });
  });
  afterAll(() => job.close());

  const tables = async (more = '') => {
    const { file, env } = await job.pipeline({ more });
    return tablevault(['tables', file, '--json'], { env });
  };

  test.each([
    ['the newer address', { discovery: 'tools', tableApiSite: 'listed' }],
    ['the older address', { discovery: 'sys', tableApiSite: 'listed' }],
    ['what answers, when a site that is not there is listed too', { discovery: 'tools', tableApiSite: 'one-of-two' }],
    ['its usual place, when the Table API is not listed', { discovery: 'tools', tableApiSite: 'private' }],
    ['its usual place, when there is no discovery at all', { discovery: 'none', tableApiSite: 'listed' }],
  ] as const)('the Table API is found by %s', async (_, personality) => {
    job.demo.configure({ personality });
    const run = await tables();
    expect(run.code, run.stderr).toBe(0);
    expect((JSON.parse(run.stdout) as { tables: unknown[] }).tables).toHaveLength(3);
  });

  test('several Table API sites are a question to the user, answered by endpoints', async () => {
    job.demo.configure({ personality: { discovery: 'tools', tableApiSite: 'two' } });
    const asked = await tables();
    expect(asked.code).toBe(2);
    expect(paragraphOf(asked)).toContain('endpoints');
    expect(paragraphOf(asked)).toContain(`${job.demo.url}/tableapi/odata/, ${job.demo.url}/tableapi2/odata/`);
    const answered = await tables(`endpoints: { tableApi: "${job.demo.url}/tableapi" }`);
    expect(answered.code, answered.stderr).toBe(0);
  });

  test('a site that is not Working is reported', async () => {
    job.demo.configure({ personality: { tableApiSite: 'not-working' } });
    const run = await tables();
    expect(run.stderr).toMatch(/not working|NotWorking/i);
  });

  test('a snapshot ends where $metadata has other bytes each time, and the authority answers loosely', async () => {
    job.demo.configure({ personality: { metadataStamp: true, authorityAnswers: 'loose' } });
    const { report, stderr } = await job.snapshot();
    job.demo.configure({ personality: { metadataStamp: false, authorityAnswers: 'plain' } });
    expect(report, stderr).toMatchObject({ complete: true, error: null });
  });

  test('a Table API of another origin gets no request and no credential', async () => {
    job.demo.configure({ personality: { tableApiSite: 'foreign' } });
    const run = await tables();
    job.demo.configure({ personality: { tableApiSite: 'listed' } });
    expect(run.code).toBe(2);
    expect(paragraphOf(run)).toContain('[FOREIGN_ORIGIN, exit 2]');
    expect(paragraphOf(run)).toContain('endpoints: {');
    expect(job.demo.witness().log.filter(({ origin }) => origin === 'foreign')).toEqual([]);
  });
});

describe('4. reading', () => {
  let job: Job;
  beforeAll(async () => {
    job = await startJob({ limits: { slots: 8 } });
  });
  afterAll(() => job.close());
  const page = (more = '') => `limits: { pageRows: 50, concurrency: 4${more} }`;

  test.each(['absolute', 'relative'] as const)('pages by opaque nextLink, %s', async (nextLink) => {
    job.demo.configure({ personality: { nextLink, keyFilter: false } });
    const before = job.demo.witness().requests;
    const taken = await job.snapshot({ include: ['Gen_Documents', 'Gen_Document_Links'], more: page() });
    expectDone(taken);
    expect(await job.compare(taken)).toBeGreaterThan(800);
    const { tables } = await newestManifest(taken.vault);
    expect(tables.map(({ strategy }) => strategy)).toEqual(['chain', 'chain']);
    const links = job.demo.witness().log.slice(before - job.demo.witness().requests);
    expect(links.filter(({ url }) => url.includes('skiptoken')).length).toBeGreaterThan(12);
  });

  test('a next link that leads back is a loop, not an endless read', async () => {
    job.demo.configure({
      personality: { nextLink: 'relative', keyFilter: false },
      faults: [{ on: { path: /Gen_Documents.*skiptoken/ }, do: 'link-loop' }],
    });
    const taken = await job.snapshot({ include: ['Gen_Documents'], more: page() });
    await expectFailed(taken, 5, ['PAGING_LOOP']);
  });

  test('a next link to another origin is not followed, and no credential goes there', async () => {
    job.demo.configure({ faults: [{ on: { path: /Gen_Documents\?.*top=50/ }, do: 'link-foreign' }] });
    const taken = await job.snapshot({ include: ['Gen_Documents'], more: page() });
    job.demo.configure({ faults: [] });
    await expectFailed(taken, 5, ['FOREIGN_ORIGIN']);
    expect(job.demo.witness().credentials['foreign']).toBe(0);
  });

  test('$top honoured without ever a link: every row comes all the same', async () => {
    for (const keyFilter of [true, false]) {
      job.demo.configure({ personality: { nextLink: 'none', keyFilter } });
      const taken = await job.snapshot({ include: ['Gen_Documents', 'Gen_Document_Links'], more: page() });
      expectDone(taken);
      expect(await job.compare(taken)).toBeGreaterThan(800);
    }
    job.demo.configure({ personality: { nextLink: 'relative', keyFilter: true } });
  });

  test('tables are read in parallel under one limit for the whole process', async () => {
    const own = await startJob({ rows: 0.05, limits: { slots: 8, latencyMs: 10 } });
    try {
      expectDone(await own.snapshot({ include: ['Gen_*', 'Cm_*'], more: 'limits: { concurrency: 3 }' }));
      expect(own.demo.witness().maxInFlight).toBe(3);
    } finally {
      await own.close();
    }
  });

  test.each([['gzip'], ['br'], ['nothing']] as const)('bodies coded as %s hold the same rows', async (coding) => {
    job.demo.configure({ personality: { compression: coding === 'nothing' ? [] : [coding] } });
    const taken = await job.snapshot({ include: ['Gen_Products'] });
    job.demo.configure({ personality: { compression: ['gzip', 'br'] } });
    expectDone(taken);
    await job.compare(taken);
  });

  test('5xx, 429 with and without Retry-After, and resets are got past', async () => {
    const on = (nth: number) => ({ path: /\/odata\/Gen_Countries/, nth });
    job.demo.configure({
      faults: [
        { on: on(1), do: { status: 503 } },
        { on: on(2), do: { status: 429, retryAfterSeconds: 1 } },
        { on: on(3), do: { status: 429 } },
        { on: on(4), do: 'reset' },
      ],
    });
    const before = job.demo.witness().faults.length;
    const taken = await job.snapshot({ include: ['Gen_Countries'] });
    job.demo.configure({ faults: [] });
    expectDone(taken);
    expect(job.demo.witness().faults.length - before).toBe(4);
    await job.compare(taken);
  });

  test.each([
    ['cut', ['BODY_TRUNCATED']],
    ['cut-clean', ['BODY_TRUNCATED']],
    ['error-in-stream', ['BODY_INVALID']],
    ['error-in-stream-open', ['BODY_INVALID', 'BODY_TRUNCATED']],
  ] as const)('a body with %s is a failure, never a short table', async (fault, codes) => {
    // The read of the rows alone: probes have $top. Not coded, so that the cut is not found before the first row.
    const on = { path: /\/odata\/Gen_Products\?\$select=[^&]*,(?!.*top=)/ };
    job.demo.configure({ personality: { compression: [] }, faults: [{ on, do: fault, afterBytes: 5000 }] });
    const always = await job.snapshot({ include: ['Gen_Products', 'Gen_Countries'] });
    await expectFailed(always, 5, codes);
    job.demo.configure({ personality: { compression: ['gzip', 'br'] }, faults: [] });
  });

  test('a body that ends early once is read again', async () => {
    const on = { path: /\/odata\/Gen_Products\?\$select=[^&]*,(?!.*top=)/, nth: 1 };
    job.demo.configure({ faults: [{ on, do: 'cut-clean', afterBytes: 5000 }] });
    const once = await job.snapshot({ include: ['Gen_Products'] });
    job.demo.configure({ faults: [] });
    expectDone(once);
    await job.compare(once);
  });

  test('the end of every scan is proven, and the manifest says how', async () => {
    const taken = await job.snapshot();
    expectDone(taken);
    for (const { name, proof, consistency, schema } of (await newestManifest(taken.vault)).tables) {
      const { tasks } = proof as { tasks: Record<string, number> };
      expect(Object.keys(tasks), name).not.toEqual([]);
      if (consistency === 'exact') expect(Object.keys(tasks), name).not.toContain('none');
      if (schema.key.length === 0) expect(consistency, name).toBe('counted');
    }
  });

  test('rights that cut every answer short cost requests, not rows; where they cannot be got past, the table fails', async () => {
    const own = await startJob({
      tables: ['Gen_Parties', 'Inv_Current_Balances'],
      tableRows: { Gen_Parties: 4500, Inv_Current_Balances: 2500 },
      rights: { maxRows: 2000 },
    });
    try {
      const taken = await own.snapshot({ include: ['Gen_Parties'] });
      expectDone(taken);
      expect(await own.compare(taken)).toBe(4500);
      expect(taken.report.tables[0]?.requests).toBeGreaterThan(3);
      await expectFailed(await own.snapshot({ include: ['Inv_Current_Balances'] }), 5, ['END_UNPROVEN']);
    } finally {
      await own.close();
    }
  });

  test('a page that is short without a word is made up for', async () => {
    job.demo.configure({ faults: [{ on: { path: /\/odata\/Gen_Documents\?\$select=[^&]*,/, nth: 1 }, do: 'short' }] });
    const taken = await job.snapshot({ include: ['Gen_Documents'] });
    job.demo.configure({ faults: [] });
    expectDone(taken);
    await job.compare(taken);
  });
});
