/** Rows that are hidden from the identity: nothing proves them, but `Dmv_Table_Info` tells of them. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { type Job, newestManifest, startJob } from '../support/job.ts';

const TABLE = 'Gen_Documents';
const FEWER = /\d+ rows came, but Dmv_Table_Info counts 400: the identity may not be allowed to see all rows/;

let job: Job;
beforeAll(async () => {
  job = await startJob({ tables: [TABLE, 'Dmv_Table_Info'], tableRows: { [TABLE]: 400 } });
});
afterAll(() => job.close());

describe('rows that Dmv_Table_Info counts and that did not come', () => {
  test.each([true, false])('are a warning of manifest and run, whether $count is offered (%s)', async (count) => {
    job.demo.configure({ rights: { hiddenRows: { [TABLE]: 0.1 } }, personality: { count } });
    const taken = await job.snapshot({ include: [TABLE] });
    expect(taken.code, taken.stderr).toBe(0);
    const [entry] = (await newestManifest(taken.vault)).tables;
    expect(entry?.rows).toBeLessThan(400);
    expect(entry?.warnings).toEqual([expect.stringMatching(FEWER)]);
    expect(taken.stderr).toMatch(FEWER);
    expect(entry?.counts).toEqual(
      count
        ? { before: entry?.rows, after: null, source: '$count' }
        : { before: 400, after: 400, source: 'Dmv_Table_Info' },
    );
  });

  test('are told of where it cannot be asked whether the instance hides some, with what is left to do', async () => {
    const personality = { defaultFilters: true, defaultFilterQuestions: 500, keyFilter: false, count: true } as const;
    job.demo.configure({ rights: { hiddenRows: {} }, personality });
    const { stderr } = await job.snapshot({ include: [TABLE] });
    job.demo.configure({ personality: { defaultFilters: false, defaultFilterQuestions: 'taken', keyFilter: true } });
    expect(stderr).toMatch(/hides rows with Void true; only a look into the ERP tells whether such rows are missing/);
    expect(stderr).toMatch(FEWER);
  });

  test('are a warning of an extract', async () => {
    job.demo.configure({ rights: { hiddenRows: { [TABLE]: 0.1 } }, personality: { count: true } });
    const { file, env } = await job.pipeline({ include: [TABLE] });
    const run = await tablevault(['extract', file, TABLE, '-o', join(job.folder, 'x.csv')], { env });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(FEWER);
  });

  test('say nothing where the instance counts as many as came', async () => {
    job.demo.configure({ rights: { hiddenRows: {} } });
    const taken = await job.snapshot({ include: [TABLE] });
    const [entry] = (await newestManifest(taken.vault)).tables;
    expect(entry).toMatchObject({ rows: 400, warnings: [], counts: { before: 400, after: null, source: '$count' } });
  });
});
