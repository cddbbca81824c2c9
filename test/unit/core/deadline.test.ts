import { expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { startDeadline } from '../../../src/core/deadline.ts';

test('a deadline aborts with DEADLINE when its time is up, and not before', async () => {
  const deadline = startDeadline(30, systemClock);
  expect(deadline.signal.aborted).toBe(false);
  await systemClock.sleep(60);
  expect(deadline.signal.reason).toMatchObject({ code: 'DEADLINE', exitCode: 4 });
});

test('a deadline that was stopped never aborts', async () => {
  const deadline = startDeadline(20, systemClock);
  deadline.stop();
  await systemClock.sleep(50);
  expect(deadline.signal.aborted).toBe(false);
});

test('a deadline of months does not fall due at once', async () => {
  const deadline = startDeadline(60 * 24 * 3600_000, systemClock);
  await systemClock.sleep(20);
  expect(deadline.signal.aborted).toBe(false);
  deadline.stop();
});
