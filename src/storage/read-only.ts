/** A store that cannot be written through: for whoever only shows what would be done. */
import { TablevaultError } from '../core/errors.ts';
import type { CallOptions, ListedObject, Store } from './store.ts';

/**
 * The store, for reading alone: a write is a bug. Where the store's time is told by writing only, it is this machine's, and no earlier than
 * that of the newest object that was seen.
 */
export function readOnlyStore(store: Store, clock: { readonly now: () => number }): Store {
  let newestMs = Number.NEGATIVE_INFINITY;
  const { makeDurable: _makeDurable, sweepTemporary: _sweepTemporary, ...others } = store;
  const refuse = async () => {
    throw new TablevaultError('BUG', `something was to be written to ${store.uri}, which is only looked at`);
  };
  return {
    ...others,
    putNew: refuse,
    putNewFile: refuse,
    replace: refuse,
    remove: refuse,
    async *list(prefix, call = {}): AsyncGenerator<ListedObject> {
      for await (const object of store.list(prefix, call)) {
        newestMs = Math.max(newestMs, object.modifiedMs);
        yield object;
      }
    },
    async head(key, call = {}) {
      const found = await store.head(key, call);
      if (found !== undefined) newestMs = Math.max(newestMs, found.modifiedMs);
      return found;
    },
    serverNowMs: async (call: CallOptions = {}) =>
      store.tellsTimeByWriting === true ? Math.max(clock.now(), newestMs) : store.serverNowMs(call),
  };
}
