import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { listSnapshots } from '../../../../src/run/vault/list.ts';
import { tablePaths } from '../../../../src/run/vault/paths.ts';
import { applyRepair, planRepair } from '../../../../src/run/vault/repair.ts';
import { verifyVault } from '../../../../src/run/vault/verify.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { partKey, snapshotKey } from '../../../../src/vault/layout.ts';
import { contentOf } from '../../../torture/lib/wrap-store.ts';
import { draft, memoryVault, partEntry, runId, tableEntry, testClock } from '../../vault/support.ts';

const deps = { clock: testClock(true), persistence: { attempts: 2, firstPauseMs: 1, lastPauseMs: 1 } };

/** Two snapshots with tables A, B, C; the second takes A over. */
async function twoSnapshots() {
  const store = createMemoryStore();
  const vault = await memoryVault(store);
  const table = async (run: string, name: string) => {
    const content = randomBytes(30);
    const sha256 = sha256Hex(content);
    const key = partKey(name, run, 0, sha256);
    await store.putNew(key, content);
    return tableEntry([partEntry({ key, run, bytes: 30, sha256 })], { name });
  };
  const [one, two] = [runId(), runId()];
  const first = await Promise.all(['A', 'B', 'C'].map((name) => table(one, name)));
  await commitSnapshot(vault, draft({ run: one, snapshot: one, tables: first }), deps);
  const second = [first[0]!, await table(two, 'B'), await table(two, 'C')];
  await commitSnapshot(vault, draft({ run: two, snapshot: two, tables: second }), deps);
  const key = (of: typeof first, n: number) => of[n]!.parts[0]!.key;
  return { store, vault, a: key(first, 0), oldB: key(first, 1), c: key(second, 2) };
}

