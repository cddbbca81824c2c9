// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** The doctor against a sound instance, and against one for each thing that can be wrong. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type DemoChanges, type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import { DEFAULT_PERSONALITY } from '../../src/demo/personality.ts';
import { DEFAULT_RIGHTS } from '../../src/demo/rights.ts';
import { readPipeline } from '../../src/pipeline/read.ts';
import { type DoctorReport, runDoctor } from '../../src/run/doctor/doctor.ts';
import { tablevault } from '../support/cli.ts';
import { newBucket, s3 } from '../support/s3.ts';

let demo: DemoInstance;
let folder: string;
let file: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-doctor-it-'));
  demo = await startDemo({ rows: 0.02, tableRows: { Inv_Stores: 60 }, seed: 701, limits: { seats: 1000 } });
  file = join(folder, 'backup.yaml');
  env = { SECRET: demo.credentials.service.clientSecret, TOKEN: demo.credentials.referenceToken };
  await writeFile(file, pipeline());
});

afterEach(() => demo.configure({ personality: DEFAULT_PERSONALITY, rights: DEFAULT_RIGHTS, faults: [] }));

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

/** A pipeline file, with some of its lines in other words. */
function pipeline(words: Partial<Record<'instance' | 'clientId' | 'destination' | 'more', string>> = {}): string {
  const {
    instance = demo.url,
    clientId = demo.credentials.service.clientId,
    destination = './vault',
    more = 'tables: { include: ["*"], exclude: ["Dmv_*"] }\n',
  } = words;
  return `version: 1
instance: ${instance}
auth: { kind: service, clientId: "${clientId}", clientSecret: "\${env:SECRET}" }
destination: ${destination}
${more}`;
}

async function examine(text: string, clock = systemClock): Promise<DoctorReport> {
  const path = join(folder, 'examined.yaml');
  await writeFile(path, text);
  const deps = { clock, emit: () => undefined, signal: new AbortController().signal };
  return runDoctor(
    () => readPipeline(path, { env }),
    deps,
    () => undefined,
  );
}

const step = ({ steps }: DoctorReport, name: string) => steps.find((each) => each.step === name)!;
const statuses = ({ steps }: DoctorReport) => Object.fromEntries(steps.map((each) => [each.step, each.status]));

