import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { pin, unpin } from '../../../../src/run/vault/pin.ts';
import { pruneVault } from '../../../../src/run/vault/prune.ts';
import { verifyVault } from '../../../../src/run/vault/verify.ts';
import { nodeFileSystem } from '../../../../src/storage/filesystem.ts';
import { createFolderStore } from '../../../../src/storage/folder.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import type { TableEntry } from '../../../../src/vault/chain/manifest.ts';
import { readPlaces } from '../../../../src/vault/chain/places.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { declareReference } from '../../../../src/vault/commit/refs.ts';
import { beginRun, readOutcome } from '../../../../src/vault/commit/run.ts';
import { outcomeKey, partKey, planKey, snapshotKey, tombstoneKey } from '../../../../src/vault/layout.ts';
import { acquireLease } from '../../../../src/vault/lease/lease.ts';
import { openVault } from '../../../../src/vault/open.ts';
import type { Vault } from '../../../../src/vault/vault.ts';
import { faultyStore } from '../../vault/faulty-store.ts';
import { draft, NOW, partEntry, runId, SERIES, tableEntry, testClock } from '../../vault/support.ts';

const DAY = 86_400_000;
const deps = { clock: testClock(true), persistence: { attempts: 2, firstPauseMs: 1, lastPauseMs: 1 } };

/** A vault in memory whose store's clock the test turns. */
async function agingVault(wrap: (store: Store) => Store = (store) => store) {
  let now = NOW;
  const inner = createMemoryStore({ clock: { now: () => now, sleep: async () => {} } });
  const vault = await openVault(wrap(inner), { write: true, tool: 'test' });
  return { vault, inner, age: (ms: number) => (now += ms) };
}

async function table(vault: Vault, run: string, name: string): Promise<TableEntry> {
  const content = randomBytes(20);
  const sha256 = sha256Hex(content);
  const key = partKey(name, run, 0, sha256);
  await vault.store.putNew(key, content);
  return tableEntry([partEntry({ key, run, rows: 1, bytes: 20, sha256 })], { name });
}

/** A snapshot with a new part of each table named, and parts of earlier ones. */
async function committed(vault: Vault, fresh: readonly string[], reused: readonly TableEntry[] = []) {
  const run = runId();
  const tables = [...(await Promise.all(fresh.map((name) => table(vault, run, name)))), ...reused];
  const { manifest } = await commitSnapshot(vault, draft({ run, snapshot: run, tables }), deps);
  return manifest;
}

async function keys(store: Store, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found;
}

const prune = (vault: Vault, values: Partial<Parameters<typeof pruneVault>[1]> = {}) =>
  pruneVault(vault, { policy: { keepLast: 1 }, dryRun: false, graceMs: DAY, ...values }, deps);

