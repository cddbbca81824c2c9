import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../src/core/events.ts';
import { createGovernor, type Slot } from '../../../src/instance/governor.ts';
import { createFakeClock } from './support/fake-clock.ts';

function setUp(ceiling: number) {
  const clock = createFakeClock();
  const events: RunEvent[] = [];
  const governor = createGovernor({ ceiling }, { clock, emit: (event) => events.push(event), random: () => 1 });
  return { clock, events, governor };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the governor', () => {
  it('grants places first come, first served', async () => {
    const { governor } = setUp(1);
    const order: number[] = [];
    const run = (n: number) =>
      governor.acquire().then(async (slot) => {
        order.push(n);
        await settle();
        slot.release();
      });
    await Promise.all([1, 2, 3, 4, 5].map(run));
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  it('lets a request that is tried again go first', async () => {
    const { governor } = setUp(1);
    const held = await governor.acquire();
    const order: string[] = [];
    const take = (name: string, first: boolean) =>
      governor.acquire({ first }).then((slot) => {
        order.push(name);
        slot.release();
      });
    const all = [take('new', false), take('again', true)];
    held.release();
    await Promise.all(all);
    expect(order).toEqual(['again', 'new']);
  });

  it('pauses everybody after one refusal, says so once, and goes on by itself', async () => {
    const { governor, clock, events } = setUp(4);
    const slots = [await governor.acquire(), await governor.acquire()];
    slots[0]?.refused({ retryAfterMs: 5000, aboutRate: false });
    for (const slot of slots) slot.release();
    const granted: Slot[] = [];
    const waiting = [1, 2].map(() => governor.acquire().then((slot) => granted.push(slot)));
    await clock.advance(4999);
    expect(granted).toHaveLength(0);
    expect(events.filter(({ type }) => type === 'wait')).toEqual([
      { type: 'wait', reason: 'the instance refused a request (429: too many at once)', ms: 5000 },
    ]);
    await clock.advance(2);
    expect(granted).toHaveLength(1);
    granted[0]?.release();
    await Promise.all(waiting);
  });

  it('wakes at the end of a longer pause that came later', async () => {
    const { governor, clock } = setUp(1);
    governor.pause(1000, 'one');
    let got = false;
    const waiting = governor.acquire().then(() => {
      got = true;
    });
    governor.pause(3000, 'two');
    await clock.advance(2500);
    expect(got).toBe(false);
    await clock.advance(600);
    await waiting;
    expect(got).toBe(true);
  });

  it('spaces requests once the instance tells of a budget a minute, and says so', async () => {
    const { governor, clock, events } = setUp(2);
    const refused = await governor.acquire();
    refused.refused({ retryAfterMs: 1000, aboutRate: true });
    refused.release();
    const at: number[] = [];
    const all = [1, 2, 3].map(() =>
      governor.acquire().then((slot) => {
        at.push(clock.now());
        slot.release();
      }),
    );
    await clock.advance(60_000);
    await Promise.all(all);
    expect(at.map((time) => time - (at[0] ?? 0))).toEqual([0, 10_000, 20_000]);
    expect(events).toContainEqual({ type: 'spaced', perMinute: 6 });
  });

  it('forgets a waiter that was aborted', async () => {
    const { governor } = setUp(1);
    const held = await governor.acquire();
    const controller = new AbortController();
    const gone = governor.acquire({ signal: controller.signal });
    const next = governor.acquire();
    controller.abort(new Error('no longer wanted'));
    await expect(gone).rejects.toThrow('no longer wanted');
    held.release();
    (await next).release();
    expect(governor.stats()).toMatchObject({ inFlight: 0, waiting: 0 });
  });

  it('gives a place back once, however often it is released', async () => {
    const { governor } = setUp(2);
    const [a, b] = [await governor.acquire(), await governor.acquire()];
    a.release();
    a.release();
    expect(governor.stats().inFlight).toBe(1);
    b.release();
    expect(governor.stats().inFlight).toBe(0);
  });

  it('rejects all waiters when it closes', async () => {
    const { governor } = setUp(1);
    await governor.acquire();
    const waiting = governor.acquire();
    governor.close(new Error('closed'));
    await expect(waiting).rejects.toThrow('closed');
    await expect(governor.acquire()).rejects.toThrow('closed');
  });

  it('tells of every request that is sent, however soon after another', async () => {
    const { governor, events } = setUp(4);
    (await governor.acquire()).release();
    await governor.acquire();
    expect(events.findLast(({ type }) => type === 'inFlight')).toEqual({ type: 'inFlight', requests: 1, limit: 2 });
  });

  it('tells how many requests are in flight and how many may be', async () => {
    const { governor, events } = setUp(4);
    const slot = await governor.acquire();
    slot.release();
    const told = events.filter(({ type }) => type === 'inFlight');
    expect(told[0]).toEqual({ type: 'inFlight', requests: 1, limit: 2 });
    expect(told.at(-1)).toEqual({ type: 'inFlight', requests: 0, limit: 2 });
  });
});