describe('a sound instance', () => {
  test('passes every step, and nothing is left in the destination', async () => {
    const ended = await tablevault(['doctor', file, '--json'], { env });
    expect(ended.code, ended.stderr).toBe(0);
    const report = JSON.parse(ended.stdout) as DoctorReport;
    expect(report).toMatchObject({ ok: true, exitCode: 0 });
    expect(report.steps.map((each) => `${each.step} ${each.status}`)).toEqual([
      'configuration ok',
      'name ok',
      'connection ok',
      'discovery ok',
      'identity ok',
      'scope ok',
      'table-api ok',
      'clock ok',
      'tables ok',
      'probes ok',
      'limits ok',
      'rights ok',
      'proof ok',
      'first-row ok',
      'destination ok',
    ]);
    for (const each of report.steps) expect(each.ms).toBeGreaterThanOrEqual(0);
    expect(await readdir(folder)).not.toContain('vault');
    expect(ended.stdout + ended.stderr).not.toContain(env['SECRET']);
  });

  test('says how a run uses limits.concurrency where fewer requests at once were sent', async () => {
    const more = 'tables: { include: ["*"], exclude: ["Dmv_*"] }\nlimits: { concurrency: 10 }\n';
    const { found } = step(await examine(pipeline({ more })), 'limits');
    expect(found).toMatch(
      /were answered; a run sends up to limits\.concurrency \(10\) at once while answers come as fast$/,
    );
  });

  test('is told of line by line to people', async () => {
    const ended = await tablevault(['doctor', file], { env });
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/^ok {4}configuration .*\nok {4}name /);
    expect(ended.stdout).toMatch(/40 tables with \d+ columns/);
    expect(ended.stderr).toMatch(/everything a snapshot needs is there/);
  });

  test('answers the probes', async () => {
    const { probes } = await examine(pipeline());
    expect(probes).toMatchObject({
      pageLinks: true,
      top: true,
      count: true,
      keyFilters: true,
      tableInfo: true,
      nullsLeftOut: false,
      compression: 'gzip',
      defaultFilters: { hiding: [] },
      language: 'fixed',
    });
  });

  test.each([
    [{ nextLink: 'none' }, { pageLinks: false }],
    [{ count: false }, { count: false }],
    [{ keyFilter: false }, { keyFilters: false }],
    [{ tableInfo: 'forbidden' }, { tableInfo: false }],
    [{ nulls: 'omitted' }, { nullsLeftOut: true }],
    [{ compression: [] }, { compression: 'identity' }],
    [{ compression: ['br'] }, { compression: 'br' }],
    [{ multiLanguage: 'accept-language' }, { language: 'by Accept-Language' }],
    [{ defaultFilters: true }, { defaultFilters: { hiding: expect.arrayContaining(['Gen_Documents']) } }],
  ] as [DemoChanges['personality'], object][])(
    'of the kind %j is found out by the probes',
    async (personality, answers) => {
      demo.configure({ personality: personality! });
      const report = await examine(pipeline());
      expect(report.probes).toMatchObject(answers);
      expect(report.exitCode).toBe(0);
    },
  );

  test('whose default filters cannot be asked for is told so, not called free of them', async () => {
    demo.configure({ personality: { defaultFilters: true, defaultFilterQuestions: 500, keyFilter: false } });
    const report = await examine(pipeline());
    expect(report.probes?.defaultFilters).toMatchObject({
      hiding: [],
      unknown: expect.arrayContaining(['Gen_Documents']),
    });
    expect(step(report, 'probes').details).toContainEqual(
      expect.stringMatching(/^default filters: it could not be asked whether rows of .*Gen_Documents.* are hidden/),
    );
  });

  test('works with a reference token too, and says when another process uses it', async () => {
    const reference = pipeline().replace(/auth: .*/, 'auth: { kind: reference-token, token: "${env:TOKEN}" }');
    const report = await examine(reference);
    expect(report.exitCode).toBe(0);
    expect(step(report, 'identity').found).toMatch(/reference token/);
  });
});

