/** The library's reader of a vault; list, paths and manifests by themselves are tested in verify.test.ts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVaultReader } from '../../../../src/run/vault/reader.ts';
import { createFolderStore } from '../../../../src/storage/folder.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { partKey } from '../../../../src/vault/layout.ts';
import { openVault } from '../../../../src/vault/open.ts';
import { draft, NOW, partEntry, runId, tableEntry, testClock } from '../../vault/support.ts';

const HOUR = 3_600_000;
const clock = testClock(true);
const FINISHED = Date.parse(draft().finishedAt);

let folder: string;
const older = runId();
const newer = runId();
const key = partKey('Gen_Documents', newer, 0, 'a'.repeat(64));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-reader-'));
  const vault = await openVault(createFolderStore(folder), { write: true, tool: 'test' });
  await vault.store.putNew(key, Buffer.alloc(0));
  const tables = [tableEntry([partEntry({ key, run: newer })])];
  await commitSnapshot(vault, draft({ run: older, snapshot: older }), { clock });
  await commitSnapshot(vault, draft({ run: newer, snapshot: newer, tables }), { clock });
});
afterAll(() => rm(folder, { recursive: true }));

const readerAt = (nowMs: number) => openVaultReader(folder, { clock: { ...clock, now: () => nowMs } });

describe('a reader of a vault', () => {
  it('lists the snapshots, with the age of the newest by the clock it was given', async () => {
    const vault = await readerAt(FINISHED + HOUR);
    expect(vault).toMatchObject({ uri: folder, id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const list = await vault.listSnapshots();
    expect(list).toMatchObject({ newestComplete: newer, ageMs: HOUR });
    expect(list.snapshots.map(({ snapshot }) => snapshot)).toEqual([older, newer]);
    await vault.close();
  });

  it('gives the list when the newest snapshot is young enough, and VAULT_STALE when it is older or of the future', async () => {
    const young = await readerAt(FINISHED + HOUR);
    await expect(young.requireFresh(HOUR)).resolves.toMatchObject({ newestComplete: newer });
    await expect(young.requireFresh(HOUR - 1)).rejects.toMatchObject({ code: 'VAULT_STALE', exitCode: 6 });
    const past = await readerAt(NOW - HOUR);
    await expect(past.requireFresh(HOUR)).rejects.toMatchObject({ code: 'VAULT_STALE' });
  });

  it('reads the newest manifest, or one by its id or sequence', async () => {
    const vault = await readerAt(NOW);
    expect((await vault.readManifest()).snapshot).toBe(newer);
    expect((await vault.readManifest(older)).sequence).toBe(1);
    expect((await vault.readManifest(1)).snapshot).toBe(older);
    await expect(vault.readManifest(3)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('gives the files of a table, of the newest snapshot or of one', async () => {
    const vault = await readerAt(NOW);
    const paths = [join(folder, ...key.split('/'))];
    expect(await vault.listPaths('Gen_Documents')).toEqual({
      snapshot: newer,
      tables: [{ name: 'Gen_Documents', paths }],
      paths,
    });
    await expect(vault.listPaths('Gen_Documents', { snapshot: older })).rejects.toMatchObject({
      code: 'TABLE_UNKNOWN',
    });
  });

  it('sees what was committed after it was opened', async () => {
    const vault = await readerAt(NOW);
    const run = runId();
    await commitSnapshot(await openVault(createFolderStore(folder)), draft({ run, snapshot: run }), { clock });
    expect((await vault.readManifest()).snapshot).toBe(run);
  });

  it('ends every call by the signal that the call is given', async () => {
    const vault = await readerAt(NOW);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(vault.listSnapshots({ signal })).rejects.toThrow('enough');
  });

  it('is not to be had where there is no vault', async () => {
    await expect(openVaultReader(join(folder, 'elsewhere'))).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
    await expect(openVaultReader('ftp://host/vault')).rejects.toMatchObject({ code: 'USAGE' });
  });
});
