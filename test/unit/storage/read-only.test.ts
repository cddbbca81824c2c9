import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/storage/memory.ts';
import { readOnlyStore } from '../../../src/storage/read-only.ts';

const NOW = Date.UTC(2026, 10, 21);
const at = (nowMs: number) => createMemoryStore({ clock: { now: () => nowMs, sleep: async () => {} } });

describe('a store that is only looked at', () => {
  it('is read as it is, and never written', async () => {
    const inner = at(NOW);
    await inner.putNew('a/1', new Uint8Array(3));
    const store = readOnlyStore(inner, { now: () => NOW });
    expect(await store.get('a/1')).toHaveLength(3);
    expect(await store.head('a/1')).toMatchObject({ bytes: 3 });
    const none = new Uint8Array(0);
    for (const write of [store.putNew('a/2', none), store.replace('a/1', none), store.remove('a/1')])
      await expect(write).rejects.toMatchObject({ code: 'BUG' });
    expect(store.sweepTemporary).toBeUndefined();
  });

  it('asks a store that tells its time without a write; else takes this machine’s, no earlier than what it saw', async () => {
    const inner = at(NOW);
    await inner.putNew('a/1', new Uint8Array(3));
    const local = { now: () => NOW - 60_000 };
    expect(await readOnlyStore(inner, local).serverNowMs()).toBe(NOW);
    const store = readOnlyStore({ ...inner, tellsTimeByWriting: true }, local);
    expect(await store.serverNowMs()).toBe(NOW - 60_000);
    for await (const _ of store.list('a/'));
    expect(await store.serverNowMs()).toBe(NOW);
  });
});
