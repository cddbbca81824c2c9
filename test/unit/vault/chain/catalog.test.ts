import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import {
  type Catalog,
  newestComplete,
  readCatalog,
  seriesIn,
  withTombstones,
} from '../../../../src/vault/chain/catalog.ts';
import { type ChainEntry, entryOfManifest } from '../../../../src/vault/chain/entry.ts';
import { firstOf, indexBytes, objectsFor, planIndexReads } from '../../../../src/vault/chain/index-objects.ts';
import { placeManifest } from '../../../../src/vault/chain/manifest.ts';
import { placesOf } from '../../../../src/vault/chain/places.ts';
import { seriesOf } from '../../../../src/vault/chain/series.ts';
import { writeTombstone } from '../../../../src/vault/chain/tombstones.ts';
import { writeIndex } from '../../../../src/vault/chain/write-index.ts';
import { INDEX, indexKey, outcomeKey, snapshotKey } from '../../../../src/vault/layout.ts';
import { readSnapshot } from '../../../../src/vault/snapshots.ts';
import { readStoredManifest, type Vault } from '../../../../src/vault/vault.ts';
import { commitAndIndex, draft, memoryVault, NOW, runId, SERIES, testClock } from '../support.ts';

const deps = { clock: testClock(true) };

/** What may happen to a vault, one after the other. */
type Step =
  | {
      readonly do: 'commit';
      readonly pipeline: string;
      readonly database: string;
      readonly narrowed: boolean;
      readonly complete: boolean;
    }
  | { readonly do: (typeof ELSE)[number]; readonly at: number };

const ELSE = [
  'retire',
  'sweep',
  'damage index',
  'lose index',
  // Of another vault, of a copy of this one that went on by itself, and of more snapshots than there are.
  'foreign index',
  'forked index',
  'index ahead',
] as const;

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('commit' as const),
        pipeline: fc.constantFrom('one', 'two'),
        database: fc.constantFrom('A', 'B'),
        narrowed: fc.boolean(),
        complete: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom(...ELSE),
        at: fc.nat(30),
      }),
    },
  ),
  { maxLength: 24 },
);

async function retire(vault: Vault, sequence: number): Promise<void> {
  const { manifest, sha256 } = await readStoredManifest(vault, sequence);
  const { snapshot, run, nonce, parent, finishedAt: retiredAt } = manifest;
  await writeTombstone(vault.store, { sequence, snapshot, run, nonce, parent, sha256, retiredAt, reason: 'x' });
}

async function take(vault: Vault, step: Step): Promise<void> {
  const { store } = vault;
  if (step.do === 'commit') {
    const { pipeline, database, narrowed, complete } = step;
    const own = draft({
      pipeline: { name: pipeline, sha256: '0'.repeat(64) },
      instance: { url: 'https://a.example', database, version: null, metadataSha256: '1'.repeat(64) },
      selection: { narrowed: narrowed ? ['Gen_*'] : null },
      complete,
    });
    await commitAndIndex(vault, own, deps);
    return;
  }
  const catalog = await readCatalog(vault);
  const { live, retired, index, head } = catalog;
  const pick = <T>(list: readonly T[]): T | undefined => list[step.at % Math.max(1, list.length)];
  if (step.do === 'retire') {
    const sequence = pick(live);
    if (sequence !== undefined) await retire(vault, sequence);
  } else if (step.do === 'sweep') {
    const sequence = pick(retired);
    if (sequence === undefined || (await store.head(snapshotKey(sequence))) === undefined) return;
    const { manifest } = await readStoredManifest(vault, sequence);
    await store.remove(snapshotKey(sequence));
    await store.remove(outcomeKey(manifest.run));
  } else if (step.do === 'index ahead') {
    if (index.includes(head + 1)) return;
    const entries = [...(await withTombstones(vault, catalog)).values()].sort((a, b) => a.sequence - b.sequence);
    const parent = entries.at(-1)?.sha256 ?? null;
    const next = { ...madeUp(head + 1), parent };
    await store.putNew(indexKey(head + 1), object(vault.info.id, head + 1, [...entries, next]));
  } else if (step.do === 'foreign index' || step.do === 'forked index') {
    const number = pick([...index, ...(head > 0 ? [head] : []), head + 2]);
    if (number === undefined) return;
    const shared = step.do === 'forked index' ? catalog.entries : new Map<number, ChainEntry>();
    const entries: ChainEntry[] = [];
    for (let n = 1; n <= number; n += 1) {
      const own = n < number / 2 ? shared.get(n) : undefined;
      // As large as what is there, so that its hash alone tells them apart.
      const { bytes = 1 } = (await store.head(snapshotKey(n))) ?? {};
      entries.push(own ?? { ...madeUp(n), bytes, parent: entries.at(-1)?.sha256 ?? null });
    }
    const id = step.do === 'forked index' ? vault.info.id : randomUUID();
    await store.replace(indexKey(number), object(id, number, entries));
  } else {
    const number = pick(index);
    if (number === undefined) return;
    if (step.do === 'lose index') await store.remove(indexKey(number));
    else await store.replace(indexKey(number), Buffer.from('half of i'));
  }
}

