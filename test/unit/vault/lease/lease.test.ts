import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import { lockFolder, lockKey } from '../../../../src/vault/layout.ts';
import { hasEnded, thisProcess } from '../../../../src/vault/lease/holder.ts';
import { acquireLease, type Lease, type LeaseOptions } from '../../../../src/vault/lease/lease.ts';
import { faultyStore } from '../faulty-store.ts';
import { testClock } from '../support.ts';

const TTL = 60_000;
const leases: Lease[] = [];
afterEach(async () => {
  for (const lease of leases.splice(0)) await lease.release();
});

function setUp() {
  const clock = testClock();
  const store = createMemoryStore({ clock });
  const options: LeaseOptions = { clock, ttlMs: TTL, isGone: () => false, monotonicMs: clock.now };
  const take = async (on: Store = store, more: Partial<LeaseOptions> = {}) => {
    const lease = await acquireLease(on, 'nightly', { ...options, ...more });
    leases.push(lease);
    return lease;
  };
  const generations = async () => {
    const keys: string[] = [];
    for await (const { key } of store.list(lockFolder('nightly'))) keys.push(key);
    return keys;
  };
  return { clock, store, take, generations };
}

describe('the lease of a pipeline', () => {
  it('is held by one: a second run is refused and told the holder’s host, pid and since when', async () => {
    const { take } = setUp();
    await take();
    await expect(take()).rejects.toMatchObject({
      code: 'LOCKED',
      exitCode: 9,
      at: { pid: process.pid, host: expect.any(String), since: expect.stringMatching(/Z$/) },
    });
  });

  it('goes to one of many who take it at the same time, round after round', async () => {
    const { take } = setUp();
    for (let round = 0; round < 10; round += 1) {
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => take()));
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won).toHaveLength(1);
      await won[0]?.value.release();
    }
  });

  it('of a process that was stopped for long is lost, though the number it creates next was used and removed', async () => {
    const { clock, store, take } = setUp();
    const asleep = testClock();
    const first = await take(store, { clock: asleep });
    await clock.advance(TTL * 1.5);
    await take();
    for (let minute = 0; minute < 3; minute += 1) await clock.advance(TTL);
    expect(await store.head(lockKey('nightly', 2))).toBeUndefined();
    await expect(first.assertHeld()).rejects.toMatchObject({ code: 'LOCKED' });
  });

  it('is renewed while it is held, for many times its length, and leaves few objects', async () => {
    const { clock, take, generations } = setUp();
    const lease = await take();
    for (let minute = 0; minute < 30; minute += 1) await clock.advance(TTL);
    expect(lease.signal.aborted).toBe(false);
    await lease.assertHeld();
    await expect(take()).rejects.toMatchObject({ code: 'LOCKED' });
    expect((await generations()).length).toBeLessThanOrEqual(4);
  });

  it('can be taken at once after it was released', async () => {
    const { take } = setUp();
    await (await take()).release();
    await (await take()).release();
    await take();
  });

  it('of a dead holder runs out by the store’s clock, and is then taken', async () => {
    const { clock, store, take } = setUp();
    // Its timers never fire again.
    const sleep = (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((_, reject) => signal?.addEventListener('abort', reject));
    await take(store, { clock: { now: clock.now, sleep } });
    await clock.advance(TTL - 1);
    await expect(take()).rejects.toMatchObject({ code: 'LOCKED' });
    await clock.advance(2);
    await take();
  });

  it('of a process known to have ended is taken without waiting', async () => {
    const { take } = setUp();
    await take();
    await take(undefined, { isGone: () => true });
  });

  it('that another took over stops the holder who did not know', async () => {
    const { clock, take } = setUp();
    const first = await take();
    const second = await take(undefined, { isGone: () => true });
    await expect(first.assertHeld()).rejects.toMatchObject({ code: 'LOCKED' });
    expect(first.signal.aborted).toBe(true);
    await clock.advance(TTL);
    await second.assertHeld();
    // Releasing what was lost takes nothing from the one who has it.
    await first.release();
    await second.assertHeld();
  });

  it('survives lost answers to its renewals', async () => {
    const { clock, store, take } = setUp();
    const flaky = faultyStore(store, (_key, n) => (n === 1 ? 'lost-answer' : undefined));
    await expect(take(flaky)).rejects.toMatchObject({ code: 'DESTINATION_UNREACHABLE' });
    await store.remove(lockKey('nightly', 1));
    const steady = faultyStore(store, (key, n) =>
      key !== lockKey('nightly', 1) && n === 1 ? 'lost-answer' : undefined,
    );
    const lease = await take(steady);
    for (let step = 0; step < 60; step += 1) await clock.advance(TTL / 12);
    expect(lease.signal.aborted).toBe(false);
    await lease.assertHeld();
  });

  it('counts from the first try to renew, as the store does, when that was stored and its answer lost', async () => {
    const { clock, store, take } = setUp();
    let state: 'sound' | 'lost' | 'down' = 'sound';
    const down = () => {
      if (state === 'down') throw new TablevaultError('DESTINATION_UNREACHABLE', 'down', { retryable: true });
    };
    const lease = await take({
      ...store,
      putNew: async (key, bytes, options) => {
        down();
        await store.putNew(key, bytes, options);
        if (state !== 'lost') return;
        state = 'sound';
        await clock.sleep(TTL / 3);
        throw new TablevaultError('DESTINATION_UNREACHABLE', 'no answer', { retryable: true });
      },
      list: (prefix, call) => {
        down();
        return store.list(prefix, call);
      },
    });
    state = 'lost';
    // The second try, at 45 s, finds what the first stored at 20 s. Then the network is gone.
    await clock.advance(TTL * 0.78);
    state = 'down';
    await clock.advance(TTL * 0.57);
    await take(store);
    await expect(lease.assertHeld()).rejects.toMatchObject({ code: 'DESTINATION_UNREACHABLE' });
  });

  it('is released, though a renewal whose answer was lost stands in the way', async () => {
    const { clock, store, take } = setUp();
    const flaky = faultyStore(store, (key, n) =>
      key === lockKey('nightly', 2) && n === 1 ? 'lost-answer' : undefined,
    );
    const lease = await take(flaky);
    await clock.advance(TTL / 3);
    await lease.release();
    await take();
  });

  it('stops the run before it can run out when the store cannot be reached', async () => {
    const { clock, store, take } = setUp();
    let cut = false;
    const lease = await take(faultyStore(store, () => (cut ? 'lost-request' : undefined)));
    cut = true;
    await clock.advance(TTL);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retryable: true });
    await expect(take()).rejects.toMatchObject({ code: 'LOCKED' });
  });

  it('is not won by a slow taker who creates a generation that was used and removed', async () => {
    const { clock, store, take } = setUp();
    const slow: Store = {
      ...store,
      putNew: async (key, bytes, options) => {
        if (key === lockKey('nightly', 1)) {
          await take();
          for (let step = 0; step < 10; step += 1) await clock.advance(TTL / 3);
          expect(await store.head(key)).toBeUndefined();
        }
        return store.putNew(key, bytes, options);
      },
    };
    await expect(take(slow)).rejects.toMatchObject({ code: 'LOCKED' });
    await leases[0]?.assertHeld();
  });

  it('dated in the future by a clock that was set back is watched, not believed', async () => {
    const { clock, store, take } = setUp();
    const future: Store = { ...store, serverNowMs: async () => (await store.serverNowMs()) - 10 * 365 * 86_400_000 };
    const alive = await take();
    const taking = take(future).then(
      () => 'taken',
      () => 'locked',
    );
    for (let step = 0; step < 20; step += 1) await clock.advance(TTL / 12);
    expect(await taking).toBe('locked');
    await alive.release();
    await take(future);
  });

  it('whose newest generation is damaged runs out as any other, and names no holder', async () => {
    const { clock, store, take } = setUp();
    await store.putNew(lockKey('nightly', 7), Buffer.from('{"formatVersion":1,'));
    await expect(take()).rejects.toMatchObject({ code: 'LOCKED', message: expect.stringMatching(/lock is damaged$/) });
    await clock.advance(TTL + 1);
    await take();
  });
});

describe('a holder', () => {
  it('is known to have ended only when its process is gone', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const self = thisProcess(0);
    const holder = { ...self, pid: child.pid ?? 0 };
    expect(hasEnded(self)).toBe(false);
    // Another process with this pid: the start time differs.
    expect(hasEnded(holder)).toBe(self.place !== null);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    expect(hasEnded({ ...holder, started: '1' })).toBe(self.place !== null);
    expect(hasEnded({ ...holder, place: 'another boot' })).toBe(false);
    expect(hasEnded({ ...holder, place: null })).toBe(false);
  });
});
