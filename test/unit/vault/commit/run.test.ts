import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import { readCatalog } from '../../../../src/vault/chain/catalog.ts';
import { sealedBytes } from '../../../../src/vault/chain/seal.ts';
import { readCheckpoints, writeCheckpoint } from '../../../../src/vault/commit/checkpoints.ts';
import { closeRun } from '../../../../src/vault/commit/close.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { declareReference, readReferences } from '../../../../src/vault/commit/refs.ts';
import {
  findResumable,
  hasUnfinished,
  isOvertaken,
  newestOfSeries,
  newestUnfinished,
} from '../../../../src/vault/commit/resume.ts';
import { abandonRun, beginRun, listRuns, planHashOf, readPlan } from '../../../../src/vault/commit/run.ts';
import {
  checkpointKey,
  closedKey,
  newRunId,
  partKey,
  planKey,
  snapshotKey,
  tombstoneKey,
} from '../../../../src/vault/layout.ts';
import { openVault } from '../../../../src/vault/open.ts';
import { putPart } from '../../../../src/vault/parts.ts';
import { readSnapshot } from '../../../../src/vault/snapshots.ts';
import { faultyStore } from '../faulty-store.ts';
import { draft, memoryVault, NOW, partEntry, runId, SERIES, testClock } from '../support.ts';

const clock = testClock(true);
const deps = { clock };
const HOUR = 3_600_000;
const planHash = planHashOf({ pipeline: 'p', tables: ['A'] });

async function begun(vault: Awaited<ReturnType<typeof memoryVault>>, startedMs: number, hash = planHash, after = 0) {
  const run = newRunId(startedMs, () => sha256Hex(String(Math.random())).slice(0, 8));
  const at = { ...clock, now: () => startedMs };
  await beginRun(
    vault,
    {
      run,
      pipeline: 'nightly',
      database: SERIES.database,
      narrowed: null,
      planHash: hash,
      after,
      plan: { boundaries: ['x'] },
      tool: 't',
    },
    { clock: at },
  );
  return run;
}

describe('opening a vault', () => {
  it('creates it once for writers, and never for readers', async () => {
    const store = createMemoryStore();
    await expect(openVault(store)).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    const opened = await Promise.all([openVault(store, { write: true }), openVault(store, { write: true })]);
    expect(opened[0]?.info.id).toBe(opened[1]?.info.id);
    expect((await openVault(store)).info.id).toBe(opened[0]?.info.id);
  });

  it('refuses a store that lets a second writer replace an object', async () => {
    const inner = createMemoryStore();
    const unsafe = { ...inner, putNew: (key: string, bytes: Uint8Array) => inner.replace(key, bytes) };
    await expect(openVault(unsafe, { write: true })).rejects.toMatchObject({ code: 'DESTINATION_UNSAFE' });
    expect(await inner.head('vault.json')).toBeUndefined();
  });

  it('refuses a damaged vault, one of a newer version, and snapshots without vault.json', async () => {
    const store = createMemoryStore();
    await store.putNew('vault.json', Buffer.from('{"formatVersion":2}'));
    await expect(openVault(store)).rejects.toMatchObject({
      code: 'VAULT_CORRUPT',
      hint: expect.stringContaining('newer'),
    });
    await store.replace('vault.json', Buffer.from('nonsense'));
    await expect(openVault(store)).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    await store.remove('vault.json');
    await store.putNew('snapshots/00000000000000000001.json', Buffer.from('{}'));
    await expect(openVault(store, { write: true })).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });
});

