/** A run under which its vault, or a part that it has stored, goes away: nothing is called published that is not there. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { type Job, paragraphOf, snapshotsIn, startJob } from '../support/job.ts';

let job: Job;
beforeAll(async () => {
  job = await startJob({ tables: ['Gen_Currencies', 'Gen_Countries', 'Gen_Parties'], limits: { latencyMs: 100 } });
});
afterAll(() => job.close());

/** Parts that a vault holds, by their paths. */
async function partsIn(vault: string): Promise<readonly string[]> {
  const all = await readdir(join(vault, 'tables'), { recursive: true }).catch(() => []);
  return all.filter((name) => name.endsWith('.parquet')).map((name) => join(vault, 'tables', name));
}

/** Does something to a vault as soon as a run has stored a checkpoint in it; the rest of the run takes a while. */
async function onCheckpoint(vault: string, act: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const names = await readdir(join(vault, 'runs'), { recursive: true }).catch(() => []);
    if (names.some((name) => name.includes('ckpt') && name.endsWith('.json'))) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await act();
}

async function snapshotWhile(act: (vault: string) => Promise<unknown>) {
  const { file, env, vault } = await job.pipeline();
  const acting = onCheckpoint(vault, () => act(vault));
  const run = await tablevault(['snapshot', file, '--json'], { env });
  await acting;
  return { ...run, file, env, vault, report: JSON.parse(run.stdout) };
}

describe('a run', () => {
  test('of which a stored part was removed ends with 7, publishes nothing, and reads that part again when it is continued', async () => {
    let removed = 0;
    const run = await snapshotWhile(async (vault) => {
      const parts = await partsIn(vault);
      for (const part of parts) await rm(part);
      removed = parts.length;
    });
    expect(removed).toBeGreaterThan(0);
    expect(run.code, run.stderr).toBe(7);
    expect(run.report).toMatchObject({ snapshot: null, error: { code: 'OBJECT_MISSING' } });
    expect(paragraphOf(run)).toMatch(/nothing was published.*tables\/Gen_.*life-cycle rule/);
    expect(await snapshotsIn(run.vault)).toEqual([]);
    const again = await tablevault(['snapshot', run.file, '--json'], { env: run.env });
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ resumed: true, complete: true });
    await job.compare(run);
    expect((await tablevault(['verify', run.vault, '--level', 'rows'])).code).toBe(0);
  });

  test('whose vault was moved away ends with 7, and makes no folder in its place', async () => {
    const run = await snapshotWhile((vault) => rename(vault, `${vault}-moved`));
    expect(run.code, run.stderr).toBe(7);
    expect(run.report).toMatchObject({ snapshot: null });
    expect(paragraphOf(run)).toMatch(/the vault is no longer at .* \[VAULT_NOT_FOUND, exit 7\]/);
    expect(await readdir(join(run.vault, '..'))).toEqual(['job.yaml', 'vault-moved']);
  });

  test('in the place of whose vault is an empty folder ends with 7, and leaves nothing there that looks published', async () => {
    const run = await snapshotWhile(async (vault) => {
      await rename(vault, `${vault}-moved`);
      await mkdir(vault);
    });
    expect(run.code, run.stderr).toBe(7);
    expect(run.report).toMatchObject({ snapshot: null, error: { code: 'VAULT_NOT_FOUND' } });
    expect(paragraphOf(run)).toMatch(/the vault is no longer at .*: it has no vault\.json any more.* Mount its volume/);
    expect(await snapshotsIn(run.vault)).toEqual([]);
    await rm(run.vault, { recursive: true });
    await rename(`${run.vault}-moved`, run.vault);
    const again = await tablevault(['snapshot', run.file, '--json'], { env: run.env });
    expect(JSON.parse(again.stdout), again.stderr).toMatchObject({ complete: true, sequence: 1 });
  });

  test('in the place of whose vault is another one ends with 7, and changes neither', async () => {
    const other = await job.snapshot();
    const before = await snapshotsIn(other.vault);
    const run = await snapshotWhile(async (vault) => {
      await rename(vault, `${vault}-moved`);
      await rename(other.vault, vault);
    });
    expect(run.code, run.stderr).toBe(7);
    expect(run.report).toMatchObject({ snapshot: null, error: { code: 'VAULT_NOT_FOUND' } });
    expect(await snapshotsIn(run.vault)).toEqual(before);
    expect((await tablevault(['prune', run.vault, '--keep-last', '1', '--grace', '0s'])).code).toBe(0);
    expect((await tablevault(['verify', run.vault, '--level', 'files'])).code).toBe(0);
  });
});
