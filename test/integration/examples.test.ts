/** The programs of examples/, run as their head comments say, against a demo instance; and their types, as a consumer sees them. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createFolderStore } from '../../src/storage/folder.ts';
import { acquireLease } from '../../src/vault/lease/lease.ts';
import { type CliResult, runNode } from '../support/cli.ts';
import { type Job, newestManifest, startJob } from '../support/job.ts';
import { newBucket, s3 } from '../support/s3.ts';

const TABLE = 'Gen_Documents';

let job: Job;
let vault: string;
let taken: CliResult;

const example = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runNode([`examples/${name}.mjs`, ...args], { env });

beforeAll(async () => {
  job = await startJob();
  const pipeline = await job.pipeline({ include: [TABLE, 'Gen_Link_Types'] });
  vault = pipeline.vault;
  taken = await example('take-snapshot', [pipeline.file], pipeline.env);
});
afterAll(() => job.close());

describe('examples', () => {
  it('take-snapshot commits a snapshot with every row, tells how far it is, and prints the id alone', async () => {
    const { snapshot, totals } = await newestManifest(vault);
    expect(taken).toMatchObject({ code: 0, stdout: `${snapshot}\n` });
    expect(taken.stderr).toContain(`2 of 2 tables, ${totals.rows} rows`);
    expect(await job.compare({ vault })).toBe(totals.rows);
  });

  it('check-age lists the snapshots, and exits with 6 when the newest is too old or when there is none', async () => {
    const { snapshot } = await newestManifest(vault);
    const fresh = await example('check-age', [vault, '1']);
    expect(fresh).toMatchObject({ code: 0, stdout: expect.stringContaining(snapshot), stderr: '' });
    const stale = await example('check-age', [vault, '0']);
    expect(stale).toMatchObject({ code: 6, stdout: expect.stringContaining(snapshot) });
    expect(stale.stderr).toMatch(
      /^VAULT_STALE: the newest complete snapshot \S+ is .* old; at most .* is allowed\. Find out why /,
    );
    expect(await example('check-age', [`${vault}-not-there`])).toMatchObject({ code: 7, stdout: '' });
    const none = await example('check-age', [vault, 'abc']);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('USAGE: the greatest age') });
  });

  it('each ends a failure that has a code with that code, its hint and its exit code, and shows no stack', async () => {
    const cases: readonly (readonly [name: string, args: readonly string[], code: number, said: RegExp])[] = [
      ['take-snapshot', ['no-such.yaml'], 2, /^CONFIG_NOT_FOUND: .*no-such\.yaml.*\n$/],
      ['handle-errors', ['no-such.yaml'], 2, /^$/],
      ['check-age', [`${vault}-not-there`], 7, /^VAULT_NOT_FOUND: .*\. \S.*\n$/],
      ['table-files', [`${vault}-not-there`], 7, /^VAULT_NOT_FOUND: .*\. \S.*\n$/],
      ['table-files', [vault, 'Gen_Document'], 2, /^TABLE_UNKNOWN: .*Gen_Documents.*\n$/],
    ];
    for (const [name, args, code, said] of cases)
      expect(await example(name, args), name).toMatchObject({ code, stderr: expect.stringMatching(said) });
  });

  it('table-files prints the Parquet files of a table, which are there', async () => {
    const { code, stdout, stderr } = await example('table-files', [vault, TABLE]);
    const paths = stdout.trimEnd().split('\n');
    expect({ code, missing: paths.filter((path) => !existsSync(path)) }).toEqual({ code: 0, missing: [] });
    expect(stderr).toMatch(/^Id: VARCHAR$/m);
  });

  it('handle-errors decides by the code', async () => {
    const { file, vault, env } = await job.pipeline({ include: [TABLE] });
    const say = async (variables: Readonly<Record<string, string>>) => {
      const { code, stdout } = await example('handle-errors', [file], variables);
      return { code, said: stdout.trimEnd() };
    };
    expect(await say(env)).toEqual({ code: 0, said: 'done' });
    expect(await say({ ...env, SECRET: 'wrong' })).toEqual({ code: 3, said: expect.stringMatching(/^ask for help: /) });
    expect(await say({})).toEqual({ code: 2, said: expect.stringMatching(/^look into it: SECRET_MISSING: /) });
    const lease = await acquireLease(createFolderStore(vault), 'job@DEMO', { clock: systemClock });
    try {
      expect(await say(env)).toEqual({ code: 9, said: expect.stringMatching(/^again later: /) });
    } finally {
      await lease.release();
    }
  });

  it.runIf(s3 !== null)('take a snapshot into a bucket, check its age, and give its files as addresses', async () => {
    const bucket = await newBucket();
    try {
      const address = `s3://${bucket.name}/erp`;
      const { file, env } = await job.pipeline({ include: [TABLE], vault: address, env: bucket.env });
      const { stdout: id } = await example('take-snapshot', [file], env);
      const { code, stdout } = await example('check-age', [address, '1'], bucket.env);
      expect({ code, id: stdout.split(' ')[0] }).toEqual({ code: 0, id: id.trimEnd() });
      const files = await example('table-files', [address, TABLE], bucket.env);
      const keys = files.stdout.trimEnd().split('\n');
      expect(keys.map((key) => key.replace(`s3://${bucket.name}/`, ''))).toEqual(await bucket.keys('erp/tables/'));
    } finally {
      bucket.close();
    }
  });

  it('each says in its head comment how it is run', async () => {
    for (const name of await readdir('examples'))
      expect(await readFile(`examples/${name}`, 'utf8'), name).toMatch(
        new RegExp(`^/\\*\\*\\n \\* \\S[\\s\\S]+? \\*   node examples/${name} `),
      );
  });

  it('compile against the types that the package ships, and those compile by themselves', async () => {
    // Without `paths` the name `tablevault` leads to what `exports` of package.json names.
    const tsc = ['node_modules/@typescript/native/bin/tsc', '-p', 'tsconfig.examples.json', '--paths', 'null'];
    await promisify(execFile)(process.execPath, [...tsc, '--skipLibCheck', 'false']);
  });
});
