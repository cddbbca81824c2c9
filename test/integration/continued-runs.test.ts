// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** Which unfinished runs are continued: those of the same identity, unless it was refused something since. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SnapshotReport } from '../../src/run/snapshot/snapshot.ts';
import { tablevault } from '../support/cli.ts';
import { type Job, startJob } from '../support/job.ts';

let job: Job;
beforeAll(async () => {
  job = await startJob({ tables: ['Gen_Currencies', 'Gen_Countries', 'Gen_Parties'] });
});
afterAll(() => job.close());

/** Reads of the rows of a table, not those of probes. */
const rowsOf = (table: string) => new RegExp(`/odata/${table}\\?\\$select=[^&]*,(?!.*top=)`);
const refused = (status: number) =>
  job.demo.configure({ faults: [{ on: { path: rowsOf('Gen_Parties') }, do: { status } }] });
const healthy = () => job.demo.configure({ faults: [] });

const ANEW = (why: string) =>
  new RegExp(`^beginning anew: the unfinished run \\S+ is not continued, because ${why}`, 'm');

interface Ran {
  readonly code: number | null;
  readonly stderr: string;
  readonly report: SnapshotReport;
}

async function ran(file: string, env: Record<string, string>, ...args: string[]): Promise<Ran> {
  const { code, stderr, stdout } = await tablevault(['snapshot', file, '--json', ...args], { env });
  return { code, stderr, report: JSON.parse(stdout) as SnapshotReport };
}

/** A run that leaves two of three tables read. */
async function unfinished(auth: 'token' | 'service' = 'token') {
  const { file, env, vault } = await job.pipeline({ auth });
  refused(400);
  const first = await ran(file, env);
  healthy();
  expect(first.code, first.stderr).toBe(5);
  return { file, env, vault };
}