/** An entry of a snapshot that is nowhere in the vault. */
function madeUp(sequence: number): ChainEntry {
  const run = runId();
  const sha256 = randomBytes(32).toString('hex');
  const { manifest } = placeManifest(draft({ run, snapshot: run }), { sequence, parent: null });
  return entryOfManifest(manifest, sha256);
}

const object = (vault: string, to: number, entries: readonly ChainEntry[]) =>
  indexBytes({ vault, from: 1, to, entries, abandoned: [] });

const told = ({ snapshots, live, retired, head, missing, unreadable }: Catalog) => {
  return { snapshots, live, retired, head, missing, unreadable };
};

/** Without its index. */
async function bare(store: Store): Promise<Store> {
  const copy = createMemoryStore();
  for await (const { key } of store.list('')) if (!key.startsWith(INDEX)) await copy.putNew(key, await store.get(key));
  return copy;
}

/** Counts the calls that a remote store would be asked. */
function counted(inner: Store) {
  const counts = { requests: 0, manifests: 0 };
  const store: Store = {
    ...inner,
    get: (key, options) => {
      counts.requests += 1;
      if (key.startsWith('snapshots/')) counts.manifests += 1;
      return inner.get(key, options);
    },
    head: (key, options) => {
      counts.requests += 1;
      return inner.head(key, options);
    },
    async *list(prefix, options) {
      let n = 0;
      for await (const object of inner.list(prefix, options)) {
        if (n++ % 1000 === 0) counts.requests += 1;
        yield object;
      }
      if (n === 0) counts.requests += 1;
    },
  };
  return { store, counts };
}

