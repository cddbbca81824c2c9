import { describe, expect, it } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import { NO_HISTORY, nextStep } from '../../../src/instance/retry.ts';
import { TRANSPORT_DEFAULTS } from '../../../src/instance/transport-options.ts';

describe('a wait for a licence seat', () => {
  const verdict = { kind: 'seats', error: new TablevaultError('INSTANCE_SEATS', 'all seats are taken') } as const;
  const step = (deadlineAt: number, now = 0, history = NO_HISTORY) =>
    nextStep({ verdict, history, policy: TRANSPORT_DEFAULTS.retry, now, deadlineAt, contacted: true, random: 0 });

  it('says how long it lasts at most, and how a seat comes free sooner, in the same words each time', () => {
    const first = step(8 * 3_600_000);
    expect(first).toMatchObject({
      do: 'pause',
      reason: expect.stringMatching(
        /no licence seat is free .*after 30 min at most the command gives up; .*after 20 minutes, sooner if/,
      ),
    });
    if (first.do !== 'pause') throw new Error('no pause');
    expect(step(8 * 3_600_000, 60_000, first.history)).toMatchObject({ do: 'pause', reason: first.reason });
  });

  it('lasts no longer than the run may', () => {
    expect(step(600_000)).toMatchObject({ reason: expect.stringContaining('after 10 min at most') });
  });
});