describe('a run', () => {
  it('is continued by the newest undecided run of the same plan, if young enough', async () => {
    const vault = await memoryVault();
    const query = { planHash, pipeline: 'nightly', newest: 0, withinMs: 6 * HOUR, nowMs: NOW };
    expect(await findResumable(vault, query)).toBeUndefined();
    await begun(vault, NOW - 7 * HOUR);
    await begun(vault, NOW - HOUR, planHashOf('another plan'));
    expect(await findResumable(vault, query)).toBeUndefined();
    const young = await begun(vault, NOW - 3 * HOUR);
    const damaged = await begun(vault, NOW - HOUR);
    await vault.store.replace(planKey(damaged), Buffer.from('{'));
    expect((await findResumable(vault, query))?.run).toBe(young);
    expect((await findResumable(vault, query))?.plan).toEqual({ boundaries: ['x'] });
    const younger = await begun(vault, NOW - 2 * HOUR);
    expect((await findResumable(vault, query))?.run).toBe(younger);
    await abandonRun(vault, younger, 'fresh', deps);
    expect((await findResumable(vault, query))?.run).toBe(young);
    await commitSnapshot(vault, draft({ run: young, snapshot: young }), deps);
    expect(await findResumable(vault, query)).toBeUndefined();
  });

  it('is not continued once a snapshot of its series was published after it began, whatever the clocks say', async () => {
    const vault = await memoryVault();
    const series = { pipeline: 'nightly', database: SERIES.database };
    const newest = async () => newestOfSeries(await readCatalog(vault), series);
    const query = { planHash, ...series, withinMs: 6 * HOUR, nowMs: NOW };
    const first = await begun(vault, NOW - 3 * HOUR, planHash, await newest());
    await commitSnapshot(vault, draft({ pipeline: { name: 'hourly', sha256: '0'.repeat(64) } }), deps);
    expect(await findResumable(vault, { ...query, newest: await newest() })).toMatchObject({ run: first });
    // Dated before the run: a clock that was wrong.
    await commitSnapshot(vault, draft({ complete: false, startedAt: new Date(NOW - 9 * HOUR).toISOString() }), deps);
    expect(await findResumable(vault, { ...query, newest: await newest() })).toBeUndefined();
    const second = await begun(vault, NOW - HOUR, planHash, await newest());
    expect(await findResumable(vault, { ...query, newest: await newest() })).toMatchObject({ run: second });
    // Of a manifest that cannot be read, nobody knows the series.
    await commitSnapshot(vault, draft({ pipeline: { name: 'hourly', sha256: '0'.repeat(64) } }), deps);
    await vault.store.replace(snapshotKey(3), Buffer.from('{'));
    expect(await findResumable(vault, { ...query, newest: await newest() })).toBeUndefined();
    expect([isOvertaken({}, 0), isOvertaken({}, 1)]).toEqual([false, true]);
  });

  it('that was overtaken is told of, with its plan, while it is young; one of another plan is not', async () => {
    const vault = await memoryVault();
    const series = { pipeline: 'nightly', database: SERIES.database };
    const query = { planHash, ...series, newest: 1, withinMs: 6 * HOUR, nowMs: NOW };
    const left = await begun(vault, NOW - 3 * HOUR);
    const run = await begun(vault, NOW - 2 * HOUR);
    expect(await newestUnfinished(vault, query)).toMatchObject({ plan: { run } });
    await commitSnapshot(vault, draft({ run, snapshot: run }), deps);
    expect(await newestUnfinished(vault, query)).toMatchObject({ plan: { run: left } });
    expect(await newestUnfinished(vault, { ...query, planHash: planHashOf('other') })).toBeUndefined();
    expect(await newestUnfinished(vault, { ...query, withinMs: HOUR })).toBeUndefined();
  });

  it('is not continued by another pipeline, whose lease is another', async () => {
    const vault = await memoryVault();
    await begun(vault, NOW - HOUR);
    const query = { planHash, pipeline: 'hourly', newest: 0, withinMs: 6 * HOUR, nowMs: NOW };
    expect(await findResumable(vault, query)).toBeUndefined();
  });

  it('that was closed is not continued, nor is any that began before it; one that begins later is', async () => {
    const vault = await memoryVault();
    const query = { planHash, pipeline: 'nightly', newest: 0, withinMs: 6 * HOUR, nowMs: NOW };
    await begun(vault, NOW - 3 * HOUR);
    const refused = await begun(vault, NOW - 2 * HOUR);
    await closeRun(vault, refused, { pipeline: 'nightly', reason: 'AUTH_FORBIDDEN' }, deps);
    await closeRun(vault, refused, { pipeline: 'nightly', reason: 'again' }, deps);
    expect(await findResumable(vault, query)).toBeUndefined();
    expect(await hasUnfinished(vault, query)).toBe(false);
    const later = await begun(vault, NOW - HOUR);
    expect((await findResumable(vault, query))?.run).toBe(later);
    // A run of its own need not have begun.
    await closeRun(
      vault,
      newRunId(NOW, () => 'ffffffff'),
      { pipeline: 'nightly', reason: 'AUTH_TOKEN' },
      deps,
    );
    expect(await findResumable(vault, query)).toBeUndefined();
  });

  it.each(['00000000', 'ffffffff'])('that began in the second of a closed one (%s) is not continued', async (name) => {
    const vault = await memoryVault();
    const query = { planHash, pipeline: 'nightly', newest: 0, withinMs: 6 * HOUR, nowMs: NOW };
    await begun(vault, NOW - HOUR);
    await closeRun(
      vault,
      newRunId(NOW - HOUR, () => name),
      { pipeline: 'nightly', reason: 'AUTH_TOKEN' },
      deps,
    );
    expect(await findResumable(vault, query)).toBeUndefined();
    expect(await hasUnfinished(vault, query)).toBe(false);
  });

  it('that was closed may still be committed by its own process', async () => {
    const vault = await memoryVault();
    const run = await begun(vault, NOW - HOUR);
    await closeRun(vault, run, { pipeline: 'nightly', reason: 'AUTH_FORBIDDEN' }, deps);
    const { manifest } = await commitSnapshot(vault, draft({ run, snapshot: run }), deps);
    expect(manifest.run).toBe(run);
  });

  it('of another pipeline that was closed closes nothing here; a damaged mark closes', async () => {
    const vault = await memoryVault();
    const query = { planHash, pipeline: 'nightly', newest: 0, withinMs: 6 * HOUR, nowMs: NOW };
    const run = await begun(vault, NOW - HOUR);
    await closeRun(
      vault,
      newRunId(NOW, () => 'ffffffff'),
      { pipeline: 'hourly', reason: 'AUTH_TOKEN' },
      deps,
    );
    expect((await findResumable(vault, query))?.run).toBe(run);
    await vault.store.replace(closedKey(run), Buffer.from('{'));
    expect(await findResumable(vault, query)).toBeUndefined();
  });

  it('dated in the future by a wrong clock is not continued', async () => {
    const vault = await memoryVault();
    await begun(vault, NOW + 10 * 365 * 24 * HOUR);
    expect(
      await findResumable(vault, { planHash, pipeline: 'nightly', newest: 0, withinMs: 6 * HOUR, nowMs: NOW }),
    ).toBeUndefined();
  });

  it('is begun once, also when the answer is lost and it is begun again', async () => {
    const store = createMemoryStore();
    const vault = await memoryVault(store);
    const flaky = { ...vault, store: faultyStore(store, (_key, n) => (n === 1 ? 'lost-answer' : undefined)) };
    const begin = { run: runId(), ...SERIES, narrowed: null, planHash, after: 0, plan: null, tool: 't' };
    const still = { clock: { ...clock, now: () => NOW } };
    await expect(beginRun(flaky, begin, still)).rejects.toMatchObject({ code: 'DESTINATION_UNREACHABLE' });
    await beginRun(flaky, begin, still);
    await expect(beginRun(flaky, { ...begin, plan: 'other' }, still)).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
    expect(await listRuns(vault)).toEqual([begin.run]);
    expect((await readPlan(vault, begin.run))?.plan).toBeNull();
  });
});

