/** A store on which something is tried out: what is written stays in memory. */
import type { Clock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import { objectExists } from './faults.ts';
import { compareKeys } from './key.ts';
import { createMemoryStore } from './memory.ts';
import type { ListedObject, Store } from './store.ts';

/** The store as it would be after what is written through this one. Nothing reaches the store itself; nothing can be removed. */
export function rehearsalStore(store: Store, clock: Clock): Store {
  const written = createMemoryStore({ clock });
  const { makeDurable: _makeDurable, sweepTemporary: _sweepTemporary, ...others } = store;
  const holderOf = async (key: string) => ((await written.head(key)) === undefined ? store : written);
  const refuse = async () => {
    throw new TablevaultError(
      'BUG',
      `an object of ${store.uri} was to be removed, or a file stored, where something is only tried out`,
    );
  };
  return {
    ...others,
    async putNew(key, bytes, put) {
      if ((await store.head(key, put)) !== undefined) throw objectExists({ store: store.uri, object: key });
      await written.putNew(key, bytes, put);
    },
    replace: written.replace,
    putNewFile: refuse,
    remove: refuse,
    get: async (key, call) => (await holderOf(key)).get(key, call),
    async *stream(key, call) {
      yield* (await holderOf(key)).stream(key, call);
    },
    head: async (key, call) => (await holderOf(key)).head(key, call),
    async *list(prefix, call) {
      const above: ListedObject[] = [];
      for await (const object of written.list(prefix, call)) above.push(object);
      const hidden = new Set(above.map(({ key }) => key));
      for await (const object of store.list(prefix, call)) {
        while (above[0] !== undefined && compareKeys(above[0].key, object.key) < 0) yield above.shift()!;
        if (!hidden.has(object.key)) yield object;
      }
      yield* above;
    },
    async *folders(prefix, call) {
      const names = new Set<string>();
      for (const each of [store, written]) for await (const name of each.folders(prefix, call)) names.add(name);
      yield* [...names].sort(compareKeys);
    },
  };
}
