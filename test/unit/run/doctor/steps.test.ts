import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { createExamination, type StepReport } from '../../../../src/run/doctor/steps.ts';

const never = new AbortController().signal;

describe('an examination', () => {
  it('does not try what stands on a step that failed or was not tried, and goes on with the rest', async () => {
    const told: StepReport[] = [];
    const begun: string[] = [];
    const examination = createExamination(
      systemClock,
      never,
      (step) => told.push(step),
      (step) => begun.push(step),
    );
    const fail = async () => {
      throw new TablevaultError('AUTH_CLIENT', 'the secret is wrong', { hint: 'Mend it.' });
    };
    const fine = async () => ({ found: 'fine', value: 7 });
    expect(await examination.step('configuration', [], fine)).toBe(7);
    expect(await examination.step('identity', ['configuration'], fail)).toBeUndefined();
    expect(await examination.step('scope', ['identity'], fine)).toBeUndefined();
    expect(await examination.step('tables', ['scope'], fine)).toBeUndefined();
    expect(await examination.step('destination', ['configuration'], fine)).toBe(7);
    expect(told.map(({ step, status }) => `${step} ${status}`)).toEqual([
      'configuration ok',
      'identity failed',
      'scope not tried',
      'tables not tried',
      'destination ok',
    ]);
    expect(told[1]).toMatchObject({ code: 'AUTH_CLIENT', fix: 'Mend it.', found: 'the secret is wrong' });
    expect(begun).toEqual(['configuration', 'identity', 'destination']);
    expect(examination.exitCode()).toBe(3);
  });

  it('ends with the exit code of the first failure, not the worst or the last', async () => {
    const examination = createExamination(systemClock, never, () => undefined);
    for (const [step, code] of [
      ['name', 'INSTANCE_UNREACHABLE'],
      ['destination', 'DESTINATION_DENIED'],
    ] as const) {
      await examination.step(step, [], async () => {
        throw new TablevaultError(code, 'no');
      });
    }
    expect(examination.exitCode()).toBe(4);
  });

  it('takes a finding with a fix for a warning, which is ground enough for what follows', async () => {
    const examination = createExamination(systemClock, never, () => undefined);
    await examination.step('clock', [], async () => ({ found: 'an hour off', fix: 'Set it.', value: undefined }));
    await examination.step('tables', ['clock'], async () => ({ found: 'all', value: undefined }));
    expect(examination.steps.map(({ status }) => status)).toEqual(['warning', 'ok']);
    expect(examination.exitCode()).toBe(0);
  });

  it('is left at once when it is interrupted', async () => {
    const stop = new AbortController();
    const examination = createExamination(systemClock, stop.signal, () => undefined);
    const step = examination.step('name', [], async () => {
      stop.abort(new TablevaultError('INTERRUPTED', 'stopped'));
      throw new Error('what the interrupted work says');
    });
    await expect(step).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});