describe('checkpoints', () => {
  const checkpoint = (task: string, parts: ReturnType<typeof partEntry>[] = []) => ({
    table: 'Gen_Documents',
    task,
    range: { ge: 'a' },
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    parts,
    proof: { kind: 'closing read' },
    detail: [1, 'x', null],
  });

  async function storedPart(vault: Awaited<ReturnType<typeof memoryVault>>, run: string, content: string) {
    const key = partKey('Gen_Documents', run, 0, sha256Hex(content));
    await vault.store.putNew(key, Buffer.from(content));
    return partEntry({ key, run, rows: 3, bytes: content.length, sha256: sha256Hex(content) });
  }

  it('come back as they were written, in order, with the next free number', async () => {
    const vault = await memoryVault();
    const run = runId();
    const part = await storedPart(vault, run, 'one');
    const written = [checkpoint('0', [part]), checkpoint('1'), { ...checkpoint('0'), table: 'A/b c' }];
    for (const [n, each] of written.entries()) await writeCheckpoint(vault, run, n, each);
    const found = await readCheckpoints(vault, run);
    expect(found.unusable).toEqual([]);
    expect(found.checkpoints).toMatchObject([written[2], written[0], written[1]]);
    expect(found.nextNumber).toEqual(
      new Map([
        ['Gen_Documents', 2],
        ['A/b c', 3],
      ]),
    );
  });

  it('of a taken number go to the next, and one task counts once', async () => {
    const store = createMemoryStore();
    const vault = await memoryVault(store);
    const run = runId();
    expect(await writeCheckpoint(vault, run, 0, checkpoint('first'))).toBe(0);
    expect(await writeCheckpoint(vault, run, 0, checkpoint('second'))).toBe(1);
    expect(await writeCheckpoint(vault, run, 0, checkpoint('second'))).toBe(1);
    expect(
      await writeCheckpoint(vault, run, 2, { ...checkpoint('first'), detail: 'by a process that lost its lease' }),
    ).toBe(2);
    const { checkpoints } = await readCheckpoints(vault, run);
    expect(checkpoints.map(({ task, detail }) => [task, detail])).toEqual([
      ['first', [1, 'x', null]],
      ['second', [1, 'x', null]],
    ]);
  });

  it('that are damaged, misplaced or miss a part are told and not used', async () => {
    const vault = await memoryVault();
    const run = runId();
    const good = await storedPart(vault, run, 'good');
    const gone = partEntry({ ...good, key: 'tables/Gen_Documents/gone.parquet' });
    const cut = partEntry({ ...good, bytes: 99 });
    await writeCheckpoint(vault, run, 0, checkpoint('good', [good]));
    await writeCheckpoint(vault, run, 1, checkpoint('gone', [gone]));
    await writeCheckpoint(vault, run, 2, checkpoint('cut', [cut]));
    await writeCheckpoint(vault, run, 3, { ...checkpoint('sum', [good]), rows: 4 });
    await vault.store.putNew(checkpointKey(run, 'Gen_Documents', 4), Buffer.from('{'));
    const bytes = await vault.store.get(checkpointKey(run, 'Gen_Documents', 0));
    await vault.store.putNew(checkpointKey(run, 'Other', 0), bytes);
    const { checkpoints, unusable } = await readCheckpoints(vault, run);
    expect(checkpoints.map(({ task }) => task)).toEqual(['good']);
    expect(unusable).toHaveLength(5);
  });
});

