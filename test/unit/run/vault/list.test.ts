import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { listSnapshots, staleness } from '../../../../src/run/vault/list.ts';
import type { Store } from '../../../../src/storage/store.ts';
import { readCatalog } from '../../../../src/vault/chain/catalog.ts';
import { INDEX, snapshotKey } from '../../../../src/vault/layout.ts';
import { readSnapshot } from '../../../../src/vault/snapshots.ts';
import type { Vault } from '../../../../src/vault/vault.ts';
import { commitAndIndex, draft, memoryVault, NOW, testClock } from '../../vault/support.ts';

const deps = { clock: testClock(true) };
const other = { name: 'other', sha256: '0'.repeat(64) };

/** 1 to 3 of nightly, 4 of other; or 1 to 3 alone. */
async function vaultOf(series: 'one' | 'two'): Promise<Vault> {
  const vault = await memoryVault();
  for (let n = 0; n < 3; n += 1) await commitAndIndex(vault, draft(), deps);
  if (series === 'two') await commitAndIndex(vault, draft({ pipeline: other }), deps);
  return vault;
}

describe('an older snapshot', () => {
  const damages: readonly [string, (vault: Vault) => Promise<unknown>][] = [
    ['empty', ({ store }) => store.replace(snapshotKey(3), new Uint8Array())],
    ['gone', ({ store }) => store.remove(snapshotKey(3))],
    [
      'damaged and as large as before',
      async ({ store }) => {
        const { bytes } = (await store.head(snapshotKey(3)))!;
        await store.replace(snapshotKey(3), new Uint8Array(bytes));
      },
    ],
  ];
  for (const series of ['one', 'two'] as const) {
    for (const [what, damage] of damages) {
      it(`never passes for the newest in silence: the newest of ${series === 'one' ? 'all' : 'its series'} is ${what}`, async () => {
        const vault = await vaultOf(series);
        await damage(vault);
        const list = await listSnapshots(vault, { nowMs: NOW, pipeline: 'nightly' });
        expect(list).toMatchObject({ newestComplete: null, unreadable: [{ sequence: 3 }] });
        expect(list.snapshots.map(({ sequence }) => sequence)).toEqual([1, 2]);
        expect(staleness(list, 3_600_000, 'v')).toMatchObject({ code: 'VAULT_CORRUPT' });
        const latest = readSnapshot(vault, 'latest', { pipeline: 'nightly' });
        await expect(latest).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
        await expect(readSnapshot(vault, '3')).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
        expect((await readSnapshot(vault, '2')).manifest.sequence).toBe(2);
        if (series === 'one') return;
        expect((await readSnapshot(vault, 'latest', { pipeline: 'other' })).manifest.sequence).toBe(4);
      });
    }
  }
});

describe('the newest snapshots behind a gap', () => {
  it('are the newest: what lies before them is missing, and they are no strays', async () => {
    const vault = await vaultOf('one');
    // As many as were retired in years, with their tombstones lost.
    const gap = 1500;
    for (const sequence of [1, 2, 3]) {
      const text = Buffer.from(await vault.store.get(snapshotKey(sequence))).toString();
      const run = (n: number) => `20261121T020000Z-${String(n).padStart(8, '0')}`;
      const moved = { ...JSON.parse(text), sequence: sequence + gap, snapshot: run(sequence), run: run(sequence) };
      await vault.store.putNew(snapshotKey(sequence + gap), Buffer.from(JSON.stringify(moved)));
    }
    await vault.store.putNew(snapshotKey(9_000_000), Buffer.from('{}'));
    const catalog = await readCatalog(vault);
    expect(catalog).toMatchObject({ head: 3 + gap, strays: [9_000_000], missing: [{ from: 4, to: gap }] });
    const list = await listSnapshots(vault, { nowMs: NOW });
    expect(list.snapshots.at(-1)).toMatchObject({ sequence: 3 + gap, snapshot: list.newestComplete });
    expect(list.unreadable).toMatchObject([{ sequence: 4 }]);
  });
});

describe('an index that cannot be read', () => {
  it('costs reads and nothing else, whether its folder, an object of it, or a file in its place is in the way', async () => {
    const vault = await vaultOf('two');
    const { store } = vault;
    const refusals: readonly Partial<Store>[] = ['DESTINATION_DENIED' as const, 'DESTINATION_MISSING' as const].flatMap(
      (code) => {
        const refuse = () => new TablevaultError(code, 'refused by a test');
        return [
          {
            list: (prefix, ...rest) => {
              if (prefix === INDEX) throw refuse();
              return store.list(prefix, ...rest);
            },
          },
          {
            get: (key, ...rest) => (key.startsWith(INDEX) ? Promise.reject(refuse()) : store.get(key, ...rest)),
          },
        ] satisfies Partial<Store>[];
      },
    );
    const sound = await listSnapshots(vault, { nowMs: NOW });
    for (const refusal of refusals) {
      const hindered = { ...vault, store: { ...store, ...refusal } };
      expect(await listSnapshots(hindered, { nowMs: NOW })).toEqual(sound);
      expect((await readCatalog(hindered)).damagedIndex).not.toEqual([]);
    }
  });
});
