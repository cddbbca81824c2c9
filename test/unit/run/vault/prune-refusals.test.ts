import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { pin } from '../../../../src/run/vault/pin.ts';
import { pruneVault } from '../../../../src/run/vault/prune.ts';
import { verifyVault } from '../../../../src/run/vault/verify.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import { readCatalog } from '../../../../src/vault/chain/catalog.ts';
import { indexBytes } from '../../../../src/vault/chain/index-objects.ts';
import { placeManifest } from '../../../../src/vault/chain/manifest.ts';
import { readPlaces } from '../../../../src/vault/chain/places.ts';
import { sealedBytes } from '../../../../src/vault/chain/seal.ts';
import { writeTombstone } from '../../../../src/vault/chain/tombstones.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import {
  INDEX,
  indexKey,
  outcomeKey,
  partKey,
  pinKey,
  snapshotKey,
  tombstoneKey,
  VAULT_KEY,
} from '../../../../src/vault/layout.ts';
import { openVault } from '../../../../src/vault/open.ts';
import { readStoredManifest, type Vault } from '../../../../src/vault/vault.ts';
import { commitAndIndex, draft, NOW, partEntry, runId, tableEntry, testClock } from '../../vault/support.ts';

const DAY = 86_400_000;
const deps = { clock: testClock(true), persistence: { attempts: 2, firstPauseMs: 1, lastPauseMs: 1 } };

/** A vault with an index, whose store's clock the test turns. */
async function agingVault() {
  let now = NOW;
  const inner = createMemoryStore({ clock: { now: () => now, sleep: async () => {} } });
  const vault = await openVault(inner, { write: true, tool: 'test' });
  return { vault, inner, age: (ms: number) => (now += ms) };
}

async function drafted(vault: Vault, pipeline = 'nightly') {
  const run = runId();
  const content = randomBytes(20);
  const sha256 = sha256Hex(content);
  const key = partKey('A', run, 0, sha256);
  await vault.store.putNew(key, content);
  const tables = [tableEntry([partEntry({ key, run, rows: 1, bytes: 20, sha256 })], { name: 'A' })];
  return draft({ run, snapshot: run, tables, pipeline: { name: pipeline, sha256: '0'.repeat(64) } });
}

const committed = async (vault: Vault, pipeline?: string) =>
  (await commitAndIndex(vault, await drafted(vault, pipeline), deps)).manifest;

/** Every object with its bytes. */
async function contentOf(store: Store): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for await (const { key } of store.list('')) found.set(key, Buffer.from(await store.get(key)).toString('base64'));
  return found;
}

const prune = (vault: Vault, values: Partial<Parameters<typeof pruneVault>[1]> = {}) =>
  pruneVault(vault, { policy: { keepLast: 1 }, dryRun: false, graceMs: 0, ...values }, deps);

/** A decided commit of a process that died before its manifest. */
async function decided(vault: Vault): Promise<void> {
  const dying: Store = {
    ...vault.store,
    putNew: (key, ...rest) =>
      key.startsWith('snapshots/')
        ? Promise.reject(new TablevaultError('DESTINATION_DENIED', 'dead'))
        : vault.store.putNew(key, ...rest),
  };
  await commitSnapshot({ ...vault, store: dying }, await drafted(vault), deps).catch(() => undefined);
}

async function retire(vault: Vault, sequence: number, at = sequence): Promise<void> {
  const { manifest, sha256 } = await readStoredManifest(vault, sequence);
  const { snapshot, run, nonce, parent, finishedAt: retiredAt } = manifest;
  await writeTombstone(vault.store, { sequence: at, snapshot, run, nonce, parent, sha256, retiredAt, reason: 'x' });
}