describe('the catalog', () => {
  it('tells the same with the index, with damaged, foreign and later parts of it, and without, whatever happened to the vault', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const vault = await memoryVault();
        for (const step of history) await take(vault, step);
        const { store } = vault;
        const withIndex = await readCatalog(vault);
        expect(told(withIndex)).toEqual(told(await readCatalog({ ...vault, store: await bare(store) })));
        // Whatever the index lost is there again after the next snapshot, of which the newest of each series alone are read.
        await commitAndIndex(vault, draft(), deps);
        const spy = counted(store);
        const catalog = await readCatalog({ ...vault, store: spy.store });
        expect(spy.counts.manifests).toBeLessThanOrEqual(seriesIn(catalog).length);
        expect(catalog).toMatchObject({ lost: undefined, damagedIndex: [], contradicted: new Map() });
      }),
      { numRuns: 60 },
    );
  });

  it('of ten years of nights costs few requests, and reads one manifest', async () => {
    const vault = await memoryVault();
    const { manifest: first } = await commitAndIndex(vault, draft(), deps);
    const known = await readCatalog(vault);
    const entries = new Map(known.entries);
    const template = entries.get(1)!;
    const id = (n: number) => `20261121T020000Z-${n.toString(16).padStart(8, '0')}`;
    let { sha256 } = template;
    for (let n = 2; n <= 3650; n += 1) {
      const own = { ...first, snapshot: id(n), run: id(n), nonce: String(n).padStart(20, '0') };
      const placed = placeManifest(own, { sequence: n, parent: { sequence: n - 1, sha256 } });
      await vault.store.putNew(snapshotKey(n), placed.bytes);
      const { nonce } = own;
      const entry = { sequence: n, snapshot: id(n), run: id(n), nonce, sha256: placed.sha256, parent: sha256 };
      entries.set(n, { ...template, ...entry, bytes: placed.bytes.byteLength });
      sha256 = placed.sha256;
    }
    const unindexed = { ...known, head: 3650, entries, retired: [], index: [1] };
    await writeIndex(vault, unindexed, new Set());
    const { store, counts } = counted(vault.store);
    const catalog = await readCatalog({ ...vault, store });
    expect(catalog.snapshots).toHaveLength(3650);
    expect(counts.manifests).toBe(1);
    expect(counts.requests).toBeLessThanOrEqual(12);
    const keys: string[] = [];
    for await (const { key } of vault.store.list(INDEX)) keys.push(key);
    expect(keys.length).toBeLessThanOrEqual(3);
  });

  it('never takes a narrowed or an incomplete snapshot, nor one of another series, for the newest complete one', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const vault = await memoryVault();
        const newest = new Map<string, string>();
        for (const step of history.filter((each) => each.do === 'commit')) {
          await take(vault, step);
          const { pipeline, database, narrowed, complete } = step;
          const head = await readStoredManifest(vault, (await readCatalog(vault)).head);
          if (complete && !narrowed) newest.set(`${pipeline} ${database}`, head.manifest.snapshot);
        }
        const catalog = await readCatalog(vault);
        for (const pipeline of ['one', 'two']) {
          for (const database of ['A', 'B']) {
            const found = newestComplete(catalog, { pipeline, database });
            expect(found?.snapshot).toBe(newest.get(`${pipeline} ${database}`));
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('the index', () => {
  it('holds every place once, however long the chain', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), (head) => {
        const numbers = objectsFor(head);
        expect(numbers.length).toBeLessThanOrEqual(1 + Math.ceil(head / 4096));
        let to = head;
        for (const number of numbers) {
          expect(number).toBe(to);
          to = firstOf(number) - 1;
        }
        expect(to).toBe(0);
      }),
    );
  });

  it('is read so that objects and uncovered places are the whole chain, whatever objects there are', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9000 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { maxLength: 60 }),
        (head, available) => {
          const { objects, uncovered } = planIndexReads(available, head);
          const places = new Set<number>();
          for (const to of objects) for (let n = firstOf(to); n <= to; n++) places.add(n);
          for (const { from, to } of uncovered) for (let n = from; n <= to; n++) places.add(n);
          expect(places.size).toBe(head);
          for (const n of places) expect(n <= head).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('one stray object', () => {
  it('at a far number ends no chain, and keeps nobody waiting', async () => {
    const vault = await memoryVault();
    for (let n = 0; n < 3; n += 1) await commitAndIndex(vault, draft(), deps);
    await vault.store.putNew(snapshotKey(9_000_000_000_000_000), Buffer.from('{}'));
    const catalog = await readCatalog(vault);
    expect(catalog).toMatchObject({ head: 3, strays: [9_000_000_000_000_000], missing: [] });
    const { manifest } = await commitAndIndex(vault, draft(), deps);
    expect(manifest.sequence).toBe(4);
  });

  it('is told from a chain of which the beginning was lost', () => {
    const at = { bytes: 1, modifiedMs: NOW };
    const many = new Map(Array.from({ length: 50 }, (_, n) => [5000 + n, at] as const));
    expect(placesOf(many, new Map())).toMatchObject({ head: 5049, strays: [], missing: [{ from: 1, to: 4999 }] });
    expect(placesOf(new Map([[2, at]]), new Map([[1, at]]))).toMatchObject({ head: 2, live: [2], missing: [] });
  });
});

describe('a snapshot by what a person types', () => {
  it('is found by latest, number, id and date; latest and dates go by the newest complete one', async () => {
    const vault = await memoryVault();
    const on = (day: number, values = {}) =>
      commitAndIndex(vault, draft({ finishedAt: new Date(Date.UTC(2026, 10, day, 3)).toISOString(), ...values }), deps);
    const first = await on(20);
    const second = await on(22);
    const narrowed = await on(23, { selection: { narrowed: ['Gen_*'] } });
    const found = async (wanted: string) => (await readSnapshot(vault, wanted)).manifest.sequence;
    expect(await found('latest')).toBe(2);
    expect(await found('3')).toBe(3);
    expect(await found(narrowed.manifest.snapshot)).toBe(3);
    expect(await found(first.manifest.snapshot)).toBe(1);
    expect(await found('2026-11-22')).toBe(2);
    expect(await found('2026-11-21')).toBe(1);
    expect(await found('2026-11-22T02:00')).toBe(1);
    expect(second.manifest.sequence).toBe(2);
    await expect(found('2026-11-19')).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('needs a pipeline where the vault holds several series, which are named', async () => {
    const vault = await memoryVault();
    await commitAndIndex(vault, draft(), deps);
    const other = { name: 'weekly', sha256: '0'.repeat(64) };
    await commitAndIndex(vault, draft({ pipeline: other }), deps);
    await expect(readSnapshot(vault, 'latest')).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('nightly, weekly'),
    });
    expect((await readSnapshot(vault, 'latest', { pipeline: 'nightly' })).manifest.sequence).toBe(1);
    await expect(readSnapshot(vault, 'latest', { pipeline: 'nigthly' })).rejects.toMatchObject({ code: 'USAGE' });
    expect((await readSnapshot(vault, '2')).manifest.sequence).toBe(2);
  });

  it('of which only narrowed ones exist is not latest, and the message says what to name', async () => {
    const vault = await memoryVault();
    await commitAndIndex(vault, draft({ selection: { narrowed: ['Gen_*'] } }), deps);
    await expect(readSnapshot(vault, 'latest')).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('--snapshot 1'),
    });
  });
});

describe('a manifest from before there were series', () => {
  it('belongs to its pipeline and database, or, where it names no database, to the address of its instance', () => {
    const { pipeline, instance } = draft();
    expect(seriesOf({ pipeline, instance })).toEqual(SERIES);
    expect(seriesOf({ pipeline, instance: { ...instance, database: null } })).toEqual(SERIES);
    expect(seriesOf({ pipeline, instance: { ...instance, url: 'https://DemoDB.my.erp.net/' } })).toEqual(SERIES);
    expect(seriesOf({ pipeline, instance: { ...instance, database: 'D' } })).toEqual({ ...SERIES, database: 'D' });
  });
});
