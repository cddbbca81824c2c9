import { describe, expect, it } from 'vitest';
import { pin, unpin } from '../../../../src/run/vault/pin.ts';
import { showSnapshot } from '../../../../src/run/vault/show.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { pinSnapshot } from '../../../../src/vault/gc/pins.ts';
import { pinKey, snapshotKey, tombstoneKey } from '../../../../src/vault/layout.ts';
import { draft, memoryVault, NOW, runId, testClock } from '../../vault/support.ts';

const clock = testClock(true);

async function vaultOfOne() {
  const vault = await memoryVault();
  const run = runId();
  await commitSnapshot(vault, draft({ run, snapshot: run }), { clock });
  return vault;
}

describe('a pin', () => {
  it('is told with its reason and its date, and a later reason takes the place of the one before', async () => {
    const vault = await vaultOfOne();
    expect((await showSnapshot(vault, '1')).pin).toBeNull();
    expect(await pin(vault, '1', { clock, reason: 'a' })).toMatchObject({ pinned: true, wasPinned: false });
    expect(await pin(vault, '1', { clock, reason: 'b' })).toMatchObject({ pinned: true, wasPinned: true });
    const told = { reason: 'b', pinnedAt: expect.stringMatching(/^\d{4}-/) };
    expect((await showSnapshot(vault, '1')).pin).toEqual(told);
    await pin(vault, '1', { clock });
    expect((await showSnapshot(vault, '1')).pin).toEqual(told);
    expect(Date.parse((await showSnapshot(vault, '1')).pin!.pinnedAt!)).toBeGreaterThanOrEqual(NOW - 86_400_000);
  });

  it('that is not there cannot be removed, and nothing says that it was', async () => {
    const vault = await vaultOfOne();
    expect(await unpin(vault, '1', {})).toMatchObject({ pinned: false, wasPinned: false });
    await pin(vault, '1', { clock });
    expect(await unpin(vault, '1', {})).toMatchObject({ pinned: false, wasPinned: true });
  });

  it('can be removed by its number where the manifest of its snapshot is damaged', async () => {
    const vault = await vaultOfOne();
    const { snapshot } = await pin(vault, '1', { clock });
    await vault.store.replace(snapshotKey(1), new Uint8Array());
    expect(await unpin(vault, '1', {})).toMatchObject({ snapshot, sequence: 1, pinned: false, wasPinned: true });
    expect(await vault.store.head(pinKey(1))).toBeUndefined();
    await expect(unpin(vault, '1', {})).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });

  it('that was there before a tombstone stays, whoever pins the snapshot again', async () => {
    const vault = await vaultOfOne();
    await pin(vault, '1', { clock });
    await vault.store.putNew(tombstoneKey(1), new Uint8Array(3));
    const again = { sequence: 1, snapshot: runId(), pinnedAt: new Date(NOW).toISOString() };
    expect(await pinSnapshot(vault, { ...again, reason: 'b' })).toBe(true);
    expect(await vault.store.head(pinKey(1))).toBeDefined();
  });

  it('that is damaged is told as a pin all the same', async () => {
    const vault = await vaultOfOne();
    await vault.store.putNew(pinKey(1), new Uint8Array(3));
    expect((await showSnapshot(vault, '1')).pin).toEqual({ reason: null, pinnedAt: null });
  });
});
