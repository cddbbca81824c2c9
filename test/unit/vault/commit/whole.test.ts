/** A snapshot is published whole or not at all, and in the vault in which its run began: what is looked at before a commit is decided or finished. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../src/core/digest.ts';
import type { RunEvent } from '../../../../src/core/events.ts';
import { pruneVault } from '../../../../src/run/vault/prune.ts';
import { verifyVault } from '../../../../src/run/vault/verify.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import type { ManifestDraft, PartEntry } from '../../../../src/vault/chain/manifest.ts';
import { readPlaces } from '../../../../src/vault/chain/places.ts';
import { sealedBytes } from '../../../../src/vault/chain/seal.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { finishCommits } from '../../../../src/vault/commit/recover.ts';
import { beginRun, planHashOf, readOutcome } from '../../../../src/vault/commit/run.ts';
import { outcomeKey, partKey, VAULT_KEY } from '../../../../src/vault/layout.ts';
import { findUnstoredParts } from '../../../../src/vault/stored-parts.ts';
import type { Vault } from '../../../../src/vault/vault.ts';
import { faultyStore } from '../faulty-store.ts';
import { draft, memoryVault, NOW, partEntry, runId, SERIES, tableEntry, testClock } from '../support.ts';

const deps = { clock: testClock(true), persistence: { attempts: 2, firstPauseMs: 1, lastPauseMs: 1 } };

async function storePart(vault: Vault, run: string, n: number, table = 'Gen_Documents'): Promise<PartEntry> {
  const content = randomBytes(10);
  const sha256 = sha256Hex(content);
  const key = partKey(table, run, n, sha256);
  await vault.store.putNew(key, content);
  return partEntry({ key, run, rows: 1, bytes: 10, sha256 });
}

/** A draft of one table whose parts are stored. */
async function readDraft(vault: Vault, parts = 3, earlier: readonly PartEntry[] = []): Promise<ManifestDraft> {
  const run = runId();
  const own = await Promise.all(Array.from({ length: parts }, (_, n) => storePart(vault, run, n)));
  return draft({ run, snapshot: run, tables: [tableEntry([...earlier, ...own])] });
}

const partsOf = ({ tables }: Pick<ManifestDraft, 'tables'>) => tables.flatMap(({ parts }) => parts);

/** Decides a commit and dies before its manifest. */
async function decided(vault: Vault, own: ManifestDraft): Promise<void> {
  const dying = faultyStore(vault.store, (key) => (key.startsWith('snapshots/') ? 'kill-before' : undefined));
  await expect(commitSnapshot({ ...vault, store: dying }, own, deps)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
}

async function keysOf(store: Store): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list('')) keys.push(key);
  return keys;
}

const otherVault = () =>
  sealedBytes({
    formatVersion: 1,
    id: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
    createdAt: new Date(NOW).toISOString(),
    tool: 'test',
  });

describe('a commit whose parts are not as they were stored', () => {
  it.each([
    ['missing', 'OBJECT_MISSING', (store: Store, key: string) => store.remove(key)],
    ['of another size', 'VAULT_CORRUPT', (store: Store, key: string) => store.replace(key, Buffer.from('short'))],
  ])('publishes nothing: one is %s', async (_what, code, change) => {
    const vault = await memoryVault();
    const own = await readDraft(vault);
    const { key } = partsOf(own)[1]!;
    const bytes = await vault.store.get(key);
    await change(vault.store, key);
    await expect(commitSnapshot(vault, own, deps)).rejects.toMatchObject({ code, exitCode: 7, at: { object: key } });
    expect(await readOutcome(vault, own.run)).toBeUndefined();
    expect((await readPlaces(vault)).head).toBe(0);
    await vault.store.replace(key, bytes);
    expect((await commitSnapshot(vault, own, deps)).manifest.sequence).toBe(1);
  });

  it('publishes nothing where a part of an earlier run that it refers to is missing', async () => {
    const vault = await memoryVault();
    const first = await readDraft(vault, 1);
    await commitSnapshot(vault, first, deps);
    const second = await readDraft(vault, 1, partsOf(first));
    await vault.store.remove(partsOf(first)[0]!.key);
    await expect(commitSnapshot(vault, second, deps)).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
    expect(await readOutcome(vault, second.run)).toBeUndefined();
  });
});

