/** Folders of this machine that a command needs and cannot use: told plainly, before anything is locked or begun. */
import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runNode, tablevault } from '../support/cli.ts';
import { type Job, paragraphOf, startJob } from '../support/job.ts';

let job: Job;
let file: string;
let vault: string;
let env: Record<string, string>;
beforeAll(async () => {
  job = await startJob({ tables: ['Gen_Currencies'] });
  ({ file, vault, env } = await job.pipeline());
  expect((await tablevault(['snapshot', file], { env })).code).toBe(0);
});
afterAll(() => job.close());

describe('a folder for temporary files that cannot be used', () => {
  test.each([
    ['snapshot', () => ['snapshot', file]],
    ['extract', () => ['extract', file, 'Gen_Currencies']],
    ['query', () => ['query', vault, 'SELECT 1']],
    ['restore', () => ['restore', vault, '--to', join(job.folder, 'restored')]],
    ['repair', () => ['repair', vault, '--apply']],
    ['verify of rows', () => ['verify', vault, '--level', 'rows']],
  ])('ends %s with 7 and says what to do; nothing is locked or begun', async (_name, args) => {
    const before = await readdir(vault, { recursive: true });
    const ended = await tablevault(args(), { env: { ...env, TMPDIR: '/nonexistent/tmp' } });
    expect(ended.code, ended.stderr).toBe(7);
    expect(paragraphOf(ended)).toMatch(
      /temporary files, \/nonexistent\/tmp, cannot be used.*Point TMPDIR .*DESTINATION_MISSING/,
    );
    expect(ended.stderr).not.toMatch(/^ +at /m);
    expect((await readdir(vault, { recursive: true })).toSorted()).toEqual(before.toSorted());
  });

  test('is not needed to verify files', async () => {
    const ended = await tablevault(['verify', vault], { env: { TMPDIR: '/nonexistent/tmp' } });
    expect(ended.code, ended.stderr).toBe(0);
  });
});

test('a current folder that was removed is told as such', async () => {
  const gone = join(job.folder, 'gone');
  await mkdir(gone);
  const launcher = join(import.meta.dirname, '../../bin/tablevault.cjs');
  const inGone = `process.chdir(${JSON.stringify(gone)}); require('node:fs').rmdirSync(${JSON.stringify(gone)}); process.argv.splice(1, 0, ${JSON.stringify(launcher)}); require(${JSON.stringify(launcher)})`;
  const ended = await runNode(['-e', inGone, '--', 'ls', './vault']);
  await rmdir(gone).catch(() => undefined);
  expect(ended.code, ended.stderr).toBe(7);
  expect(ended.stderr).toMatch(/^error: the current folder no longer exists\. Change to a folder that exists/m);
  expect(ended.stderr).not.toMatch(/^ +at /m);
});
