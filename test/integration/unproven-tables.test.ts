/** Tables that cannot be proven: what a run says of them, and what one can do about it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_PERSONALITY } from '../../src/demo/personality.ts';
import { tablevault } from '../support/cli.ts';
import { type Job, newestManifest, startJob } from '../support/job.ts';

const TABLES = ['Gen_Currencies', 'Gen_Countries', 'Gen_Parties', 'Inv_Current_Balances', 'Dmv_Table_Info'];

let job: Job;
beforeAll(async () => {
  job = await startJob({ tables: TABLES, tableRows: { Gen_Parties: 800, Inv_Current_Balances: 20_500 } });
});
afterEach(() => job.demo.configure({ personality: DEFAULT_PERSONALITY, faults: [] }));
afterAll(() => job.close());

describe('where an instance offers neither counts nor filters on keys', () => {
  test('the error names one line for all tables that fail, which can be put into the block that is there', async () => {
    job.demo.configure({ personality: { count: false, keyFilter: false } });
    const { file, env } = await job.pipeline({ include: [], more: 'tables:\n  include: ["*"]\n  exclude: ["Dmv_*"]' });
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

const AS_TEXT = 'tables: { include: [Gen_Countries], overrides: { Gen_Countries: { types: { Country_Id: text } } } }';

describe('the reason why a table with a key is not exact', () => {
  test.each([
    [{ keyFilter: false }, { include: ['Gen_Countries'] }, 'the instance takes no filters on its key'],
    [{}, { include: [], more: AS_TEXT }, 'its key is kept as text'],
  ])('is among its warnings (%j)', async (personality, order, why) => {
    job.demo.configure({ personality });
    const { vault, stderr } = await job.snapshot(order);
    const [entry] = (await newestManifest(vault)).tables;
    expect(entry).toMatchObject({
      consistency: 'counted',
      proof: { reasons: [why, expect.stringMatching(/^the instance counts \d+$/)] },
    });
    expect(stderr).toContain(`counted, not exact: ${why}; the instance counts`);
  });

  test('is the same for an extract, whose rows went out before all had come', async () => {
    const { file, env } = await job.pipeline({ include: [], more: AS_TEXT });
    const run = await tablevault(['extract', file, 'Gen_Countries', '--json', '-o', join(job.folder, 'c.csv')], {
      env,
    });
    expect(JSON.parse(run.stdout), run.stderr).toMatchObject({ consistency: 'counted' });
    expect(run.stderr).toContain('counted, not exact: its key is kept as text');
  });
});

describe('answers that end early', () => {
  const ENDS = { cut: { lastRow: 20 } };

  test('are read three times, as the messages say', async () => {
    job.demo.configure({ personality: ENDS });
    const { stderr, code } = await job.snapshot({ include: ['Gen_Parties'] });
    expect(code).toBe(5);
    const tries = ['again (2 of 3)', 'again (3 of 3)'];
    expect(stderr.match(/(?<=reading it )(again \(\d of \d\)|another way)/g)).toEqual([
      ...tries,
      'another way',
      ...tries,
    ]);
    expect(stderr).toContain('Gen_Parties: its read cannot be trusted: 20 rows came, but the instance counts 800');
  });

  test('are refused by their own code on standard output, where nothing is read again', async () => {
    job.demo.configure({ personality: ENDS });
    const { file, env } = await job.pipeline({ include: ['Gen_Parties'] });
    const { stderr, code } = await tablevault(['extract', file, 'Gen_Parties'], { env });
    expect(code).toBe(5);
    expect(stderr).toMatch(
      /failed after rows were written, .*: Gen_Parties: its read cannot be trusted: .*discard it.*\[END_UNPROVEN, exit 5\]/,
    );
    expect(stderr).not.toContain('reading it again');
  });

  test('are told of a table that nothing proves, once another table has shown them', async () => {
    job.demo.configure({ personality: { count: false, cut: { between: [50, 200] } } });
    const { vault, stderr, code } = await job.snapshot({ include: ['Gen_Parties', 'Inv_*'] });
    expect(code, stderr).toBe(0);
    const view = (await newestManifest(vault)).tables.find(({ name }) => name === 'Inv_Current_Balances');
    expect(view).toMatchObject({ consistency: 'best-effort' });
    expect(view?.warnings).toEqual([
      'best-effort, not exact: it has no key; nothing shows whether all rows came, since the instance offers no count',
      expect.stringMatching(/answers of this instance can end early \(more rows of Gen_Parties came after one/),
    ]);
  });
});

test('rows that come twice are not called short', async () => {
  const path = /Inv_Current_Balances\?.*select=[^&]*,/;
  job.demo.configure({ faults: [{ on: { path }, do: 'duplicate-row' }] });
  const { stderr, code } = await job.snapshot({ include: ['Gen_Parties', 'Inv_*'] });
  expect(code).toBe(5);
  expect(stderr).toMatch(
    /cannot be trusted: 2[\d,]+ rows came, but the instance counts 20,500: some rows came twice.*the instance sends rows twice/,
  );
  expect(stderr).not.toContain('Show more than');
});