describe('the first failing class gives the exit code, each failure its fix', () => {
  test('2: a configuration that is wrong; nothing else is tried', async () => {
    const report = await examine(pipeline().replace('destination', 'destinaton'));
    expect(report.exitCode).toBe(2);
    expect(step(report, 'configuration')).toMatchObject({ status: 'failed', code: 'CONFIG_INVALID' });
    expect(report.steps.slice(1).every(({ status }) => status === 'not tried')).toBe(true);
    expect(report.probes).toBeNull();
  });

  test('2: a table that does not exist; probes are not tried, the destination is', async () => {
    const report = await examine(pipeline({ more: 'tables: { include: ["Gen_Document"] }\n' }));
    expect(report.exitCode).toBe(2);
    expect(step(report, 'tables')).toMatchObject({ status: 'failed', code: 'TABLE_UNKNOWN' });
    expect(statuses(report)).toMatchObject({ probes: 'not tried', rights: 'not tried', destination: 'ok' });
  });

  test('4: a name that nobody knows', async () => {
    const report = await examine(pipeline({ instance: 'https://nowhere.invalid' }));
    expect(report.exitCode).toBe(4);
    expect(step(report, 'name')).toMatchObject({
      status: 'failed',
      code: 'INSTANCE_UNREACHABLE',
      fix: expect.stringMatching(/DNS/),
    });
    expect(statuses(report)).toMatchObject({
      connection: 'not tried',
      discovery: 'not tried',
      'table-api': 'not tried',
      destination: 'ok',
    });
  });

  test('4: a port where nothing listens', async () => {
    const report = await examine(pipeline({ instance: 'http://127.0.0.1:1' }));
    expect(report.exitCode).toBe(4);
    expect(step(report, 'connection')).toMatchObject({ status: 'failed', code: 'INSTANCE_UNREACHABLE' });
  });

  test('4: https where there is no TLS', async () => {
    const report = await examine(pipeline({ instance: demo.url.replace('http:', 'https:') }));
    expect(report.exitCode).toBe(4);
    expect(step(report, 'connection')).toMatchObject({
      status: 'failed',
      code: 'INSTANCE_TLS',
      fix: expect.stringMatching(/scheme and port/),
    });
  });

  test('3: a wrong secret, a Trusted Application that is set up wrongly', async () => {
    const wrong = { ...env, SECRET: 'another' };
    const ended = await tablevault(['doctor', file, '--json'], { env: wrong });
    expect(ended.code).toBe(3);
    const report = JSON.parse(ended.stdout) as DoctorReport;
    expect(step(report, 'identity')).toMatchObject({
      status: 'failed',
      code: 'AUTH_CLIENT',
      fix: expect.stringMatching(/ApplicationSecretHash/),
    });
    expect(statuses(report)).toMatchObject({ scope: 'not tried', 'table-api': 'not tried', destination: 'ok' });
    for (const [uri, application] of Object.entries(demo.credentials.applications)) {
      if (uri === demo.credentials.service.clientId) continue;
      const own = env;
      env = { SECRET: application.clientSecret, TOKEN: '' };
      const examined = await examine(pipeline({ clientId: uri }));
      env = own;
      const failed = examined.steps.filter(({ status }) => status === 'failed');
      if (failed.length > 0) expect(failed[0]!.fix, uri).not.toBeNull();
    }
  });

  test('4: no Table API at the address', async () => {
    const report = await examine(pipeline({ more: `endpoints: { tableApi: ${demo.url}/elsewhere }\n` }));
    expect(report.exitCode).toBe(4);
    expect(step(report, 'table-api')).toMatchObject({
      status: 'failed',
      code: 'INSTANCE_ANSWER',
      fix: expect.stringMatching(/endpoints/),
    });
  });

  test('3: tables that may not be read; 5: columns that are kept back', async () => {
    demo.configure({ rights: { forbiddenTables: ['Gen_Currencies'] } });
    const forbidden = await examine(pipeline());
    expect(forbidden.exitCode).toBe(3);
    expect(step(forbidden, 'rights')).toMatchObject({
      status: 'failed',
      code: 'AUTH_FORBIDDEN',
      found: expect.stringMatching(/Gen_Currencies/),
    });
    demo.configure({ rights: { ...DEFAULT_RIGHTS, hiddenColumns: { Gen_Documents: ['Document_No'] } } });
    const hidden = await examine(pipeline());
    expect(hidden.exitCode).toBe(5);
    expect(step(hidden, 'rights')).toMatchObject({
      status: 'failed',
      found: expect.stringMatching(/Gen_Documents\.Document_No/),
    });
  });

  test('rows that are kept back are a warning: what the identity may see is what a snapshot holds', async () => {
    demo.configure({ rights: { hiddenRows: { '*': 0.5 } } });
    const report = await examine(pipeline());
    expect(report.exitCode).toBe(0);
    expect(step(report, 'rights')).toMatchObject({
      status: 'warning',
      details: expect.arrayContaining([
        expect.stringMatching(/rows came, but Dmv_Table_Info counts [\d,]+, and \$count /),
      ]),
      fix: expect.stringMatching(/^The identity may not see every row/),
    });
  });

  test('where nothing is counted, rows that did not come are not called hidden', async () => {
    for (const counts of [{ count: false }, { counts: 'page' }] as const) {
      demo.configure({
        personality: { ...DEFAULT_PERSONALITY, ...counts, requestErrorStatus: 400, cut: { rows: 20 } },
      });
      const { details, fix } = step(await examine(pipeline()), 'rights');
      expect(fix).toMatch(/^Of \d tables one answer brought fewer rows .* was not seen/);
      expect(fix).not.toMatch(/may not see every row/);
      expect(details.join()).not.toContain('$count');
    }
  });

  test('5: a value that does not fit, in whichever table, is named with its key and the line that keeps it', async () => {
    demo.configure({
      personality: { requestErrorStatus: 400 },
      rights: { hiddenColumns: { Gen_Currencies: ['Is_Active'] }, hiddenColumnsAs: 'null' },
    });
    const report = await examine(pipeline());
    expect(report.exitCode).toBe(5);
    expect(step(report, 'first-row')).toMatchObject({
      status: 'failed',
      code: 'VALUE_MISFIT',
      found: expect.stringMatching(
        /Gen_Currencies\.Is_Active is null in the row with the key Currency_Id=[\da-f-]{36}.*overrides: \{ Gen_Currencies: \{ types: \{ Is_Active: text \} \} \}/,
      ),
    });
  });

  test('answers that are cut are a warning of another kind', async () => {
    demo.configure({ personality: { cut: { lastRow: 20 } } });
    const report = await examine(pipeline());
    expect(step(report, 'rights')).toMatchObject({
      status: 'warning',
      fix: expect.stringMatching(/^The instance cuts its answers.*fails the tables/),
    });
  });

  test('5: tables that a snapshot would refuse for want of a proof are named, with the line that accepts them', async () => {
    demo.configure({ personality: { count: false, keyFilter: false } });
    const report = await examine(pipeline());
    expect(report.exitCode).toBe(5);
    expect(step(report, 'proof')).toMatchObject({
      status: 'failed',
      code: 'END_UNPROVEN',
      found: expect.stringMatching(/^\d\d of 38 tables can be neither proven nor counted/),
      fix: expect.stringMatching(/overrides: \{ Cash_\w+: \{ accept: best-effort \}, /),
    });
    expect(step(report, 'rights').found).toContain('held against Dmv_Table_Info');
    const { found } = step(report, 'proof');
    const run = await tablevault(['snapshot', join(folder, 'examined.yaml')], { env });
    expect(run.stderr).toContain(`${found.slice(0, 'nn of 38 tables'.length)} failed`);
  });

  test('tables that can only be counted are named', async () => {
    demo.configure({ personality: { keyFilter: false } });
    const report = await examine(pipeline());
    expect(step(report, 'proof')).toMatchObject({
      status: 'ok',
      details: expect.arrayContaining([
        expect.stringMatching(/^Cash_\w+, .*: counted, not exact: the instance takes no filters on its key$/),
        expect.stringMatching(/: counted, not exact: it has no key$/),
      ]),
    });
  });

  test('a clock that is wrong is a warning', async () => {
    const wrong = { ...systemClock, now: () => Date.now() + 3_600_000 };
    const report = await examine(pipeline(), wrong);
    expect(step(report, 'clock')).toMatchObject({ status: 'warning', fix: expect.stringMatching(/NTP/) });
  });

  test('7: a destination that cannot be used, whatever else is wrong or right', async () => {
    const report = await examine(pipeline({ destination: file }));
    expect(report.exitCode).toBe(7);
    expect(step(report, 'destination')).toMatchObject({ status: 'failed', code: 'DESTINATION_MISSING' });
  });

  test.skipIf(s3 === null)(
    '7: a bucket with wrong keys; and 0 with the right ones, where nothing is left behind',
    async () => {
      const bucket = await newBucket();
      const path = join(folder, 's3.yaml');
      await writeFile(path, pipeline({ destination: `s3://${bucket.name}/vault` }));
      const sound = await tablevault(['doctor', path, '--json'], { env: { ...env, ...bucket.env } });
      expect(sound.code, sound.stdout).toBe(0);
      expect(await bucket.keys()).toEqual([]);
      const wrong = await tablevault(['doctor', path], {
        env: { ...env, ...bucket.env, AWS_SECRET_ACCESS_KEY: 'another' },
      });
      expect(wrong.code).toBe(7);
      expect(wrong.stdout).toMatch(/FAIL {2}destination .*\[DESTINATION_DENIED\]/);
      expect(wrong.stdout).toMatch(/-> .*AWS_SECRET_ACCESS_KEY/);
      bucket.close();
    },
  );
});
