import { expect, it, vi } from 'vitest';
import { anySignal } from '../../../src/core/signals.ts';

it('a signal of several aborts with the first of them, and as many may listen as like', async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const signal = anySignal([one.signal, other.signal]);
  const [heard, warned] = [vi.fn(), vi.fn()];
  process.on('warning', warned);
  for (let n = 0; n < 20; n++) signal.addEventListener('abort', () => heard());
  other.abort('enough');
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', warned);
  expect(signal.reason).toBe('enough');
  expect(heard).toHaveBeenCalledTimes(20);
  expect(warned).not.toHaveBeenCalled();
});
