import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../src/core/digest.ts';
import { createMemoryStore } from '../../../src/storage/memory.ts';
import { copyPart, readPart } from '../../../src/vault/copy-part.ts';

const BYTES = Buffer.from('the rows of a table');
const PART = { key: 'tables/T/1.parquet', bytes: BYTES.length, sha256: sha256Hex(BYTES) };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-copy-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function storeOf(bytes: Uint8Array) {
  const store = createMemoryStore();
  await store.putNew(PART.key, bytes);
  return store;
}

describe('a part', () => {
  it('is copied when size and hash are those of the manifest, for this user alone', async () => {
    const to = join(folder, 'good.parquet');
    await copyPart(await storeOf(BYTES), PART, to, {});
    expect(await readFile(to)).toEqual(BYTES);
    if (process.platform !== 'win32') expect((await stat(to)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['flipped', Buffer.from('the rows of a tablf')],
    ['cut', BYTES.subarray(0, 5)],
    ['longer', Buffer.concat([BYTES, Buffer.from('!')])],
  ])('that is %s is never taken for the part', async (name, bytes) => {
    const store = await storeOf(bytes);
    expect(await readPart(store, PART, {})).toEqual({ same: false, bytes: bytes.length });
    await expect(copyPart(store, PART, join(folder, name), {})).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });

  it('that is not there, or has no room here, is an error of the store or of the temporary folder', async () => {
    await expect(readPart(createMemoryStore(), PART, {})).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
    const nowhere = join(folder, 'no', 'such', 'folder');
    await expect(copyPart(await storeOf(BYTES), PART, nowhere, {})).rejects.toMatchObject({
      code: 'DESTINATION_MISSING',
    });
  });
});
