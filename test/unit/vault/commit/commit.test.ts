import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { createFolderStore } from '../../../../src/storage/folder.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import { newestComplete, readCatalog } from '../../../../src/vault/chain/catalog.ts';
import { readPlaces } from '../../../../src/vault/chain/places.ts';
import { sealedBytes } from '../../../../src/vault/chain/seal.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { findUnfinishedCommits, finishCommits } from '../../../../src/vault/commit/recover.ts';
import { abandonRun, readOutcome } from '../../../../src/vault/commit/run.ts';
import { LATEST_KEY, outcomeKey, snapshotKey, tombstoneKey } from '../../../../src/vault/layout.ts';
import { readStoredManifest, type Vault } from '../../../../src/vault/vault.ts';
import { faultyStore } from '../faulty-store.ts';
import { draft, memoryVault, type PutFault, SERIES, testClock } from '../support.ts';

const deps = { clock: testClock(true), persistence: { attempts: 4, firstPauseMs: 1, lastPauseMs: 2 } };
const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function folderStore(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-commit-'));
  folders.push(folder);
  return createFolderStore(folder);
}

/** All manifests; fails when a sequence is missing or a parent's hash is wrong. */
async function intactChain(vault: Vault) {
  const { live, head } = await readPlaces(vault);
  expect(live).toEqual(Array.from({ length: head }, (_, index) => index + 1));
  let parent = null as { sequence: number; sha256: string } | null;
  const manifests = [];
  for (const sequence of live) {
    const { manifest, sha256 } = await readStoredManifest(vault, sequence);
    expect(manifest.parent).toEqual(parent);
    parent = { sequence, sha256 };
    manifests.push(manifest);
  }
  return manifests;
}

