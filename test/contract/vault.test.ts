import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { sha256Hex } from '../../src/core/digest.ts';
import { listSnapshots } from '../../src/run/vault/list.ts';
import { tablePaths } from '../../src/run/vault/paths.ts';
import { applyRepair, planRepair } from '../../src/run/vault/repair.ts';
import { verifyVault } from '../../src/run/vault/verify.ts';
import type { Store } from '../../src/storage/store.ts';
import { commitSnapshot } from '../../src/vault/commit/commit.ts';
import { finishCommits } from '../../src/vault/commit/recover.ts';
import { partKey } from '../../src/vault/layout.ts';
import { acquireLease } from '../../src/vault/lease/lease.ts';
import { openVault } from '../../src/vault/open.ts';
import { draft, NOW, partEntry, runId, tableEntry } from '../unit/vault/support.ts';
import { STORES } from './stores.ts';

const deps = { clock: systemClock };

describe.each(STORES.filter((kind) => kind.available))('a vault on a store of the kind $name', (kind) => {
  let store: Store;
  let again: () => Store;
  let end: () => Promise<void>;
  beforeEach(async () => {
    ({ store, again, end } = await kind.open());
  });
  afterEach(() => end());

  it('takes the commits of several writers at once into one chain', async () => {
    const vaults = await Promise.all(Array.from({ length: 4 }, () => openVault(again(), { write: true })));
    expect(new Set(vaults.map(({ info }) => info.id)).size).toBe(1);
    await Promise.all(vaults.map((vault) => commitSnapshot(vault, draft(), deps)));
    await Promise.all(vaults.map((vault) => finishCommits(vault, deps)));
    const vault = await openVault(store);
    const { snapshots } = await listSnapshots(vault, { nowMs: NOW });
    expect(snapshots.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    const { ok, findings, notices } = await verifyVault(vault, { level: 'manifest' });
    expect({ ok, findings }).toEqual({ ok: true, findings: [] });
    // `latest.json` is replaced by each, and the last to do so need not be the newest; readers do not go by it.
    expect(notices.filter(({ code }) => code !== 'HINT_WRONG')).toEqual([]);
  });

  it('shows a damaged part, and where the parts are', async () => {
    const vault = await openVault(store, { write: true });
    const run = runId();
    const content = randomBytes(5_000);
    const part = { run, rows: 1, bytes: content.length, sha256: sha256Hex(content) };
    const key = partKey('Gen_Documents', run, 0, part.sha256);
    await store.putNew(key, content);
    await commitSnapshot(
      vault,
      draft({ run, snapshot: run, tables: [tableEntry([partEntry({ ...part, key })])] }),
      deps,
    );
    expect(await verifyVault(vault, { level: 'files' })).toMatchObject({ ok: true, checked: { bytes: 5_000 } });
    const { paths } = await tablePaths(vault, 'Gen_Documents');
    expect(paths).toEqual([`${store.uri}/${key}`]);
    content[17] = content[17]! ^ 4;
    await store.replace(key, content);
    const { findings } = await verifyVault(vault, { level: 'files' });
    expect(findings).toMatchObject([{ code: 'PART_HASH', object: key }]);
  });

  it('lets two repairs at once put damaged parts aside, each part once', async () => {
    const vault = await openVault(store, { write: true });
    const run = runId();
    const keys: string[] = [];
    const tables = await Promise.all(
      ['A', 'B', 'C'].map(async (name) => {
        const content = randomBytes(5_000);
        const key = partKey(name, run, 0, sha256Hex(content));
        keys.push(key);
        await store.putNew(key, content);
        return tableEntry([partEntry({ key, run, rows: 1, bytes: 5_000, sha256: sha256Hex(content) })], { name });
      }),
    );
    await commitSnapshot(vault, draft({ run, snapshot: run, tables }), deps);
    for (const key of keys) await store.replace(key, randomBytes(5_000));
    const vaults = await Promise.all([openVault(again()), openVault(again())]);
    const plans = await Promise.all(vaults.map((each) => planRepair(each)));
    const reports = await Promise.all(vaults.map((each, n) => applyRepair(each, plans[n]!, deps)));
    const moved = new Set(reports.flatMap(({ quarantined }) => quarantined));
    expect(moved.size).toBe(3);
    for (const { quarantined, left } of reports) expect(quarantined.length + left.length).toBe(3);
    for (const key of keys) expect(await store.head(key)).toBeUndefined();
    for (const key of moved) expect(await store.head(key)).toMatchObject({ bytes: 5_000 });
  });

  it('has one holder of a lease, who is told when it is lost', async () => {
    const options = { ...deps, ttlMs: 3_000 };
    const first = await acquireLease(again(), 'nightly', options);
    await expect(acquireLease(again(), 'nightly', options)).rejects.toMatchObject({ code: 'LOCKED' });
    const second = await acquireLease(again(), 'nightly', { ...options, isGone: () => true });
    await expect(first.assertHeld()).rejects.toMatchObject({ code: 'LOCKED' });
    await second.assertHeld();
    await second.release();
    await first.release();
    await (await acquireLease(again(), 'nightly', options)).release();
  });
});
