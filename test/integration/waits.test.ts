/** What a run that stands still says of itself where there is no terminal. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { type Job, startJob } from '../support/job.ts';

const TABLE = 'Gen_Documents';

let job: Job;
beforeAll(async () => {
  job = await startJob({ tables: [TABLE], tableRows: { [TABLE]: 400 } });
});
afterAll(() => job.close());

/** What a snapshot says until the words come, or until half a minute has passed; then it is interrupted. */
async function saidUntil(words: RegExp): Promise<string> {
  const { file, env } = await job.pipeline({ include: [TABLE] });
  const { stderr } = await tablevault(['snapshot', file], {
    env,
    onStart: (child) => {
      let said = '';
      const stop = () => void child.kill('SIGINT');
      const timer = setTimeout(stop, 30_000);
      child.once('exit', () => clearTimeout(timer));
      child.stderr?.on('data', (chunk) => {
        said += chunk;
        // A second signal would end it before its last words.
        if (!child.killed && words.test(said)) stop();
      });
    },
  });
  return stderr;
}

describe('a run that stands still', () => {
  test('says that it waits for a first byte, and does not promise to continue', async () => {
    job.demo.configure({ faults: [{ on: { path: new RegExp(`/odata/${TABLE}`) }, do: 'hang' }] });
    const said = await saidUntil(/waiting \S+ s for the first byte/);
    job.demo.configure({ faults: [] });
    expect(said).toMatch(new RegExp(`waiting \\S+ s for the first byte of .*${TABLE}.* \\(5 min at most\\)`));
    expect(said).toMatch(/Run the same command again\. \[INTERRUPTED/);
  });

  test('says that requests are spaced out', async () => {
    job.demo.configure({ limits: { sessionRpm: 10 } });
    const said = await saidUntil(/spaced out/);
    expect(said).toMatch(/requests are spaced out: the instance accepts \d+ per minute/);
  });
});
