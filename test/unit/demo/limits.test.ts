import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/core/clock.ts';
import { demoApplication } from '../../../src/demo/applications.ts';
import { createFaults } from '../../../src/demo/faults.ts';
import { DEFAULT_LIMITS, type DemoLimits } from '../../../src/demo/options.ts';
import { createSessions } from '../../../src/demo/sessions.ts';
import { createSlots } from '../../../src/demo/slots.ts';
import type { Identity } from '../../../src/demo/tokens.ts';

function fakeClock(): Clock & { now(): number; turn(ms: number): void } {
  let now = 1_700_000_000_000;
  return {
    now: () => now,
    turn: (ms) => {
      now += ms;
    },
    sleep: () => Promise.resolve(),
  };
}

const never = new AbortController().signal;
const identity = (tokenId: string): Identity => ({
  tokenId,
  kind: 'service',
  application: demoApplication('my.app/test', 1),
  user: 'backup',
  scopes: ['read'],
  expiresAt: null,
  rights: undefined,
});

describe('slots', () => {
  const slots = (limits: Partial<DemoLimits>, clock = fakeClock()) =>
    createSlots(clock, () => ({ ...DEFAULT_LIMITS, ...limits }));

  test('serve two at once, queue five, and answer 429 to the eighth', async () => {
    const made = slots({});
    const running = [await made.acquire(never), await made.acquire(never)];
    const queued = Array.from({ length: 5 }, () => made.acquire(never));
    await expect(made.acquire(never)).rejects.toMatchObject({ status: 429, headers: {} });
    expect(made.stats()).toMatchObject({ inFlight: 2, queued: 5, maxInFlight: 2, maxQueued: 5 });
    running[0]!.release();
    running[0]!.release();
    await queued[0];
    expect(made.stats()).toMatchObject({ inFlight: 2, queued: 4, maxInFlight: 2 });
  });

  test('give the place of a caller who left to the next one', async () => {
    const made = slots({ slots: 1, queue: 1 });
    const first = await made.acquire(never);
    const leaving = new AbortController();
    const left = made.acquire(leaving.signal);
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    const next = made.acquire(never);
    first.release();
    await next;
    expect(made.stats().inFlight).toBe(1);
  });

  test('are short of what other clients hold, and say when to come again if told to', async () => {
    const made = slots({ others: { slots: 2, queue: 4 }, retryAfterSeconds: 7 });
    const waiting = made.acquire(never);
    await expect(made.acquire(never)).rejects.toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
    expect(made.stats().inFlight).toBe(0);
    waiting.catch(() => undefined);
  });

  test('come free when the others pause', async () => {
    const clock = fakeClock();
    const made = slots({ others: { slots: 2, queue: 0, onMs: 30, offMs: 1000 } }, clock);
    const waiting = made.acquire(never);
    clock.turn(31);
    await waiting;
    expect(made.stats().inFlight).toBe(1);
  });
});

describe('sessions', () => {
  const MINUTE = 60_000;

  test('hold one seat for each token, and give it back after 20 idle minutes', () => {
    const clock = fakeClock();
    const made = createSessions(clock, () => ({ ...DEFAULT_LIMITS, seats: 1 }));
    made.enter(identity('a')).leave();
    clock.turn(19 * MINUTE);
    expect(() => made.enter(identity('b'))).toThrow(/MaximumLicenseCountExceeded/);
    clock.turn(MINUTE);
    made.enter(identity('b')).leave();
    expect(made.stats()).toMatchObject({ open: 1, opened: 2, refused: 1 });
  });

  test('end an hour after they began, however busy', () => {
    const clock = fakeClock();
    const made = createSessions(clock, () => DEFAULT_LIMITS);
    const session = made.enter(identity('a'));
    expect(session.endsAt).toBe(clock.now() + 60 * MINUTE);
    for (let i = 0; i < 6; i++) {
      clock.turn(10 * MINUTE);
      made.enter(identity('a')).leave();
    }
    expect(made.stats().opened).toBe(2);
  });

  test('of a renewed token take a second seat, or go on in the first', () => {
    for (const renewedTokenTakesSeat of [true, false]) {
      const made = createSessions(fakeClock(), () => ({ ...DEFAULT_LIMITS, renewedTokenTakesSeat }));
      made.enter(identity('a')).leave();
      made.enter(identity('b')).leave();
      expect(made.stats().open).toBe(renewedTokenTakesSeat ? 2 : 1);
    }
  });

  test('may have so many requests a minute, and at once', () => {
    const clock = fakeClock();
    const made = createSessions(clock, () => ({ ...DEFAULT_LIMITS, sessionRpm: 2, sessionConcurrent: 1 }));
    const first = made.enter(identity('a'));
    expect(() => made.enter(identity('a'))).toThrow(/SessionConcurrentRequests/);
    first.leave();
    made.enter(identity('a')).leave();
    expect(() => made.enter(identity('a'))).toThrow(/SessionRpm/);
    clock.turn(MINUTE);
    made.enter(identity('a')).leave();
  });
});

describe('faults', () => {
  test('befall the n-th matching request, for so many times, and are recorded', () => {
    const faults = createFaults(1, [{ on: { path: /Gen_Documents/g, nth: 2, times: 2 }, do: 'reset' }], () => 0);
    const hits = Array.from({ length: 5 }, () => faults.match('GET', '/tableapi/odata/Gen_Documents')?.action ?? null);
    expect(hits).toEqual([null, 'reset', 'reset', null, null]);
    expect(faults.match('GET', '/tableapi/odata/Gen_Parties')).toBeNull();
    expect(faults.fired().map((fault) => fault.nth)).toEqual([2, 3]);
  });

  test('without a number befall every request; with a chance, that share of them', () => {
    const every = createFaults(1, [{ on: {}, do: 'hang' }], () => 0);
    expect(every.match('GET', '/')?.action).toBe('hang');
    const some = createFaults(1, [{ on: { chance: 0.3 }, do: 'reset' }], () => 0);
    const hits = Array.from({ length: 1000 }, () => some.match('GET', '/')).filter((hit) => hit !== null).length;
    expect(hits).toBeGreaterThan(240);
    expect(hits).toBeLessThan(360);
  });
});