describe('a prune that refuses', () => {
  const damages: readonly [string, (vault: Vault) => Promise<unknown>][] = [
    ['the newest manifest of a series is empty', ({ store }) => store.replace(snapshotKey(3), new Uint8Array())],
    ['an older manifest is empty', ({ store }) => store.replace(snapshotKey(2), new Uint8Array())],
    [
      'an older manifest has another byte',
      async ({ store }) => {
        const bytes = Buffer.from(await store.get(snapshotKey(2)));
        await store.replace(snapshotKey(2), Buffer.from(bytes.toString().replace('"requests":1', '"requests":2')));
      },
    ],
    ['a manifest is gone', ({ store }) => store.remove(snapshotKey(2))],
    [
      'the newest manifest of all is gone, and with it the outcome that could publish it again',
      async (vault) => {
        const { manifest } = await readStoredManifest(vault, 4);
        await vault.store.remove(snapshotKey(4));
        await vault.store.remove(outcomeKey(manifest.run));
      },
    ],
    ['a tombstone is empty', ({ store }) => store.putNew(tombstoneKey(2), new Uint8Array())],
    ['a tombstone is of another snapshot', (vault) => retire(vault, 1, 2)],
    [
      'a tombstone stands in the place of another',
      async (vault) => {
        await retire(vault, 1);
        const { store } = vault;
        await store.putNew(tombstoneKey(2), await store.get(tombstoneKey(1)));
        await store.remove(tombstoneKey(1));
      },
    ],
    [
      'an empty tombstone stands for a manifest that is gone',
      async ({ store }) => {
        await store.remove(snapshotKey(1));
        await store.putNew(tombstoneKey(1), new Uint8Array());
      },
    ],
  ];
  for (const [what, damage] of damages) {
    it(`changes nothing before it does, where ${what}`, async () => {
      const { vault, inner, age } = await agingVault();
      for (const pipeline of ['nightly', 'nightly', 'nightly', 'other']) await committed(vault, pipeline);
      age(2 * DAY);
      await damage(vault);
      await decided(vault);
      age(2 * DAY);
      const before = await contentOf(inner);
      await expect(prune(vault)).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
      expect(await contentOf(inner)).toEqual(before);
      await expect(prune(vault, { dryRun: true })).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
    });
  }
});

describe('a tombstone that is empty, damaged or misplaced', () => {
  it('is found without reading everything, and hides no newest snapshot in silence', async () => {
    for (const place of [1, 2, 3]) {
      const { vault } = await agingVault();
      for (let n = 0; n < 3; n += 1) await committed(vault);
      await vault.store.putNew(tombstoneKey(place), new Uint8Array());
      const { findings } = await verifyVault(vault, { level: 'manifest' });
      expect(findings.map(({ code }) => code)).toContain('TOMBSTONE_UNREADABLE');
      expect([...(await readCatalog(vault)).unreadable.keys()]).toEqual(place === 3 ? [3] : []);
    }
  });
});

describe('a manifest that a slow writer put at the place of a retired and swept one', () => {
  it('keeps no prune from its work, and goes, with the index and without', async () => {
    for (const isIndexed of [true, false]) {
      const { vault, inner, age } = await agingVault();
      for (let n = 0; n < 2; n += 1) await committed(vault);
      age(2 * DAY);
      await prune(vault);
      expect(await inner.head(snapshotKey(1))).toBeUndefined();
      const { bytes } = placeManifest(await drafted(vault), { sequence: 1, parent: null });
      await vault.store.putNew(snapshotKey(1), bytes);
      await committed(vault);
      if (!isIndexed) for await (const { key } of inner.list(INDEX)) await inner.remove(key);
      expect(await verifyVault(vault, { level: 'files', all: true })).toMatchObject({ ok: true });
      age(2 * DAY);
      await prune(vault);
      expect(await inner.head(snapshotKey(1))).toBeUndefined();
      expect(await verifyVault(vault, { level: 'files', all: true })).toMatchObject({ ok: true });
    }
  });
});

