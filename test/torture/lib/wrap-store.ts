/** A store whose every call goes through `around`: to count, delay, fail or end it. */
import { readFile } from 'node:fs/promises';
import { sha256Hex } from '../../../src/core/digest.ts';
import { corrupt } from '../../../src/storage/faults.ts';
import type { Store } from '../../../src/storage/store.ts';

export type StoreCall = 'putNew' | 'replace' | 'get' | 'head' | 'list' | 'remove' | 'clock' | 'sync';

export type Around = <T>(call: StoreCall, key: string, act: () => Promise<T>) => Promise<T>;

export function wrapStore(inner: Store, around: Around): Store {
  const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const list: T[] = [];
    for await (const item of items) list.push(item);
    return list;
  };
  return {
    ...inner,
    putNew: (key, bytes, options) => around('putNew', key, () => inner.putNew(key, bytes, options)),
    putNewFile: (key, path, file) =>
      around('putNew', key, async () => {
        const bytes = await readFile(path);
        if (sha256Hex(bytes) !== file.sha256)
          throw corrupt({ store: inner.uri, object: key }, 'the local file changed');
        await inner.putNew(key, bytes, file);
      }),
    replace: (key, bytes, options) => around('replace', key, () => inner.replace(key, bytes, options)),
    get: (key, options) => around('get', key, () => inner.get(key, options)),
    async *stream(key, options) {
      yield* await around('get', key, () => all(inner.stream(key, options)));
    },
    head: (key, options) => around('head', key, () => inner.head(key, options)),
    async *list(prefix, options) {
      yield* await around('list', prefix, () => all(inner.list(prefix, options)));
    },
    async *folders(prefix, options) {
      yield* await around('list', prefix, () => all(inner.folders(prefix, options)));
    },
    remove: (key, options) => around('remove', key, () => inner.remove(key, options)),
    serverNowMs: (options) => around('clock', '', () => inner.serverNowMs(options)),
    ...(inner.makeDurable === undefined
      ? {}
      : { makeDurable: (key: string) => around('sync', key, () => inner.makeDurable!(key)) }),
  };
}

/** All objects of a store, by key. */
export async function contentOf(store: Store): Promise<Map<string, Uint8Array>> {
  const content = new Map<string, Uint8Array>();
  for await (const { key } of store.list('')) content.set(key, await store.get(key));
  return content;
}
