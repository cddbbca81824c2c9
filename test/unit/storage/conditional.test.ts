import { describe, expect, it } from 'vitest';
import { getIfPresent, putIfAbsent, putSame } from '../../../src/storage/conditional.ts';
import { createMemoryStore } from '../../../src/storage/memory.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('conditional calls of a store', () => {
  it('an object that is not there is undefined; every other failure is thrown', async () => {
    const store = createMemoryStore();
    expect(await getIfPresent(store, 'a')).toBeUndefined();
    await store.putNew('a', bytes('1'));
    expect(await getIfPresent(store, 'a')).toEqual(bytes('1'));
    await expect(getIfPresent(store, '../a')).rejects.toThrow();
    const denied = { ...store, get: () => Promise.reject(new Error('no way')) };
    await expect(getIfPresent(denied, 'a')).rejects.toThrow('no way');
  });

  it('only the first of two writers of a key creates it, and nothing is replaced', async () => {
    const store = createMemoryStore();
    expect(await putIfAbsent(store, 'a', bytes('1'))).toBe(true);
    expect(await putIfAbsent(store, 'a', bytes('2'))).toBe(false);
    expect(await store.get('a')).toEqual(bytes('1'));
    const broken = { ...store, putNew: () => Promise.reject(new Error('no way')) };
    await expect(putIfAbsent(broken, 'b', bytes('1'))).rejects.toThrow('no way');
  });

  it('the same bytes again are a success, other bytes are not', async () => {
    const store = createMemoryStore();
    expect(await putSame(store, 'a', bytes('1'))).toBe(true);
    expect(await putSame(store, 'a', bytes('1'))).toBe(true);
    expect(await putSame(store, 'a', bytes('2'))).toBe(false);
    expect(await store.get('a')).toEqual(bytes('1'));
  });
});
