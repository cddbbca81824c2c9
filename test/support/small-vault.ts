/** A vault in a folder, made without an instance: for commands that only look at what is stored. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { sha256Hex } from '../../src/core/digest.ts';
import { createFolderStore } from '../../src/storage/folder.ts';
import { commitSnapshot } from '../../src/vault/commit/commit.ts';
import { partKey } from '../../src/vault/layout.ts';
import { draft, memoryVault, partEntry, runId, tableEntry, testClock } from '../unit/vault/support.ts';

/**
 * One snapshot, or several of the same parts, of two tables, `Gen_One` and `Gen_Two`, with a part of 3,000 random bytes each; they are no Parquet.
 * @param change is done to the file of the first part
 * @returns the path of the vault, a new folder below `folder`
 */
export async function smallVault(
  folder: string,
  change?: (path: string) => Promise<unknown>,
  snapshots = 1,
): Promise<string> {
  const path = join(folder, randomBytes(4).toString('hex'));
  const store = createFolderStore(path);
  const vault = await memoryVault(store);
  const run = runId();
  const tables = [];
  for (const name of ['Gen_One', 'Gen_Two']) {
    const content = randomBytes(3000);
    const key = partKey(name, run, 0, sha256Hex(content));
    await store.putNew(key, content);
    tables.push(tableEntry([partEntry({ key, run, bytes: 3000, sha256: sha256Hex(content) })], { name }));
  }
  await commitSnapshot(vault, draft({ run, snapshot: run, tables }), { clock: testClock(true) });
  for (let n = 1; n < snapshots; n += 1) {
    const later = runId();
    await commitSnapshot(vault, draft({ run: later, snapshot: later, tables }), { clock: testClock(true) });
  }
  await change?.(store.localPath!(tables[0]!.parts[0]!.key));
  return path;
}
