/** Tables that cannot be proven: what a run says of them, and what one can do about it. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_PERSONALITY } from '../../src/demo/personality.ts';
import { tablevault } from '../support/cli.ts';
import { type Job, startJob } from '../support/job.ts';

const TABLES = ['Gen_Currencies', 'Gen_Countries', 'Gen_Parties', 'Inv_Current_Balances'];

let job: Job;
beforeAll(async () => {
  job = await startJob({ tables: TABLES });
});
afterEach(() => job.demo.configure({ personality: DEFAULT_PERSONALITY, faults: [] }));
afterAll(() => job.close());

describe('where an instance offers neither counts nor filters on keys', () => {
  test('the error names one line for all tables that fail, which can be put into the block that is there', async () => {
    job.demo.configure({ personality: { count: false, keyFilter: false } });
    const { file, env } = await job.pipeline({ include: [], more: 'tables:\n  include: ["*"]' });
    const failed = await tablevault(['snapshot', file], { env });
    expect(failed.code).toBe(5);
    const [, line = ''] =
      /put this line into the block tables: .*?: (overrides: \{.*\} \})\. /.exec(failed.stderr) ?? [];
    expect(line.match(/accept: best-effort/g), failed.stderr).toHaveLength(3);
    expect(failed.stderr).toContain('reads only what is missing, unless the pipeline was changed');
    expect(failed.stderr.match(/^failed: .*can be neither proven nor counted/gm)).toHaveLength(2);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('  include: ["*"]', `  include: ["*"]\n  ${line}`));
    const taken = await tablevault(['snapshot', file], { env });
    expect(taken.code, taken.stderr).toBe(0);
  });
});
