import { describe, expect, it } from 'vitest';
import { readPrevious } from '../../../../src/run/snapshot/previous.ts';
import { verifyVault } from '../../../../src/run/vault/verify.ts';
import { readCatalog } from '../../../../src/vault/chain/catalog.ts';
import { snapshotKey } from '../../../../src/vault/layout.ts';
import type { Vault } from '../../../../src/vault/vault.ts';
import { commitAndIndex, draft, memoryVault, SERIES, testClock } from '../../vault/support.ts';

const deps = { clock: testClock(true) };

async function previousOf(vault: Vault, expectations: { maxRowDropPercent?: number } = {}) {
  const warnings: string[] = [];
  const previous = await readPrevious(vault, await readCatalog(vault), SERIES, {
    expect: expectations,
    emit: (event) => {
      if (event.type === 'warning') warnings.push(event.message);
    },
  });
  return { number: previous?.sequence, warnings };
}

describe('a damaged or missing newest manifest', () => {
  const damages: readonly [string, (vault: Vault) => Promise<unknown>][] = [
    ['empty', ({ store }) => store.replace(snapshotKey(3), new Uint8Array())],
    ['gone', ({ store }) => store.remove(snapshotKey(3))],
  ];
  for (const [what, damage] of damages) {
    it(`that is ${what} is warned of, and the run goes on from the one before, unless its rows are held against it`, async () => {
      const vault = await memoryVault();
      for (let n = 0; n < 3; n += 1) await commitAndIndex(vault, draft(), deps);
      await damage(vault);
      const { number, warnings } = await previousOf(vault);
      expect(number).toBe(2);
      expect(warnings).toEqual([expect.stringContaining(snapshotKey(3))]);
      await expect(previousOf(vault, { maxRowDropPercent: 10 })).rejects.toMatchObject({
        code: 'VAULT_CORRUPT',
        message: expect.stringContaining('maxRowDropPercent'),
      });
    });
  }

  it('ends no later snapshot: the next is committed behind it, and the chain is whole when it is restored', async () => {
    const vault = await memoryVault();
    for (let n = 0; n < 3; n += 1) await commitAndIndex(vault, draft(), deps);
    const sound = await vault.store.get(snapshotKey(3));
    await vault.store.replace(snapshotKey(3), new Uint8Array());
    for (let n = 4; n < 7; n += 1) expect((await commitAndIndex(vault, draft(), deps)).manifest.sequence).toBe(n);
    expect(await previousOf(vault)).toEqual({ number: 6, warnings: [] });
    await vault.store.replace(snapshotKey(3), sound);
    expect(await verifyVault(vault, { level: 'manifest', all: true })).toMatchObject({ ok: true, findings: [] });
  });
});
