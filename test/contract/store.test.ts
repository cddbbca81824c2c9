import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/core/digest.ts';
import type { Store } from '../../src/storage/store.ts';
import { tryCreateOnly } from '../../src/storage/try-create-only.ts';
import { STORES } from './stores.ts';

const bytes = (text: string) => Buffer.from(text);
const text = (stored: Uint8Array) => Buffer.from(stored).toString();
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
const code = (expected: string) => expect.objectContaining({ code: expected });

let local: string;
beforeAll(async () => {
  local = await mkdtemp(join(tmpdir(), 'tablevault-local-'));
});
afterAll(() => rm(local, { recursive: true }));

async function localFile(size: number) {
  const content = randomBytes(size);
  const path = join(local, `${sha256Hex(content).slice(0, 16)}.bin`);
  await writeFile(path, content);
  return { path, content, facts: { bytes: size, sha256: sha256Hex(content) } };
}

describe.each(STORES.filter((kind) => kind.available))('a store of the kind $name', (kind) => {
  let store: Store;
  let again: () => Store;
  let end: () => Promise<void>;
  beforeEach(async () => {
    ({ store, again, end } = await kind.open());
  });
  afterEach(() => end());

  it('gives back what was put, also to another reader, and nothing for what was not', async () => {
    await store.putNew('a/b.json', bytes('hello'));
    expect(text(await store.get('a/b.json'))).toBe('hello');
    expect(text(await again().get('a/b.json'))).toBe('hello');
    expect(await store.head('a/b.json')).toMatchObject({ bytes: 5 });
    expect(await store.head('a/none.json')).toBeUndefined();
    expect(await store.head('a')).toBeUndefined();
    await expect(store.get('a/none.json')).rejects.toEqual(code('OBJECT_MISSING'));
    await expect(all(store.stream('a/none.json'))).rejects.toEqual(code('OBJECT_MISSING'));
  });

  it('keeps empty objects', async () => {
    await store.putNew('empty', new Uint8Array(0));
    expect((await store.get('empty')).byteLength).toBe(0);
    expect(await all(store.stream('empty'))).toEqual([]);
    expect(await store.head('empty')).toMatchObject({ bytes: 0 });
  });

  it('never replaces an object when it creates one', async () => {
    const file = await localFile(10);
    await store.putNew('k', bytes('first'));
    await expect(store.putNew('k', bytes('second'))).rejects.toEqual(code('OBJECT_EXISTS'));
    await expect(store.putNew('k', bytes('first'))).rejects.toEqual(code('OBJECT_EXISTS'));
    await expect(store.putNewFile('k', file.path, file.facts)).rejects.toEqual(code('OBJECT_EXISTS'));
    expect(text(await store.get('k'))).toBe('first');
  });

  it('lets exactly one of ten writers at once create an object, and keeps its bytes', async () => {
    for (let round = 0; round < 3; round += 1) {
      const writers = Array.from({ length: 10 }, (_, writer) => `writer ${writer}`);
      const results = await Promise.allSettled(writers.map((writer) => again().putNew(`race/${round}`, bytes(writer))));
      const winners = writers.filter((_, index) => results[index]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect(text(await store.get(`race/${round}`))).toBe(winners[0]);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toEqual(code('OBJECT_EXISTS'));
    }
  });

  it('is found to create without replacing, and the probe leaves nothing behind', async () => {
    await tryCreateOnly(store);
    expect(await all(store.list(''))).toEqual([]);
  });

  it('refuses bytes that do not have the hash they are said to have', async () => {
    await expect(store.putNew('wrong', bytes('x'), { sha256: sha256Hex('y'), retries: false })).rejects.toThrow();
    expect(await store.head('wrong')).toBeUndefined();
  });

  it.each([0, 1, 1_000_000, 9_000_000, 12_345_678])('stores a local file of %i bytes as it is', async (size) => {
    const file = await localFile(size);
    await store.putNewFile('tables/T/part.parquet', file.path, file.facts);
    const stored = Buffer.concat(await all(store.stream('tables/T/part.parquet')));
    expect(sha256Hex(stored)).toBe(file.facts.sha256);
    await expect(store.putNewFile('tables/T/part.parquet', file.path, file.facts)).rejects.toEqual(
      code('OBJECT_EXISTS'),
    );
  });

  it.each([1_000, 9_000_000])(
    'does not store a local file of %i bytes that changed after it was hashed',
    async (size) => {
      const file = await localFile(size);
      await writeFile(file.path, randomBytes(size));
      await expect(store.putNewFile('changed', file.path, file.facts)).rejects.toEqual(code('VAULT_CORRUPT'));
      await writeFile(file.path, randomBytes(size - 1));
      await expect(store.putNewFile('changed', file.path, file.facts)).rejects.toEqual(code('VAULT_CORRUPT'));
      expect(await store.head('changed')).toBeUndefined();
      expect(await all(store.list(''))).toEqual([]);
    },
  );

  it('replaces hints, and creates them where there are none', async () => {
    await store.replace('latest.json', bytes('1'));
    await store.replace('latest.json', bytes('22'));
    expect(text(await store.get('latest.json'))).toBe('22');
  });

  it('does not read into memory what is larger than allowed', async () => {
    await store.putNew('large', randomBytes(2_000));
    await expect(store.get('large', { maxBytes: 1_999 })).rejects.toEqual(code('VAULT_CORRUPT'));
    expect(await store.get('large', { maxBytes: 2_000 })).toHaveLength(2_000);
  });

  it('lists by prefix in the order of the keys, whatever stands after a folder’s name', async () => {
    const keys = ['a-b', 'a.b', 'a/b', 'a/b-c', 'a/b.c/d', 'a0', 'b', 'Ä/ö', 'a/%2e', "a/it's", 'a/x+y z', 'a/B'];
    for (const key of keys) await store.putNew(key, bytes(key));
    const inOrder = (prefix: string) =>
      keys.filter((key) => key.startsWith(prefix)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const prefix of ['', 'a', 'a/', 'a/b', 'a/b.c/', 'a/b.c/d', 'none/', 'Ä/']) {
      const listed = await all(store.list(prefix));
      expect(listed.map(({ key }) => key)).toEqual(inOrder(prefix));
      for (const object of listed) expect(object.bytes).toBe(Buffer.byteLength(object.key));
    }
  });

  it('names the folders directly below a prefix', async () => {
    for (const key of ['runs/b/plan.json', 'runs/a/ckpt/T/1.json', 'runs/a/plan.json', 'runs/file', 'other/x']) {
      await store.putNew(key, bytes(key));
    }
    expect(await all(store.folders('runs/'))).toEqual(['a', 'b']);
    expect(await all(store.folders('runs/a/'))).toEqual(['ckpt']);
    expect(await all(store.folders('none/'))).toEqual([]);
  });

  it('removes objects, and takes it calmly when there is nothing to remove', async () => {
    await store.putNew('x/y', bytes('1'));
    await store.remove('x/y');
    await store.remove('x/y');
    await store.remove('never/was');
    expect(await store.head('x/y')).toBeUndefined();
    await store.putNew('x/y', bytes('2'));
    expect(text(await store.get('x/y'))).toBe('2');
  });

  it('tells its time, which is that of its objects', async () => {
    const before = await store.serverNowMs();
    await store.putNew('now', bytes('1'));
    const after = await store.serverNowMs();
    const stored = (await store.head('now'))?.modifiedMs ?? 0;
    expect(stored).toBeGreaterThanOrEqual(before - 1_500);
    expect(stored).toBeLessThanOrEqual(after + 1_500);
    const [listed] = await all(store.list('now'));
    expect(Math.abs((listed?.modifiedMs ?? 0) - stored)).toBeLessThan(1_000);
  });

  it.each([
    '',
    '/a',
    'a//b',
    '../a',
    'a/../b',
    './a',
    'a/',
    'a\\b',
    'a\0b',
    'a\nb',
    '.tmp/x',
    'a/.hidden',
    'a/b.',
    'x'.repeat(256),
  ])('refuses the key %j', async (key) => {
    await expect(store.putNew(key, bytes('x'))).rejects.toEqual(code('BUG'));
    await expect(store.get(key)).rejects.toEqual(code('BUG'));
    await expect(store.remove(key)).rejects.toEqual(code('BUG'));
  });

  it('does nothing more once it is interrupted', async () => {
    const signal = AbortSignal.abort(new Error('interrupted'));
    await expect(store.putNew('late', bytes('x'), { signal })).rejects.toThrow('interrupted');
    expect(await store.head('late')).toBeUndefined();
  });
});