describe('a part', () => {
  it('is stored under its hash, once, and a damaged one of the same name is not taken for it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tablevault-part-'));
    try {
      const file = join(folder, 'spool');
      await writeFile(file, 'PAR1 content');
      const store = createMemoryStore();
      const vault = await memoryVault(store);
      const run = runId();
      const part = { table: 'CON', run, n: 3, file, bytes: 12, sha256: sha256Hex('PAR1 content') };
      const key = await putPart(vault, part);
      expect(key).toBe(`tables/%43ON/${run}-3-${part.sha256.slice(0, 12)}.parquet`);
      expect(await putPart(vault, part)).toBe(key);
      await store.replace(key, Buffer.from('PAR1 c0ntent'));
      await expect(putPart(vault, part)).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('references to an earlier snapshot', () => {
  it('are refused once it is retired, and can be read by who retires', async () => {
    const vault = await memoryVault();
    const { manifest, sha256 } = await commitSnapshot(vault, draft(), deps);
    const run = runId();
    expect(await declareReference(vault, run, { sequence: 1, sha256 })).toBe(true);
    expect(await declareReference(vault, run, { sequence: 1, sha256 })).toBe(true);
    expect(await readReferences(vault, run)).toMatchObject([{ run, snapshot: { sequence: 1, sha256 } }]);
    const { snapshot, nonce } = manifest;
    const tombstone = { formatVersion: 1, sequence: 1, snapshot, run: manifest.run, nonce, sha256, parent: null };
    await vault.store.putNew(
      tombstoneKey(1),
      sealedBytes({ ...tombstone, retiredAt: manifest.finishedAt, reason: 'test' }),
    );
    expect(await declareReference(vault, runId(), { sequence: 1, sha256 })).toBe(false);
    // Readers honour the tombstone although the manifest is still there.
    await expect(readSnapshot(vault, snapshot)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('retired'),
    });
    await expect(readSnapshot(vault, '1')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(readSnapshot(vault, 'latest')).rejects.toMatchObject({ code: 'USAGE' });
  });
});