describe('repair', () => {
  it('of a sound vault finds and changes nothing', async () => {
    const { store, vault } = await twoSnapshots();
    const before = await contentOf(store);
    const plan = await planRepair(vault);
    expect(plan).toEqual({ broken: [], unjudged: [], beyond: [], rereads: [] });
    await applyRepair(vault, plan, deps);
    expect(await contentOf(store)).toEqual(before);
  });

  it('says first what is damaged, who needs it, and what has to be read again', async () => {
    const { store, vault, a, oldB, c } = await twoSnapshots();
    await store.replace(a, randomBytes(30));
    await store.remove(oldB);
    await store.replace(c, randomBytes(29));
    const before = await contentOf(store);
    const plan = await planRepair(vault);
    expect(plan.broken).toMatchObject([
      { key: a, table: 'A', snapshots: [1, 2], present: true, finding: { code: 'PART_HASH' } },
      { key: oldB, table: 'B', snapshots: [1], present: false, finding: { code: 'PART_MISSING' } },
      { key: c, table: 'C', snapshots: [2], present: true, finding: { code: 'PART_SIZE' } },
    ]);
    expect(plan.rereads).toEqual(['A', 'C']);
    expect(await contentOf(store)).toEqual(before);
  });

  it('removes nothing whose copy a store acknowledges and does not keep', async () => {
    const { store, vault, a } = await twoSnapshots();
    await store.replace(a, randomBytes(30));
    const plan = await planRepair(vault);
    const putNewFile: typeof store.putNewFile = async (key, path, facts) =>
      key.startsWith('quarantine/') ? undefined : store.putNewFile(key, path, facts);
    const forgetful = { ...vault, store: { ...store, putNewFile } };
    await expect(applyRepair(forgetful, plan, deps)).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    expect(await store.head(a)).toBeDefined();
  });

  it('keeps the damaged bytes in quarantine, touches nothing sound, and then verify names what is missing', async () => {
    const { store, vault, a } = await twoSnapshots();
    const damaged = randomBytes(30);
    await store.replace(a, damaged);
    const before = await contentOf(store);
    const { quarantined } = await applyRepair(vault, await planRepair(vault), deps);
    expect(quarantined).toHaveLength(1);
    expect(Buffer.from(await store.get(quarantined[0]!))).toEqual(damaged);
    const after = await contentOf(store);
    before.delete(a);
    after.delete(quarantined[0]!);
    expect(after).toEqual(before);
    const { findings } = await verifyVault(vault, { level: 'files' });
    expect(findings).toMatchObject([{ code: 'PART_MISSING', object: a }]);
    // A second repair has nothing left to do.
    expect((await applyRepair(vault, await planRepair(vault), deps)).quarantined).toEqual([]);
  });

  it('is told by ls: a snapshot whose part is in quarantine is damaged and not the newest complete one, until the part is back', async () => {
    const { store, vault, c } = await twoSnapshots();
    const sound = await store.get(c);
    await store.replace(c, randomBytes(30));
    await applyRepair(vault, await planRepair(vault), deps);
    const list = () => listSnapshots(vault, { nowMs: Date.now() });
    const [one, two] = (await list()).snapshots;
    expect([one?.missingParts, two?.missingParts]).toEqual([0, 1]);
    expect((await list()).newestComplete).toBe(one?.snapshot);
    // Nobody is given the path of a file that is not there.
    await expect(tablePaths(vault, '*', { snapshot: '2' })).rejects.toMatchObject({
      code: 'VAULT_CORRUPT',
      message: expect.stringContaining(c),
    });
    await store.putNew(c, sound);
    expect((await tablePaths(vault, '*', { snapshot: '2' })).paths).not.toEqual([]);
    expect(await list()).toMatchObject({ newestComplete: two?.snapshot, snapshots: [{}, { missingParts: 0 }] });
  });

  it('judges a part again before it moves it: what is sound or gone by then is left, and said', async () => {
    const { store, vault, a, c } = await twoSnapshots();
    const sound = await store.get(a);
    for (const key of [a, c]) await store.replace(key, randomBytes(30));
    const plan = await planRepair(vault);
    await store.replace(a, sound);
    await store.remove(c);
    const before = await contentOf(store);
    const report = await applyRepair(vault, plan, deps);
    expect(report).toMatchObject({
      quarantined: [],
      left: [
        { key: a, state: 'sound' },
        { key: c, state: 'missing' },
      ],
    });
    expect(await contentOf(store)).toEqual(before);
  });

  it('removes nothing that became sound again while it was copied', async () => {
    const { store, vault, a } = await twoSnapshots();
    const sound = await store.get(a);
    await store.replace(a, randomBytes(30));
    const putNewFile: typeof store.putNewFile = async (key, path, facts) => {
      await store.putNewFile(key, path, facts);
      await store.replace(a, sound);
    };
    const plan = await planRepair(vault);
    const report = await applyRepair({ ...vault, store: { ...store, putNewFile } }, plan, deps);
    expect(report).toMatchObject({ quarantined: [], left: [{ key: a, state: 'unclear' }] });
    expect(await store.get(a)).toEqual(sound);
  });

  it('is not kept from other damaged parts by one that cannot be read, or that another repair moves', async () => {
    const { store, vault, a, oldB, c } = await twoSnapshots();
    for (const key of [a, oldB, c]) await store.replace(key, randomBytes(29));
    const plan = await planRepair(vault);
    const fault = new TablevaultError('DESTINATION_UNREACHABLE', 'reading failed (EIO)', {
      at: { store: store.uri, object: a },
    });
    const stream: typeof store.stream = async function* (key, call) {
      if (key === a) throw fault;
      if (key === oldB) await store.remove(oldB);
      yield* store.stream(key, call);
    };
    const report = await applyRepair({ ...vault, store: { ...store, stream } }, plan, deps);
    expect(report.left).toMatchObject([
      { key: a, state: 'unclear', why: fault.message },
      { key: oldB, state: 'missing' },
    ]);
    expect(report.quarantined).toHaveLength(1);
    expect(await store.head(a)).toBeDefined();
    expect(await store.head(c)).toBeUndefined();
  });

  it('never holds a whole part in memory, whose size may be anything', async () => {
    const { store, vault, a } = await twoSnapshots();
    await store.replace(a, randomBytes(31));
    const get: typeof store.get = async (key, call) => {
      if (key.includes('tables/')) throw new Error(`the whole of ${key} was asked for`);
      return store.get(key, call);
    };
    const whole = { ...vault, store: { ...store, get } };
    expect((await applyRepair(whole, await planRepair(whole), deps)).quarantined).toHaveLength(1);
  });

  it('leaves damaged manifests alone and says so', async () => {
    const { store, vault } = await twoSnapshots();
    await store.replace(snapshotKey(1), Buffer.from('{'));
    const plan = await planRepair(vault);
    expect(plan.beyond).toMatchObject([{ code: 'MANIFEST_UNREADABLE', object: snapshotKey(1) }]);
    const before = await contentOf(store);
    await applyRepair(vault, plan, deps);
    expect(await contentOf(store)).toEqual(before);
  });
});