describe('prune', () => {
  it('retires at once, frees after the grace, and keeps the chain whole', async () => {
    const { vault, inner, age } = await agingVault();
    const old = await committed(vault, ['A', 'B']);
    const shared = old.tables.filter(({ name }) => name === 'B');
    await committed(vault, ['A'], shared);
    age(2 * DAY);
    const first = await prune(vault);
    expect(first).toMatchObject({
      retired: [{ sequence: 1 }],
      swept: { snapshots: 0, parts: 0 },
      waiting: { snapshots: 1 },
    });
    expect(await inner.head(snapshotKey(1))).toBeDefined();
    expect((await readPlaces(vault)).live).toEqual([2]);
    age(2 * DAY);
    const second = await prune(vault);
    expect(second).toMatchObject({ retired: [], swept: { snapshots: 1, parts: 1 }, waiting: { snapshots: 0 } });
    expect(await inner.head(snapshotKey(1))).toBeUndefined();
    expect(await keys(inner, 'tables/')).toHaveLength(2);
    expect(await keys(inner, `runs/${old.run}/`)).toEqual([]);
    expect(await verifyVault(vault, { level: 'files' })).toMatchObject({ ok: true, notices: [] });
    expect((await prune(vault)).swept.objects).toBe(0);
  });

  it('with --dry-run says the same and changes nothing', async () => {
    const { vault, inner, age } = await agingVault();
    for (let n = 0; n < 3; n += 1) await committed(vault, ['A']);
    age(2 * DAY);
    const before = await keys(inner, '');
    const plan = await prune(vault, { dryRun: true, graceMs: 0 });
    expect(await keys(inner, '')).toEqual(before);
    const done = await prune(vault, { graceMs: 0 });
    expect(done.retired).toEqual(plan.retired);
    expect(done.swept).toMatchObject({ snapshots: plan.swept.snapshots, parts: plan.swept.parts });
  });

  it('removes nothing of a damaged or empty vault', async () => {
    const { vault, inner, age } = await agingVault();
    await expect(prune(vault)).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    for (let n = 0; n < 3; n += 1) await committed(vault, ['A']);
    age(2 * DAY);
    const sound = await inner.get(snapshotKey(2));
    await inner.remove(snapshotKey(2));
    const before = await keys(inner, '');
    await expect(prune(vault, { graceMs: 0 })).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    await inner.putNew(snapshotKey(2), Buffer.concat([sound, Buffer.from(' ')]));
    await expect(prune(vault, { graceMs: 0 })).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    expect(await keys(inner, '')).toEqual([...before, snapshotKey(2)].sort());
  });

  it('keeps what an unfinished run refers to, until that run is decided', async () => {
    const { vault, inner, age } = await agingVault();
    const base = await committed(vault, ['A']);
    const run = runId();
    await beginRun(
      vault,
      {
        run,
        pipeline: 'other',
        database: SERIES.database,
        narrowed: null,
        planHash: sha256Hex('x'),
        after: 0,
        plan: null,
        tool: 't',
      },
      deps,
    );
    const sha256 = sha256Hex(await inner.get(snapshotKey(1)));
    expect(await declareReference(vault, run, { sequence: 1, sha256 })).toBe(true);
    await committed(vault, ['A']);
    age(2 * DAY);
    await prune(vault, { graceMs: 0 });
    expect(await prune(vault, { graceMs: 0 })).toMatchObject({ swept: { parts: 0 }, waiting: { snapshots: 1 } });
    await commitSnapshot(vault, draft({ run, snapshot: run, tables: base.tables }), deps);
    await prune(vault, { graceMs: 0 });
    expect(await verifyVault(vault, { level: 'files' })).toMatchObject({ ok: true });
    expect(await inner.head(base.tables[0]!.parts[0]!.key)).toBeDefined();
  });

  it('keeps what a commit names that was decided and not yet published', async () => {
    const { vault, inner, age } = await agingVault();
    const base = await committed(vault, ['A']);
    await committed(vault, ['A']);
    age(2 * DAY);
    // Decided in the moment between the prune's look for such commits and its marks.
    const run = runId();
    let decided = false;
    const racing: Store = {
      ...inner,
      putNew: async (key, bytes, options) => {
        await inner.putNew(key, bytes, options);
        if (key !== tombstoneKey(1) || decided) return;
        decided = true;
        const dying = {
          ...inner,
          putNew: (to: string, ...rest: [Uint8Array]) =>
            to.startsWith('snapshots/')
              ? Promise.reject(new TablevaultError('DESTINATION_DENIED', 'dead'))
              : inner.putNew(to, ...rest),
        };
        await commitSnapshot(
          { ...vault, store: dying },
          draft({ run, snapshot: run, tables: base.tables }),
          deps,
        ).catch(() => undefined);
      },
    };
    await prune({ ...vault, store: racing }, { graceMs: 0 });
    expect((await readOutcome(vault, run))?.outcome).toBe('commit');
    expect(await inner.head(base.tables[0]!.parts[0]!.key)).toBeDefined();
  });

  it('leaves parts of a running run alone, and gives up a dead one after a week', async () => {
    const { vault, inner, age } = await agingVault();
    await committed(vault, ['A']);
    const run = runId();
    await beginRun(
      vault,
      {
        run,
        pipeline: 'p',
        database: SERIES.database,
        narrowed: null,
        planHash: sha256Hex('x'),
        after: 0,
        plan: null,
        tool: 't',
      },
      deps,
    );
    await table(vault, run, 'A');
    age(3 * DAY);
    await prune(vault, { graceMs: 0 });
    expect(await keys(inner, 'tables/')).toHaveLength(2);
    age(8 * DAY);
    expect((await prune(vault, { graceMs: 0 })).abandoned).toEqual([run]);
    expect(await keys(inner, 'tables/')).toHaveLength(1);
    expect(await inner.head(planKey(run))).toBeUndefined();
    expect((await readOutcome(vault, run))?.outcome).toBe('abandoned');
    expect((await prune(vault, { graceMs: 0 })).abandoned).toEqual([]);
  });

  it('leaves the probe of a writer that is opening the vault, whatever the grace', async () => {
    const { vault, inner, age } = await agingVault();
    await committed(vault, ['A']);
    await inner.putNew('probe/of-a-writer', Buffer.from('x'));
    await prune(vault, { graceMs: 0 });
    expect(await keys(inner, 'probe/')).toHaveLength(1);
    age(2 * DAY);
    await prune(vault, { graceMs: 0 });
    expect(await keys(inner, 'probe/')).toEqual([]);
  });

  it('takes a locked object for later, and then keeps its manifest and parts together', async () => {
    let locked = /^snapshots\//;
    const { vault, inner, age } = await agingVault((store) => ({
      ...store,
      remove: (key, options) =>
        locked.test(key)
          ? Promise.reject(new TablevaultError('DESTINATION_DENIED', `locked: ${key}`))
          : store.remove(key, options),
    }));
    const old = await committed(vault, ['A']);
    await committed(vault, ['A']);
    age(2 * DAY);
    expect(await prune(vault, { graceMs: 0 })).toMatchObject({ later: [snapshotKey(1)], swept: { parts: 0 } });
    expect(await inner.head(old.tables[0]!.parts[0]!.key)).toBeDefined();
    locked = /^nothing/;
    expect(await prune(vault, { graceMs: 0 })).toMatchObject({ later: [], swept: { snapshots: 1, parts: 1 } });
  });

  it('writes nothing in a dry run, not even a file that is gone again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tablevault-dry-'));
    try {
      const vault = await openVault(createFolderStore(folder), { write: true, tool: 'test' });
      for (let n = 0; n < 2; n += 1) await committed(vault, ['A']);
      const refuse = () => Promise.reject<never>(Object.assign(new Error('EROFS: by a test'), { code: 'EROFS' }));
      const writes = { create: refuse, mkdir: refuse, link: refuse, rename: refuse, unlink: refuse };
      const locked = await openVault(createFolderStore(folder, { fileSystem: { ...nodeFileSystem, ...writes } }));
      expect((await prune(locked, { dryRun: true, graceMs: 0 })).retired).toMatchObject([{ sequence: 1 }]);
      expect((await readPlaces(vault)).live).toEqual([1, 2]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('never retires a pinned snapshot, also when it is pinned at the same time', async () => {
    const { vault, inner, age } = await agingVault();
    for (let n = 0; n < 3; n += 1) await committed(vault, ['A']);
    age(2 * DAY);
    await pin(vault, '1', { reason: 'year end', clock: deps.clock });
    const racing: Store = {
      ...inner,
      putNew: async (key, bytes, options) => {
        // Pinned after the prune has looked for pins, and before its tombstone.
        if (key === tombstoneKey(2)) await pin(vault, '2', { reason: 'race', clock: deps.clock });
        await inner.putNew(key, bytes, options);
      },
    };
    expect((await prune({ ...vault, store: racing }, { graceMs: 0 })).retired).toEqual([]);
    expect((await readPlaces(vault)).live).toEqual([1, 2, 3]);
    await unpin(vault, '1', {});
    expect((await prune(vault, { graceMs: 0 })).retired).toMatchObject([{ sequence: 1 }]);
    await expect(pin(vault, '1', { reason: 'late', clock: deps.clock })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('shows in a dry run what it does of a vault with an unfinished commit, and writes nothing', async () => {
    const { vault, inner, age } = await agingVault();
    await committed(vault, ['A']);
    await committed(vault, ['A']);
    const dying = faultyStore(inner, (key) => (key.startsWith('snapshots/') ? 'kill-before' : undefined));
    const run = runId();
    const tables = [await table(vault, run, 'A')];
    await commitSnapshot({ ...vault, store: dying }, draft({ run, snapshot: run, tables }), deps).catch(
      () => undefined,
    );
    age(2 * DAY);
    const before = await keys(inner, '');
    const { kept, retired, swept } = await prune(vault, { dryRun: true, graceMs: 0 });
    expect(await keys(inner, '')).toEqual(before);
    expect(kept).toMatchObject([{ snapshot: { sequence: 3, snapshot: run }, reasons: ['newest complete', 'last 1'] }]);
    expect(retired.map(({ sequence }) => sequence)).toEqual([1, 2]);
    const done = await prune(vault, { graceMs: 0 });
    expect({ kept: done.kept, retired: done.retired }).toEqual({ kept, retired });
    expect(done.swept.parts).toBe(swept.parts);
  });

  it('lets no process that slept since then commit a swept run again', async () => {
    const { vault, inner, age } = await agingVault();
    const old = await committed(vault, ['A']);
    await committed(vault, ['A']);
    age(2 * DAY);
    await prune(vault, { graceMs: 0 });
    expect(await inner.head(outcomeKey(old.run))).toBeUndefined();
    const zombie = draft({ run: old.run, snapshot: old.run, tables: old.tables });
    await expect(commitSnapshot(vault, zombie, deps)).rejects.toMatchObject({ code: 'LOCKED' });
    expect((await readPlaces(vault)).live).toEqual([2]);
    expect(await verifyVault(vault, { level: 'files' })).toMatchObject({ ok: true, findings: [] });
  });

  it('removes what killed writers left half written in a folder, after an hour', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tablevault-prune-'));
    try {
      const vault = await openVault(createFolderStore(folder), { write: true, tool: 'test' });
      await committed(vault, ['A']);
      const [old, young] = [join(folder, '.tmp', 'old'), join(folder, '.tmp', 'young')];
      for (const path of [old, young]) await writeFile(path, 'half');
      const hoursAgo = new Date(Date.now() - 3 * 3_600_000);
      await utimes(old, hoursAgo, hoursAgo);
      await prune(vault, { graceMs: 0 });
      expect(await readdir(join(folder, '.tmp'))).toEqual(['young']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a writer without the right to delete', () => {
  it('takes its lease, commits, and leaves what it could not remove to the prune', async () => {
    let forbidden = true;
    const { vault, inner, age } = await agingVault((store) => ({
      ...store,
      remove: (key, options) =>
        forbidden
          ? Promise.reject(new TablevaultError('DESTINATION_DENIED', `denied: ${key}`))
          : store.remove(key, options),
    }));
    for (let n = 0; n < 3; n += 1) {
      const lease = await acquireLease(vault.store, 'nightly', { clock: testClock(), isGone: () => true });
      await committed(vault, ['A']);
      await lease.release();
    }
    expect(await keys(inner, 'probe/')).toHaveLength(1);
    expect(await verifyVault(vault, { level: 'files' })).toMatchObject({ ok: true });
    age(2 * DAY);
    forbidden = false;
    await prune(vault, { graceMs: 0 });
    expect(await keys(inner, 'probe/')).toEqual([]);
  });
});