describe.each([
  ['memory', async () => createMemoryStore()],
  ['folder', folderStore],
])('commits on a %s store', (_name, makeStore) => {
  it('follow each other in one chain, each naming the hash of the one before', async () => {
    const vault = await memoryVault(await makeStore());
    const first = await commitSnapshot(vault, draft(), deps);
    const second = await commitSnapshot(vault, draft({ complete: false }), deps);
    expect([first.manifest.sequence, second.manifest.sequence]).toEqual([1, 2]);
    expect(second.manifest.parent).toEqual({ sequence: 1, sha256: first.sha256 });
    await intactChain(vault);
    expect(newestComplete(await readCatalog(vault), SERIES)?.snapshot).toBe(first.manifest.snapshot);
  });

  it('of several at once each get their own sequence, and the chain stays whole', async () => {
    const vault = await memoryVault(await makeStore());
    const drafts = Array.from({ length: 8 }, () => draft());
    const committed = await Promise.all(drafts.map((each) => commitSnapshot(vault, each, deps)));
    expect(committed.map(({ manifest }) => manifest.sequence).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const manifests = await intactChain(vault);
    expect(manifests.map(({ nonce }) => nonce).sort()).toEqual(drafts.map(({ nonce }) => nonce).sort());
  });

  it('that were decided and not published are finished once, by however many writers come', async () => {
    const store = await makeStore();
    const vault = await memoryVault(store);
    const drafts = [draft(), draft(), draft()];
    for (const each of drafts) {
      const dying = faultyStore(store, (key) => (key.startsWith('snapshots/') ? 'kill-before' : undefined));
      await expect(commitSnapshot({ ...vault, store: dying }, each, deps)).rejects.toMatchObject({
        code: 'COMMIT_UNKNOWN',
      });
    }
    expect((await readPlaces(vault)).head).toBe(0);
    const others = Array.from({ length: 3 }, () => draft());
    await Promise.all([
      finishCommits(vault, deps),
      finishCommits(vault, deps),
      finishCommits(vault, deps),
      ...others.map((each) => commitSnapshot(vault, each, deps)),
    ]);
    await finishCommits(vault, deps);
    const nonces = (await intactChain(vault)).map(({ nonce }) => nonce);
    expect(nonces.sort()).toEqual([...drafts, ...others].map(({ nonce }) => nonce).sort());
    expect((await findUnfinishedCommits(vault, await readCatalog(vault))).outcomes).toEqual([]);
  });
});

describe('the answer to a put of the commit', () => {
  const places = ['outcome.json', 'snapshots/'] as const;
  const survived: PutFault[] = ['lost-answer', 'lost-request', 'forged-success', 'forged-exists', 'forged-denied'];
  const cases = places.flatMap((place) => survived.map((fault) => [place, fault] as const));

  it.each(cases)('to %s is not believed: after one %s the snapshot is published once', async (place, fault) => {
    const inner = createMemoryStore();
    const store = faultyStore(inner, (key, n) => (key.includes(place) && n === 1 ? fault : undefined));
    const vault = await memoryVault(store);
    await commitSnapshot(vault, draft(), deps);
    const mine = draft();
    const { manifest } = await commitSnapshot(vault, mine, deps);
    expect(manifest.nonce).toBe(mine.nonce);
    expect(await intactChain(vault)).toHaveLength(2);
  });

  it.each(cases)('to %s that stays away for good (%s) is reported as it is', async (place, fault) => {
    const inner = createMemoryStore();
    const store = faultyStore(inner, (key) => (key.includes(place) ? fault : undefined));
    const vault = await memoryVault(store);
    const result = await commitSnapshot(vault, draft(), deps).then(
      () => 'published',
      (error: { code: string }) => error.code,
    );
    const published = (await readPlaces({ ...vault, store: inner })).head === 1;
    expect(result).toBe(published ? 'published' : 'COMMIT_UNKNOWN');
    await finishCommits({ ...vault, store: inner }, deps);
    const outcome = await readOutcome(
      { ...vault, store: inner },
      (await intactChain({ ...vault, store: inner }))[0]?.run ?? 'none',
    );
    expect(outcome?.outcome ?? 'none').toBe(published || place === 'snapshots/' ? 'commit' : 'none');
  });

  it('that is a forged success while nothing can be read is not believed', async () => {
    const inner = createMemoryStore();
    const vault = await memoryVault(inner);
    let blind = false;
    const store: Store = {
      ...inner,
      putNew: async (key, bytes, options) => {
        blind ||= key.startsWith('snapshots/');
        if (!blind) await inner.putNew(key, bytes, options);
      },
      get: async (key, options) => {
        if (blind)
          throw new TablevaultError('DESTINATION_UNREACHABLE', 'the connection was reset', { retryable: true });
        return inner.get(key, options);
      },
    };
    await expect(commitSnapshot({ ...vault, store }, draft(), deps)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
    expect((await finishCommits(vault, deps)).finished).toHaveLength(1);
  });

  it('that refuses the outcome leaves nothing decided and keeps its own code', async () => {
    const inner = createMemoryStore();
    const store = faultyStore(inner, (key) => (key.endsWith('outcome.json') ? 'denied' : undefined));
    const vault = await memoryVault(store);
    const mine = draft();
    await expect(commitSnapshot(vault, mine, deps)).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
    expect(await readOutcome(vault, mine.run)).toBeUndefined();
  });

  it('that refuses the manifest is an unknown outcome, which the next writer settles', async () => {
    const inner = createMemoryStore();
    const store = faultyStore(inner, (key) => (key.startsWith('snapshots/') ? 'denied' : undefined));
    const vault = await memoryVault(store);
    const mine = draft();
    await expect(commitSnapshot(vault, mine, deps)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', exitCode: 8 });
    const [finished] = (await finishCommits({ ...vault, store: inner }, deps)).finished;
    expect(finished?.manifest.nonce).toBe(mine.nonce);
  });

  it('to latest.json turns no success into failure', async () => {
    const store = faultyStore(createMemoryStore(), (key) => (key === LATEST_KEY ? 'denied' : undefined));
    const vault = await memoryVault(store);
    const { manifest } = await commitSnapshot(vault, draft(), deps);
    expect(manifest.sequence).toBe(1);
    expect((await findUnfinishedCommits(vault, await readCatalog(vault))).outcomes).toEqual([]);
  });
});

describe('a process killed at any put of its commit', () => {
  it('leaves either nothing decided, or a commit that is finished exactly once', async () => {
    const rehearsal = faultyStore(createMemoryStore(), () => undefined);
    await commitSnapshot(await memoryVault(rehearsal), draft(), deps);
    const mine = rehearsal.puts.filter((key) => !key.startsWith('probe/'));
    expect(mine.length).toBeGreaterThanOrEqual(4);
    for (let at = 0; at < mine.length; at += 1) {
      for (const fault of ['kill-before', 'kill-after'] as const) {
        const inner = createMemoryStore();
        const vault = await memoryVault(inner);
        let n = 0;
        const store = faultyStore(inner, () => (n++ === at - 1 ? fault : undefined));
        const draftOf = draft();
        await commitSnapshot({ ...vault, store }, draftOf, deps).catch(() => undefined);
        const decided = (await readOutcome(vault, draftOf.run))?.outcome === 'commit';
        await finishCommits(vault, deps);
        await finishCommits(vault, deps);
        expect((await intactChain(vault)).map(({ nonce }) => nonce)).toEqual(decided ? [draftOf.nonce] : []);
      }
    }
  });
});

describe('a commit', () => {
  it('is not made of a run that was given up, nor can a decided one be given up', async () => {
    const vault = await memoryVault();
    const lost = draft();
    expect(await abandonRun(vault, lost.run, 'another run began', deps)).toBe('abandoned');
    await expect(commitSnapshot(vault, lost, deps)).rejects.toMatchObject({ code: 'LOCKED', exitCode: 9 });
    const won = draft();
    await commitSnapshot(vault, won, deps);
    expect(await abandonRun(vault, won.run, 'too late', deps)).toBe('commit');
    await expect(commitSnapshot(vault, won, deps)).rejects.toMatchObject({ code: 'LOCKED' });
    expect(await intactChain(vault)).toHaveLength(1);
  });

  it('and its giving up at once: one of the two wins', async () => {
    for (let round = 0; round < 20; round += 1) {
      const vault = await memoryVault();
      const mine = draft();
      const [commit, abandon] = await Promise.all([
        commitSnapshot(vault, mine, deps).then(
          () => 'commit',
          () => 'abandoned',
        ),
        abandonRun(vault, mine.run, 'race', deps),
      ]);
      expect(commit).toBe(abandon);
      expect((await readPlaces(vault)).head).toBe(commit === 'commit' ? 1 : 0);
    }
  });

  it('goes on after a retired place, whose hash the tombstone keeps', async () => {
    const vault = await memoryVault();
    const first = await commitSnapshot(vault, draft(), deps);
    const { manifest } = first;
    const tombstone = {
      formatVersion: 1,
      sequence: 1,
      snapshot: manifest.snapshot,
      run: manifest.run,
      nonce: manifest.nonce,
      sha256: first.sha256,
      parent: null,
      retiredAt: manifest.finishedAt,
      reason: 'test',
    };
    await vault.store.putNew(tombstoneKey(1), sealedBytes(tombstone));
    await vault.store.remove(snapshotKey(1));
    // A retired snapshot is not published again by those who look for unfinished commits.
    expect((await finishCommits(vault, deps)).finished).toEqual([]);
    const second = await commitSnapshot(vault, draft(), deps);
    expect(second.manifest.parent).toEqual({ sequence: 1, sha256: first.sha256 });
    expect(second.manifest.sequence).toBe(2);
    expect((await readPlaces(vault)).live).toEqual([2]);
  });

  it('of a slow writer never lands on a place that was retired meanwhile', async () => {
    const inner = createMemoryStore();
    const vault = await memoryVault(inner);
    // Between the slow writer's look at the tombstones and its put, another commits there, and is retired and swept.
    let interfered = false;
    const slow: Store = {
      ...inner,
      putNew: async (key, bytes, options) => {
        if (key === snapshotKey(1) && !interfered) {
          interfered = true;
          const other = await commitSnapshot(vault, draft(), deps);
          const { snapshot, run, nonce, finishedAt } = other.manifest;
          const tombstone = { formatVersion: 1, sequence: 1, snapshot, run, nonce, sha256: other.sha256, parent: null };
          await inner.putNew(tombstoneKey(1), sealedBytes({ ...tombstone, retiredAt: finishedAt, reason: 'test' }));
          await inner.remove(snapshotKey(1));
        }
        return inner.putNew(key, bytes, options);
      },
    };
    const mine = draft();
    const { manifest } = await commitSnapshot({ ...vault, store: slow }, mine, deps);
    expect(manifest.sequence).toBe(2);
    expect((await readPlaces(vault)).live).toEqual([2]);
    expect(await inner.head(snapshotKey(1))).toBeUndefined();
  });

  it('is not built on a damaged head: nothing is decided, and the run can be continued', async () => {
    const vault = await memoryVault();
    await commitSnapshot(vault, draft(), deps);
    await vault.store.replace(snapshotKey(1), Buffer.from('{'));
    const mine = draft();
    await expect(commitSnapshot(vault, mine, deps)).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    expect(await readOutcome(vault, mine.run)).toBeUndefined();
  });

  it('refuses a manifest that contradicts itself before anything is decided', async () => {
    const vault = await memoryVault();
    const wrong = draft({ totals: { tables: 1, rows: 0, bytes: 0, parts: 0 } });
    await expect(commitSnapshot(vault, wrong, deps)).rejects.toMatchObject({ code: 'BUG' });
    expect(await vault.store.head(outcomeKey(wrong.run))).toBeUndefined();
  });

  it('is not begun after an interrupt, and writes the hint of the newest', async () => {
    const vault = await memoryVault();
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(commitSnapshot(vault, draft(), { ...deps, signal: stopped })).rejects.toThrow('stopped');
    await commitSnapshot(vault, draft(), deps);
    const hint: unknown = JSON.parse(Buffer.from(await vault.store.get(LATEST_KEY)).toString());
    expect(hint).toMatchObject({ sequence: 1 });
  });
});
