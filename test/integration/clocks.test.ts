/** A host whose clock is ten years off, in either direction: snapshots are whole, in order, and nothing younger is lost to them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { Emit } from '../../src/core/events.ts';
import { readPipeline } from '../../src/pipeline/read.ts';
import { runSnapshot } from '../../src/run/snapshot/snapshot.ts';
import { listSnapshots } from '../../src/run/vault/list.ts';
import { verifyVault } from '../../src/run/vault/verify.ts';
import { openStore } from '../../src/storage/open.ts';
import { openVault } from '../../src/vault/open.ts';
import { type Job, startJob } from '../support/job.ts';

const TEN_YEARS = 3652 * 86_400_000;
let job: Job;
beforeAll(async () => {
  job = await startJob({ tables: ['Gen_Currencies', 'Gen_Documents', 'Dmv_Table_Info'] });
});
afterAll(() => job.close());

it('a clock that is ten years off changes no snapshot, no order, and keeps no lock', async () => {
  const { file, vault, env } = await job.pipeline({ auth: 'token' });
  const pipeline = await readPipeline(file, { env });
  const take = async (offsetMs: number, interruptAfter?: number) => {
    const clock: Clock = { ...systemClock, now: () => Date.now() + offsetMs };
    const stop = new AbortController();
    let parts = 0;
    const emit: Emit = ({ type }) => {
      if (type === 'tableDone' && ++parts === interruptAfter) stop.abort(new Error('stop here'));
    };
    return runSnapshot(pipeline, {}, { clock, emit, signal: stop.signal });
  };

  expect((await take(TEN_YEARS, 1)).report.snapshot).toBeNull();
  for (const offset of [0, TEN_YEARS, -TEN_YEARS, 0]) {
    const { report, error } = await take(offset);
    expect(error).toBeNull();
    expect(report).toMatchObject({ complete: true });
    expect(await job.compare({ vault })).toBeGreaterThan(100);
  }

  const store = await openStore(vault);
  const opened = await openVault(store, { write: false });
  const { snapshots } = await listSnapshots(opened, { nowMs: Date.now() });
  expect(snapshots.map(({ sequence }) => sequence).sort()).toEqual([1, 2, 3, 4]);
  expect(await verifyVault(opened, { level: 'rows' })).toMatchObject({ ok: true, sequence: 4 });
});
