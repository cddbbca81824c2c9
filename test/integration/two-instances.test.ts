/** Two instances whose databases have the same name, such as production and a test instance made from its copy. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { type Job, startJob } from '../support/job.ts';

const jobs: Job[] = [];
beforeAll(async () => {
  for (let n = 0; n < 2; n += 1) jobs.push(await startJob({ tables: ['Gen_Currencies'] }));
});
afterAll(() => Promise.all(jobs.map((job) => job.close())));

test('a snapshot warns where the one before it in the series was read from another address', async () => {
  const [production, trial] = jobs as [Job, Job];
  const { file, vault, env } = await production.pipeline();
  const other = await trial.pipeline({ vault });
  const taken = async (of: { file: string; env: Record<string, string> }) => {
    const { code, stderr } = await tablevault(['snapshot', of.file], { env: of.env });
    expect(code, stderr).toBe(0);
    return stderr;
  };
  const WARNING = /warning: .*the previous snapshot, number (\d), was read from (\S+), and this run reads (\S+):/;
  expect(await taken({ file, env })).not.toMatch(WARNING);
  expect(await taken({ file, env })).not.toMatch(WARNING);
  expect(WARNING.exec(await taken(other))?.slice(1)).toEqual(['2', production.demo.url, trial.demo.url]);
  expect(await taken(other)).not.toMatch(WARNING);
  // Another spelling of an address is no other address.
  await writeFile(
    file,
    `version: 1
instance: ${trial.demo.url}/
auth: { kind: service, clientId: my.app/backup, clientSecret: "\${env:SECRET}" }
destination: ${vault}
`,
  );
  expect(await taken({ file, env: other.env })).not.toMatch(WARNING);
});