describe('a commit whose vault is no longer in its place', () => {
  it.each([
    ['there is no vault any more', (store: Store) => store.remove(VAULT_KEY)],
    ['another vault stands there', (store: Store) => store.replace(VAULT_KEY, otherVault())],
  ])('publishes nothing: %s', async (_what, change) => {
    const vault = await memoryVault();
    const own = await readDraft(vault);
    await change(vault.store);
    await expect(commitSnapshot(vault, own, deps)).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND', exitCode: 7 });
    expect((await keysOf(vault.store)).filter((key) => /^(snapshots|runs)\//.test(key))).toEqual([]);
  });

  it('is unknown when it went away while the manifest was written', async () => {
    const inner = createMemoryStore();
    const vault = await memoryVault(inner);
    const store: Store = {
      ...inner,
      async putNew(key, bytes, options) {
        await inner.putNew(key, bytes, options);
        if (key.startsWith('snapshots/')) await inner.replace(VAULT_KEY, otherVault());
      },
    };
    const own = await readDraft(vault);
    await expect(commitSnapshot({ ...vault, store }, own, deps)).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' });
  });

  it('is not finished by another process', async () => {
    const vault = await memoryVault();
    await decided(vault, await readDraft(vault));
    await vault.store.replace(VAULT_KEY, otherVault());
    await expect(finishCommits(vault, deps)).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    expect((await readPlaces(vault)).head).toBe(0);
  });
});

describe('a decided commit that lacks a part', () => {
  /** Two sound snapshots, a decided commit that lacks a part, and the missing part. */
  async function lacking() {
    const vault = await memoryVault();
    for (let n = 0; n < 2; n += 1) await commitSnapshot(vault, await readDraft(vault), deps);
    const own = await readDraft(vault);
    await decided(vault, own);
    const { key } = partsOf(own)[2]!;
    const bytes = await vault.store.get(key);
    await vault.store.remove(key);
    return { vault, own, key, restore: () => vault.store.putNew(key, bytes) };
  }

  it('is told and not published, and others go on', async () => {
    const { vault, own, key, restore } = await lacking();
    const events: RunEvent[] = [];
    const { finished } = await finishCommits(vault, { ...deps, emit: (event) => events.push(event) });
    expect(finished).toEqual([]);
    expect(events).toMatchObject([{ type: 'warning', message: expect.stringContaining(key) }]);
    const other = await readDraft(vault);
    await decided(vault, other);
    expect((await finishCommits(vault, deps)).finished.map(({ manifest }) => manifest.run)).toEqual([other.run]);
    await restore();
    expect((await finishCommits(vault, deps)).finished.map(({ manifest }) => manifest.run)).toEqual([own.run]);
  });

  it('is found by verify, and prune removes nothing of the vault until it is mended', async () => {
    const { vault, own, restore } = await lacking();
    const found = await verifyVault(vault, { level: 'manifest' });
    expect(found.findings).toMatchObject([{ code: 'COMMIT_LACKS_PARTS', object: outcomeKey(own.run) }]);
    const before = await keysOf(vault.store);
    const prune = (dryRun: boolean) =>
      pruneVault(vault, { policy: { keepLast: 1 }, dryRun, graceMs: 0, abandonAfterMs: 0 }, deps);
    for (const dryRun of [true, false]) {
      await expect(prune(dryRun)).rejects.toMatchObject({ code: 'VAULT_CORRUPT', exitCode: 7 });
      expect(await keysOf(vault.store)).toEqual(before);
    }
    await restore();
    expect((await prune(false)).kept.map(({ snapshot }) => snapshot.snapshot)).toEqual([own.snapshot]);
    expect(await verifyVault(vault, { level: 'files' })).toMatchObject({ findings: [] });
  });

  it('can be given up: then prune goes on', async () => {
    const { vault, own } = await lacking();
    const begun = {
      run: own.run,
      ...SERIES,
      narrowed: null,
      planHash: planHashOf({}),
      after: 0,
      plan: null,
      tool: 'test',
    };
    await beginRun(vault, begun, deps);
    await vault.store.remove(outcomeKey(own.run));
    const report = await pruneVault(vault, { policy: { keepLast: 1 }, dryRun: false, abandonAfterMs: 0 }, deps);
    expect(report).toMatchObject({ abandoned: [own.run], kept: [{ snapshot: { sequence: 2 } }] });
    expect((await verifyVault(vault, { level: 'files' })).findings).toEqual([]);
  });
});

describe('the look at parts', () => {
  function counting() {
    const inner = createMemoryStore();
    const asked: string[] = [];
    const store: Store = {
      ...inner,
      head: (key, call) => {
        asked.push(`head ${key}`);
        return inner.head(key, call);
      },
      list: (prefix, call) => {
        asked.push(`list ${prefix}`);
        return inner.list(prefix, call);
      },
    };
    return { inner, store, asked };
  }

  it('takes one request for each table, however many parts it has', async () => {
    const { inner, store, asked } = counting();
    const vault = await memoryVault(inner);
    const run = runId();
    const large = await Promise.all(Array.from({ length: 50 }, (_, n) => storePart(vault, run, n, 'Large')));
    const small = await storePart(vault, run, 0, 'Small');
    const tables = [tableEntry(large, { name: 'Large' }), tableEntry([small], { name: 'Small' })];
    asked.length = 0;
    expect(await findUnstoredParts({ ...vault, store }, tables)).toEqual([]);
    expect(asked.toSorted()).toEqual([`head ${small.key}`, `list tables/Large/${run}-`]);
  });

  it('asks by name for what a listing overlooks', async () => {
    const vault = await memoryVault();
    const run = runId();
    const parts = await Promise.all([0, 1, 2].map((n) => storePart(vault, run, n)));
    const store: Store = {
      ...vault.store,
      async *list(prefix) {
        for await (const object of vault.store.list(prefix)) if (object.key !== parts[1]!.key) yield object;
      },
    };
    expect(await findUnstoredParts({ ...vault, store }, [tableEntry(parts)])).toEqual([]);
    await vault.store.remove(parts[1]!.key);
    expect(await findUnstoredParts({ ...vault, store }, [tableEntry(parts)])).toMatchObject([
      { code: 'PART_MISSING', key: parts[1]!.key },
    ]);
  });
});