describe('an index of another vault, or of a copy that went on by itself', () => {
  it('makes prune publish nothing twice, and retire what it retires without the index', async () => {
    for (const isForeign of [true, false]) {
      const { vault, age } = await agingVault();
      const others = await agingVault();
      const twin = isForeign ? others.vault : { ...others.vault, info: vault.info };
      await others.inner.replace(VAULT_KEY, sealedBytes(twin.info));
      for (let n = 0; n < 3; n += 1) {
        await committed(vault);
        await committed(twin);
      }
      for await (const { key } of twin.store.list(INDEX)) await vault.store.replace(key, await twin.store.get(key));
      age(2 * DAY);
      expect(await prune(vault)).toMatchObject({ retired: [{ sequence: 1 }, { sequence: 2 }] });
      expect(await readPlaces(vault)).toMatchObject({ head: 3, live: [3] });
      expect(await verifyVault(vault, { level: 'files', all: true })).toMatchObject({ ok: true, findings: [] });
    }
  });

  it('is written anew by the next snapshot, also where it tells of more snapshots than there are', async () => {
    const { vault } = await agingVault();
    for (let n = 0; n < 2; n += 1) await committed(vault);
    const { entries } = await readCatalog(vault);
    const last = await committed(vault, 'other');
    await vault.store.remove(snapshotKey(3));
    await vault.store.remove(`runs/${last.run}/outcome.json`);
    expect((await readCatalog(vault)).lost).toEqual({ from: 3, to: 3 });
    expect((await verifyVault(vault, { level: 'manifest' })).findings).toMatchObject([{ code: 'SNAPSHOT_MISSING' }]);
    const next = await committed(vault);
    expect(next.sequence).toBe(3);
    const again = await readCatalog(vault);
    expect(again.snapshots.map(({ snapshot }) => snapshot)).toEqual([
      ...[...entries.values()].map(({ snapshot }) => snapshot),
      next.snapshot,
    ]);
    expect((await committed(vault)).sequence).toBe(4);
    expect(await verifyVault(vault, { level: 'manifest', all: true })).toMatchObject({ ok: true, findings: [] });
  });

  it('and one that cannot be listed keeps no prune from its work', async () => {
    const { vault, inner, age } = await agingVault();
    for (let n = 0; n < 2; n += 1) await committed(vault);
    age(2 * DAY);
    const list: Store['list'] = (prefix, ...call) => {
      if (prefix === INDEX) throw new TablevaultError('DESTINATION_MISSING', 'the path does not lead to a folder');
      return inner.list(prefix, ...call);
    };
    expect(await prune({ ...vault, store: { ...inner, list } })).toMatchObject({ swept: { snapshots: 1, parts: 1 } });
  });

  it('that is of another vault is told as such', async () => {
    const { vault } = await agingVault();
    await committed(vault);
    const entries = [...(await readCatalog(vault)).entries.values()];
    const foreign = { vault: 'another', from: 1, to: 1, entries, abandoned: [] };
    await vault.store.replace(indexKey(1), indexBytes(foreign));
    expect((await readCatalog(vault)).damagedIndex).toMatchObject([
      { message: expect.stringContaining('another vault') },
    ]);
  });
});

describe('a pin', () => {
  it('wins over the tombstones of a prune that was ended before it looked at the pins again', async () => {
    for (const how of ['killed', 'interrupted'] as const) {
      const { vault, inner, age } = await agingVault();
      for (let n = 0; n < 3; n += 1) await committed(vault);
      age(2 * DAY);
      const abort = new AbortController();
      let isDead = false;
      const dying: Store = {
        ...inner,
        putNew: async (key, bytes, options) => {
          if (isDead) throw new TablevaultError('DESTINATION_DENIED', 'dead');
          if (key === tombstoneKey(1)) await pin(vault, '1', { clock: deps.clock });
          await inner.putNew(key, bytes, options);
          if (key !== tombstoneKey(1)) return;
          if (how === 'interrupted') abort.abort();
          else isDead = true;
        },
        list: (...call) => {
          if (isDead) throw new TablevaultError('DESTINATION_DENIED', 'dead');
          return inner.list(...call);
        },
      };
      await expect(prune({ ...vault, store: dying }, { signal: abort.signal })).rejects.toThrow();
      if (how === 'interrupted') expect((await readPlaces(vault)).live).toEqual([1, 2, 3]);
      age(2 * DAY);
      expect(await prune(vault)).toMatchObject({ retired: [{ sequence: 2 }], kept: [{}, {}] });
      expect((await readPlaces(vault)).live).toEqual([1, 3]);
      expect(await inner.head(snapshotKey(1))).toBeDefined();
      expect(await verifyVault(vault, { snapshot: '1', level: 'files' })).toMatchObject({ ok: true });
      expect(await inner.head(pinKey(1))).toBeDefined();
    }
  });
});
