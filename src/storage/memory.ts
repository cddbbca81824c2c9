import { createReadStream } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { digestStream, sha256Hex } from '../core/digest.ts';
import { corrupt, objectExists, objectMissing } from './faults.ts';
import { checkedKey, checkedPrefix, compareKeys } from './key.ts';
import type { CallOptions, FileFacts, ListedObject, ObjectFacts, PutOptions, Store } from './store.ts';
import { DEFAULT_MAX_GET_BYTES } from './store.ts';

/** A store for tests and for trying things out: everything is lost with the process. Objects are copied in and out. */
export function createMemoryStore(options: { readonly name?: string; readonly clock?: Clock } = {}): Store {
  const clock = options.clock ?? systemClock;
  const uri = `memory:${options.name ?? 'store'}`;
  const objects = new Map<string, { readonly bytes: Uint8Array; readonly modifiedMs: number }>();
  const place = (key: string) => ({ store: uri, object: key });

  function stored(key: string) {
    const object = objects.get(checkedKey(key));
    if (object === undefined) throw objectMissing(place(key));
    return object.bytes;
  }

  function create(key: string, bytes: Uint8Array, sha256: string | undefined) {
    if (objects.has(checkedKey(key))) throw objectExists(place(key));
    const copy = Uint8Array.from(bytes);
    if (sha256 !== undefined && sha256Hex(copy) !== sha256)
      throw corrupt(place(key), 'the bytes do not have their hash');
    objects.set(key, { bytes: copy, modifiedMs: clock.now() });
  }

  return {
    uri,
    async putNew(key: string, bytes: Uint8Array, put: PutOptions = {}) {
      put.signal?.throwIfAborted();
      create(key, bytes, put.sha256);
    },
    async putNewFile(key: string, localPath: string, file: FileFacts) {
      const chunks: Uint8Array[] = [];
      const found = await digestStream(createReadStream(localPath, { signal: file.signal }), async (chunk) => {
        chunks.push(chunk);
      });
      if (found.bytes !== file.bytes) throw corrupt(place(key), 'the local file no longer has the size it had');
      create(key, Buffer.concat(chunks), file.sha256);
    },
    async replace(key: string, bytes: Uint8Array, call: CallOptions = {}) {
      call.signal?.throwIfAborted();
      objects.set(checkedKey(key), { bytes: Uint8Array.from(bytes), modifiedMs: clock.now() });
    },
    async get(key, get = {}) {
      get.signal?.throwIfAborted();
      const bytes = stored(key);
      const limit = get.maxBytes ?? DEFAULT_MAX_GET_BYTES;
      if (bytes.byteLength > limit) throw corrupt(place(key), `larger than the ${limit} bytes it may have`);
      return Uint8Array.from(bytes);
    },
    async *stream(key, call = {}) {
      const bytes = stored(key);
      for (let at = 0; at < bytes.byteLength; at += 65_536) {
        call.signal?.throwIfAborted();
        yield bytes.slice(at, at + 65_536);
      }
    },
    async head(key): Promise<ObjectFacts | undefined> {
      const object = objects.get(checkedKey(key));
      return object && { bytes: object.bytes.byteLength, modifiedMs: object.modifiedMs };
    },
    async *list(prefix): AsyncGenerator<ListedObject> {
      checkedPrefix(prefix);
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
      for (const key of keys) {
        const object = objects.get(key);
        if (object !== undefined) yield { key, bytes: object.bytes.byteLength, modifiedMs: object.modifiedMs };
      }
    },
    async *folders(prefix): AsyncGenerator<string> {
      checkedPrefix(prefix);
      const names = new Set<string>();
      for (const key of objects.keys()) {
        const slash = key.startsWith(prefix) ? key.indexOf('/', prefix.length) : -1;
        if (slash > 0) names.add(key.slice(prefix.length, slash));
      }
      yield* [...names].sort(compareKeys);
    },
    async remove(key) {
      objects.delete(checkedKey(key));
    },
    async serverNowMs() {
      return clock.now();
    },
    async close() {},
  };
}
