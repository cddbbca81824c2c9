import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import { createMemoryStore } from '../../../src/storage/memory.ts';
import type { Store } from '../../../src/storage/store.ts';
import { tryCreateOnly } from '../../../src/storage/try-create-only.ts';

describe('trying a store', () => {
  it('does not keep an interrupt waiting for a removal that is never answered', async () => {
    const store = createMemoryStore();
    const controller = new AbortController();
    const remove: Store['remove'] = (_key, call) => {
      queueMicrotask(() => controller.abort(new TablevaultError('INTERRUPTED', 'stop')));
      return new Promise((_, reject) => call?.signal?.addEventListener('abort', () => reject(call.signal?.reason)));
    };
    const begun = performance.now();
    await tryCreateOnly({ ...store, remove }, { signal: controller.signal });
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  it('still removes its object after an interrupt, when that is answered soon', async () => {
    const store = createMemoryStore();
    const controller = new AbortController();
    const get: Store['get'] = async () => {
      controller.abort(new TablevaultError('INTERRUPTED', 'stop'));
      throw controller.signal.reason;
    };
    await expect(tryCreateOnly({ ...store, get }, { signal: controller.signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    });
    for await (const { key } of store.list('')) expect.unreachable(key);
  });
});
