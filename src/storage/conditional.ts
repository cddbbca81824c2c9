/** A store's conditional calls as answers, where what a caller expects is no error. */
import { hasCode } from '../core/errors.ts';
import type { CallOptions, PutOptions, Store } from './store.ts';

/** The whole object; undefined when there is none. */
export async function getIfPresent(
  store: Store,
  key: string,
  call: CallOptions & { readonly maxBytes?: number } = {},
): Promise<Uint8Array | undefined> {
  try {
    return await store.get(key, call);
  } catch (error) {
    if (hasCode(error, 'OBJECT_MISSING')) return undefined;
    throw error;
  }
}

/** Creates an object. False when the key is taken, be it by an earlier try of the same bytes. */
export async function putIfAbsent(
  store: Pick<Store, 'putNew'>,
  key: string,
  bytes: Uint8Array,
  options: PutOptions = {},
): Promise<boolean> {
  try {
    await store.putNew(key, bytes, options);
    return true;
  } catch (error) {
    if (hasCode(error, 'OBJECT_EXISTS')) return false;
    throw error;
  }
}

/** Creates an object, or finds that it is there with the very same bytes. False when it has others. */
export async function putSame(store: Store, key: string, bytes: Uint8Array, call: CallOptions = {}): Promise<boolean> {
  if (await putIfAbsent(store, key, bytes, call)) return true;
  const stored = await store.get(key, { ...call, maxBytes: Number.MAX_SAFE_INTEGER });
  return Buffer.from(bytes).equals(stored);
}