describe('an unfinished run', () => {
  test.each(['token', 'service'] as const)(
    'of the same identity (%s) is continued, and says with how much',
    async (auth) => {
      const { file, env } = await unfinished(auth);
      const again = await ran(file, env);
      expect(again.report).toMatchObject({ resumed: true, complete: true });
      expect(again.stderr).toMatch(
        /continuing run \S+: [\d,]+ rows of 2 tables \(\d+ tasks, 2 tables complete\) are read already/,
      );
      expect(again.stderr).toMatch(/continued run \S+: [\d,]+ rows of 2 tables /);
    },
  );

  test('is in `show` and `ls` from its first read on, and called continued', async () => {
    const { file, env, vault } = await unfinished();
    const between = new Date().toISOString();
    expect((await ran(file, env)).report).toMatchObject({ resumed: true });
    const { stdout: shown } = await tablevault(['show', vault]);
    const [, from = ''] = /^read +(\S+) to \S+, /m.exec(shown) ?? [];
    expect(from < between, shown).toBe(true);
    expect(shown).toMatch(/^continued +it continues a run .*the last run began at \S+ and took /m);
    expect(shown).toMatch(/^cost .* received by the last run/m);
    const { stdout: listed } = await tablevault(['ls', vault]);
    expect(listed).toMatch(/ continued$/m);
    const { snapshots } = JSON.parse((await tablevault(['ls', vault, '--json'])).stdout);
    expect(snapshots).toMatchObject([{ continued: true, readFrom: from, notExact: 0 }]);
    expect(snapshots[0].readMs).toBeGreaterThan(snapshots[0].durationMs);
  });

  test('that is older than a snapshot of its series is not continued: no snapshot goes back in time', async () => {
    const { file, env } = await unfinished();
    job.demo.write({ updates: 5, tables: ['Gen_Currencies'] });
    expect((await ran(file, env, '--fresh')).report).toMatchObject({ resumed: false, complete: true, sequence: 1 });
    const next = await ran(file, env);
    expect(next.stderr).toMatch(ANEW('snapshot number 1 of the same pipeline was published after it began'));
    expect(next.report).toMatchObject({ resumed: false, complete: true, sequence: 2 });
    // One that is broken off after that snapshot is continued.
    refused(400);
    await ran(file, env);
    healthy();
    expect((await ran(file, env)).report).toMatchObject({ resumed: true, complete: true });
  });

  test('of many tables is continued without a word of Node', async () => {
    const many = await startJob({ rows: 0.01 });
    const { file, env } = await many.pipeline();
    many.demo.configure({ faults: [{ on: { path: rowsOf('Gen_Parties') }, do: { status: 400 } }] });
    const { stderr: first } = await ran(file, env);
    many.demo.configure({ faults: [] });
    const { report, stderr } = await ran(file, env);
    await many.close();
    expect(report).toMatchObject({ resumed: true, complete: true });
    expect(first + stderr).not.toMatch(/Warning:/);
  });

  test('of another reference token is not continued', async () => {
    const { file, env } = await unfinished();
    const TOKEN = job.demo.issueReferenceToken({ kind: 'PAT', application: 'my.app/backup', by: 'user' }).token;
    const again = await ran(file, { ...env, TOKEN });
    expect(again.report).toMatchObject({ resumed: false, complete: true });
    expect(again.stderr).toMatch(ANEW('it was read by another identity'));
  });

  test('is told of with the reason where it is not continued: another pipeline, other tables, too old', async () => {
    const { file, env } = await unfinished();
    refused(400);
    const narrowed = await ran(file, env, '--tables', 'Gen_Parties');
    expect(narrowed.stderr).toMatch(ANEW('it was of other tables, or their columns were changed'));
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text}parquet: { compression: snappy }\n`);
    expect((await ran(file, env)).stderr).toMatch(ANEW('the pipeline was changed'));
    await writeFile(file, `${text}parquet: { compression: snappy }\nlimits: { resumeWithin: 1s }\n`);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect((await ran(file, env)).stderr).toMatch(ANEW('it began [\\d.]+ s ago, and limits.resumeWithin is 1.0 s'));
    expect((await ran(file, env, '--fresh')).stderr).not.toContain('beginning anew');
    healthy();
    expect((await ran(file, env, '--fresh')).report).toMatchObject({ complete: true });
    expect((await ran(file, env)).stderr).not.toContain('beginning anew');
  });

  test('in which a table was forbidden is not continued, and says so', async () => {
    const { file, env } = await job.pipeline({ auth: 'token' });
    refused(403);
    const first = await ran(file, env);
    healthy();
    expect(first.report.tables.find(({ name }) => name === 'Gen_Parties')?.error?.code).toBe('AUTH_FORBIDDEN');
    expect(first.stderr).toContain('reads all tables anew');
    const again = await ran(file, env);
    expect(again.report).toMatchObject({ resumed: false, complete: true });
    expect(again.stderr).toMatch(ANEW('the instance has refused its identity something since'));
  });

  test('is not continued after a later run that was refused before it began', async () => {
    const { file, env } = await unfinished();
    const failed = await ran(file, { ...env, TOKEN: 'enrt_of-nobody' });
    expect(failed.code).toBe(3);
    expect((await ran(file, env)).report).toMatchObject({ resumed: false, complete: true });
  });

  test('is not continued after a later run, begun anew, in which a table was forbidden', async () => {
    const { file, env } = await unfinished();
    refused(403);
    expect((await ran(file, env, '--fresh')).code).not.toBe(0);
    healthy();
    expect((await ran(file, env)).report).toMatchObject({ resumed: false, complete: true });
  });

  test('in which a table was forbidden can still be published in part', async () => {
    const { file, env } = await job.pipeline({ auth: 'token' });
    refused(403);
    const partial = await ran(file, env, '--allow-partial');
    healthy();
    expect(partial.report).toMatchObject({ complete: false, snapshot: expect.any(String) });
    expect((await ran(file, env)).report).toMatchObject({ resumed: false, complete: true });
  });
});
