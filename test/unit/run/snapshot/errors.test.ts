import { describe, expect, it } from 'vitest';
import { deadlinePassed } from '../../../../src/core/deadline.ts';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { interrupted, withNextStep } from '../../../../src/run/snapshot/errors.ts';

const BY_SIGNAL = new TablevaultError('INTERRUPTED', 'interrupted by SIGINT', { at: { table: 'T' } });

describe('what to do after a run was ended from outside', () => {
  it.each([
    [true, false, 'Run the same command again: it continues where it stopped.'],
    [true, true, 'Run the command again without --fresh: it continues where it stopped.'],
    [false, false, 'Run the same command again.'],
    [false, true, 'Run the same command again.'],
  ])('is to continue only where something was read (read: %s, fresh: %s)', (read, fresh, hint) => {
    for (const error of [BY_SIGNAL, interrupted(new Error('aborted'))])
      expect(withNextStep(error, { read, fresh })).toMatchObject({ code: 'INTERRUPTED', hint });
    expect(withNextStep(BY_SIGNAL, { read, fresh })).toMatchObject({ message: BY_SIGNAL.message, at: { table: 'T' } });
  });

  it('is to raise the deadline, and to run again only where something was read', () => {
    const hint = (read: boolean) => (withNextStep(deadlinePassed(), { read, fresh: false }) as TablevaultError).hint;
    expect(hint(true)).toBe('Raise limits.deadline, or run again: it continues where it stopped.');
    expect(hint(false)).toBe('Raise limits.deadline.');
  });

  it('is what any other error says', () => {
    const other = new TablevaultError('LOCKED', 'lost', { hint: 'Wait.' });
    expect(withNextStep(other, { read: true, fresh: false })).toBe(other);
  });
});
