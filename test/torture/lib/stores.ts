/** The stores that the torture works on. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFolderStore } from '../../../src/storage/folder.ts';
import { createMemoryStore } from '../../../src/storage/memory.ts';
import { createS3Store } from '../../../src/storage/s3.ts';
import type { Store } from '../../../src/storage/store.ts';
import type { OpenStores } from '../answers.ts';
import type { InterleavedStore } from '../interleave.ts';
import type { KillTarget } from '../kills.ts';
import { random } from './random.ts';
import { randomFaults, startS3Proxy } from './s3-proxy.ts';

type Env = Readonly<Record<string, string>>;
type Opened = { readonly store: Store; readonly end: () => Promise<void> };

export const memoryStore = async (): Promise<Opened> => ({ store: createMemoryStore(), end: async () => {} });

export async function folderStore(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-torture-folder-'));
  return {
    store: createFolderStore(join(folder, 'vault')),
    end: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A memory store whose clock the test turns. */
export async function memoryTurns(): Promise<InterleavedStore> {
  let nowMs = Date.UTC(2026, 10, 21);
  const now = () => nowMs;
  const store = createMemoryStore({ clock: { now, sleep: async () => {} } });
  return {
    store,
    now,
    advance: (ms) => {
      nowMs += ms;
    },
    end: async () => {},
  };
}

/** An S3 prefix whose objects grow old as the test says: what the server tells of times is shifted. */
export function s3Turns(env: Env, bucket: string): () => Promise<InterleavedStore> {
  return async () => {
    const inner = createS3Store({ env, bucket, prefix: `${randomUUID()}/` });
    let ahead = 0;
    const born = new Map<string, number>();
    // An object keeps the shift that it was stored with.
    const keep = <T>(key: string, put: Promise<T>) =>
      put.then((result) => {
        born.set(key, ahead);
        return result;
      });
    const aged = <T extends { readonly modifiedMs: number }>(key: string, facts: T): T => ({
      ...facts,
      modifiedMs: facts.modifiedMs + (born.get(key) ?? 0),
    });
    const store: Store = {
      ...inner,
      putNew: (key, bytes, options) => keep(key, inner.putNew(key, bytes, options)),
      replace: (key, bytes, options) => keep(key, inner.replace(key, bytes, options)),
      head: async (key, options) => {
        const found = await inner.head(key, options);
        return found && aged(key, found);
      },
      async *list(prefix, options) {
        for await (const object of inner.list(prefix, options)) yield aged(object.key, object);
      },
      serverNowMs: async (options) => (await inner.serverNowMs(options)) + ahead,
    };
    return {
      store,
      now: () => Date.now() + ahead,
      advance: (ms) => {
        ahead += ms;
      },
      end: () => inner.close(),
    };
  };
}

/** S3 through a proxy that loses and forges answers. */
export function s3Answers(env: Env, bucket: string): OpenStores {
  return async () => {
    const address = { bucket, prefix: `${randomUUID()}/` };
    const sound = createS3Store({ ...address, env });
    const proxy = await startS3Proxy(env['AWS_ENDPOINT_URL_S3'] ?? '');
    const stores: Store[] = [sound];
    let wrong = 0;
    return {
      sound,
      faulty(seed) {
        const choose = randomFaults(random(seed));
        proxy.choose = (method, path) => {
          const fault = choose(method, path);
          if (fault !== undefined) wrong += 1;
          return fault;
        };
        const retries = { attempts: 3, firstPauseMs: 1, lastPauseMs: 2 };
        const store = createS3Store({ ...address, env: { ...env, AWS_ENDPOINT_URL_S3: proxy.url }, retries });
        stores.push(store);
        return store;
      },
      wrong: () => wrong,
      async end() {
        for (const store of stores) await store.close();
        await proxy.close();
      },
    };
  };
}

/** Real processes that write to S3, through a proxy that counts their puts. */
export async function s3KillTarget(
  env: Env,
  bucket: string,
): Promise<{ target: KillTarget; end: () => Promise<void> }> {
  const proxy = await startS3Proxy(env['AWS_ENDPOINT_URL_S3'] ?? '');
  let puts = 0;
  proxy.choose = (method) => {
    if (method === 'PUT') puts += 1;
    return undefined;
  };
  const base = randomUUID();
  const target: KillTarget = {
    place: (n) => ({
      uri: `s3://${bucket}/${base}/${n}`,
      store: createS3Store({ env, bucket, prefix: `${base}/${n}/` }),
    }),
    env: { ...env, AWS_ENDPOINT_URL_S3: proxy.url },
    steps: () => {
      const since = puts;
      puts = 0;
      return since;
    },
  };
  return { target, end: proxy.close };
}
