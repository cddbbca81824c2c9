/** What `plan` and `doctor` say before a snapshot, against what the snapshot then says. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_PERSONALITY, type Personality } from '../../src/demo/personality.ts';
import type { DoctorReport } from '../../src/run/doctor/doctor.ts';
import type { PlanReport } from '../../src/run/plan/report.ts';
import type { SnapshotReport } from '../../src/run/snapshot/snapshot.ts';
import { tablevault } from '../support/cli.ts';
import { type Job, startJob } from '../support/job.ts';

/** Keys of every kind: GUID, date, text, two columns, and none. */
const KINDS = ['Gen_Currencies', 'Gen_Calendar', 'Gen_Link_Types', 'Gen_Document_Links', 'Inv_Current_Balances'];
const BY_TEXT =
  'tables: { include: ["*"], exclude: ["Dmv_*"], overrides: { Gen_Currencies: { types: { Currency_Id: text } } } }';

let job: Job;
beforeAll(async () => {
  job = await startJob({
    tables: [...KINDS, 'Gen_Documents', 'Inv_Stores', 'Dmv_Table_Info'],
    tableRows: { Gen_Documents: 200, Inv_Stores: 60 },
  });
});
afterEach(() => job.demo.configure({ personality: DEFAULT_PERSONALITY }));
afterAll(() => job.close());

const json = async <T>(command: string, file: string, env: Record<string, string>): Promise<T> => {
  const { stdout, stderr } = await tablevault([command, file, '--json'], { env });
  expect(stdout, stderr).not.toBe('');
  return JSON.parse(stdout) as T;
};

describe('the consistency that plan and doctor foresee is that of the snapshot', () => {
  test.each<[string, Partial<Personality>, string?]>([
    ['where nothing is amiss', {}],
    ['where filters on some kinds of keys are refused', { keyFilterRefused: ['text', 'composite'] }],
    ['where filters on other kinds of keys are refused', { keyFilterRefused: ['date', 'guid'] }],
    ['where filters on keys are taken and ignored', { keyFilterEffect: 'ignored' }],
    ['where a key is kept as text', {}, BY_TEXT],
    ['where questions on default filters are refused', { defaultFilters: true, defaultFilterQuestions: 400 }],
  ])('%s', async (_, personality, more = 'tables: { include: ["*"], exclude: ["Dmv_*"] }') => {
    job.demo.configure({ personality: { requestErrorStatus: 400, ...personality } });
    const { file, env } = await job.pipeline({ include: [], more });
    const plan = await json<PlanReport>('plan', file, env);
    const doctor = await json<DoctorReport>('doctor', file, env);
    const snapshot = await json<SnapshotReport>('snapshot', file, env);
    const verdicts = (tables: readonly { name: string; consistency: string | null }[]) =>
      Object.fromEntries(tables.map(({ name, consistency }) => [name, consistency]));
    const happened = verdicts(snapshot.tables);
    expect(verdicts(plan.tables)).toEqual(happened);
    const proof = doctor.steps.find(({ step }) => step === 'proof')!;
    for (const [name, consistency] of Object.entries(happened)) {
      const said = proof.details.filter((line) => line.includes(name)).join();
      if (consistency === 'exact') expect(said).toBe('');
      else expect(said).toContain(`: ${consistency}, not exact: `);
    }
  });
});

test('a table that is not exact has its reason in a line of plan', async () => {
  job.demo.configure({ personality: { requestErrorStatus: 400, keyFilterRefused: ['text'] } });
  const { file, env } = await job.pipeline();
  const { stdout, stderr } = await tablevault(['plan', file], { env });
  expect(stdout).toMatch(/^Gen_Link_Types .* counted$/m);
  expect(stderr).toContain('counted: Gen_Link_Types: the instance takes no filters on its key');
});

test('plan gives the line that accepts the tables that will fail, and the snapshot then takes them', async () => {
  job.demo.configure({ personality: { requestErrorStatus: 400, keyFilter: false, count: false } });
  const { file, env } = await job.pipeline({ include: [], more: 'tables:\n  include: ["*"]\n  exclude: ["Dmv_*"]' });
  const { stderr } = await tablevault(['plan', file], { env });
  const [, line = ''] = /^-> .*put this line into the block tables: .*?: (overrides: \{.*\} \})\.$/m.exec(stderr) ?? [];
  expect(line.match(/accept: best-effort/g), stderr).toHaveLength(6);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('  include: ["*"]', `  include: ["*"]\n  ${line}`));
  const taken = await tablevault(['snapshot', file], { env });
  expect(taken.code, taken.stderr).toBe(0);
});

test('tables that fail for the same cause give the same reason, whatever their keys are', async () => {
  job.demo.configure({ personality: { requestErrorStatus: 400, keyFilter: false, count: false } });
  const { file, env } = await job.pipeline({ include: ['Gen_Documents', 'Gen_Calendar', 'Gen_Link_Types'] });
  const reasonOf = (stderr: string, label: string) =>
    [
      ...stderr.matchAll(new RegExp(`^${label}: [\\w, ]*?(?: |: it )can be neither proven nor counted: (.*)$`, 'gm')),
    ].map(([, reason]) => reason!.replace(/(; it could not be asked| \[).*/, ''));
  const planned = reasonOf((await tablevault(['plan', file], { env })).stderr, 'will fail');
  expect(planned).toHaveLength(1);
  expect(planned[0]).toMatch(/^the instance takes no filters on its key; nothing shows/);
  const failed = await tablevault(['snapshot', file], { env });
  expect(new Set(reasonOf(failed.stderr, 'failed')), failed.stderr).toEqual(new Set(planned));
});
