import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/storage/memory.ts';
import { rehearsalStore } from '../../../src/storage/rehearsal.ts';
import type { Store } from '../../../src/storage/store.ts';

const clock = { now: () => Date.UTC(2026, 10, 21), sleep: async () => {} };
const text = (value: string) => Buffer.from(value);

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const keys = async (store: Store, prefix = '') => (await collect(store.list(prefix))).map(({ key }) => key);

describe('a store on which something is tried out', () => {
  it('shows what was written as if it were stored, in the order of keys, and keeps it from the store', async () => {
    const inner = createMemoryStore({ clock });
    for (const key of ['a/1', 'a/3', 'c']) await inner.putNew(key, text('old'));
    const store = rehearsalStore(inner, clock);
    await store.putNew('a/2', text('new'));
    await store.putNew('b/1', text('new'));
    await store.putNew('d', text('new'));
    await store.replace('a/3', text('newer'));
    expect(await keys(store)).toEqual(['a/1', 'a/2', 'a/3', 'b/1', 'c', 'd']);
    expect(await keys(store, 'a/')).toEqual(['a/1', 'a/2', 'a/3']);
    expect(await collect(store.folders(''))).toEqual(['a', 'b']);
    expect([await store.head('a/2'), await store.head('a/3')]).toMatchObject([{ bytes: 3 }, { bytes: 5 }]);
    expect(await store.head('x')).toBeUndefined();
    expect(Buffer.from(await store.get('a/2')).toString()).toBe('new');
    expect(Buffer.concat(await collect(store.stream('a/3'))).toString()).toBe('newer');
    expect(Buffer.from(await store.get('a/1')).toString()).toBe('old');
    expect(await keys(inner)).toEqual(['a/1', 'a/3', 'c']);
    expect(Buffer.from(await inner.get('a/3')).toString()).toBe('old');
  });

  it('creates nothing twice, and removes nothing', async () => {
    const inner = createMemoryStore({ clock });
    await inner.putNew('a', text('old'));
    const store = rehearsalStore(inner, clock);
    await store.putNew('b', text('new'));
    for (const key of ['a', 'b'])
      await expect(store.putNew(key, text('x'))).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
    await expect(store.remove('a')).rejects.toMatchObject({ code: 'BUG' });
    await expect(store.get('x')).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
    expect(await keys(inner)).toEqual(['a']);
  });
});
