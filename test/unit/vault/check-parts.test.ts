import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../src/core/digest.ts';
import { applyRepair, planRepair } from '../../../src/run/vault/repair.ts';
import { verifyVault } from '../../../src/run/vault/verify.ts';
import { type FileSystem, nodeFileSystem } from '../../../src/storage/filesystem.ts';
import { createFolderStore } from '../../../src/storage/folder.ts';
import { commitSnapshot } from '../../../src/vault/commit/commit.ts';
import { partKey } from '../../../src/vault/layout.ts';
import { draft, memoryVault, partEntry, runId, tableEntry, testClock } from './support.ts';

const deps = { clock: testClock(true), persistence: { attempts: 2, firstPauseMs: 1, lastPauseMs: 1 } };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-parts-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A folder vault of two tables; the file system says `errno` in answer to `call` of each part of table A. */
async function vaultWhoseDisk(call: 'open' | 'read' | 'stat', errno: string) {
  let failing = false;
  const fail = (path: string) => {
    if (!failing || !path.includes('/tables/A/')) return;
    throw Object.assign(new Error(`${errno}: failed`), { code: errno, syscall: call });
  };
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    async open(path) {
      if (call === 'open') fail(path);
      const file = await nodeFileSystem.open(path);
      const read: typeof file.read = async (into, position) => {
        if (call === 'read') fail(path);
        return file.read(into, position);
      };
      return { ...file, read };
    },
    async stat(path) {
      if (call === 'stat') fail(path);
      return nodeFileSystem.stat(path);
    },
  };
  const store = createFolderStore(join(folder, randomBytes(4).toString('hex')), { fileSystem });
  const vault = await memoryVault(store);
  const run = runId();
  const table = async (name: string) => {
    const content = randomBytes(30);
    const key = partKey(name, run, 0, sha256Hex(content));
    await store.putNew(key, content);
    return tableEntry([partEntry({ key, run, bytes: 30, sha256: sha256Hex(content) })], { name });
  };
  const tables = [await table('A'), await table('B')];
  await commitSnapshot(vault, draft({ run, snapshot: run, tables }), deps);
  failing = true;
  return { store, vault, a: tables[0]!.parts[0]!.key, b: tables[1]!.parts[0]!.key };
}

describe('a part that this machine cannot read', () => {
  const calls = ['open', 'read', 'stat'] as const;
  const faults = calls.flatMap((call) =>
    ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EAGAIN', 'EACCES', 'ESTALE', 'ETIMEDOUT'].map(
      (errno) => [call, errno] as const,
    ),
  );

  it.each(faults)(
    'is never called damaged (%s: %s), is said, and keeps nothing else from being judged',
    async (call, errno) => {
      const { store, vault, a, b } = await vaultWhoseDisk(call, errno);
      expect(await verifyVault(vault, { level: 'files' })).toMatchObject({
        ok: false,
        findings: [],
        unjudged: [
          { object: a, message: expect.stringContaining(errno), code: expect.stringMatching(/^DESTINATION_/) },
        ],
      });
      await store.replace(b, randomBytes(30));
      const plan = await planRepair(vault);
      expect(plan).toMatchObject({ broken: [{ key: b }], unjudged: [{ object: a }], rereads: ['B'] });
      expect((await applyRepair(vault, plan, deps)).quarantined).toHaveLength(1);
    },
  );

  it('is not asked for again and again when the whole store is away', async () => {
    const { vault } = await vaultWhoseDisk('open', 'EIO');
    const { store } = vault;
    const head: typeof store.head = async (key, call) => {
      if (key === 'vault.json') throw new Error('away');
      return store.head(key, call);
    };
    await expect(planRepair({ ...vault, store: { ...store, head } })).rejects.toThrow('away');
  });
});
