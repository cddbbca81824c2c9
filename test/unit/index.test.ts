import { expect, it } from 'vitest';

it('the public surface is small and does not grow by accident', async () => {
  const surface = await import('../../src/index.ts');
  expect(Object.keys(surface).sort()).toEqual([
    'EXIT',
    'Secret',
    'TablevaultError',
    'readPipeline',
    'runSnapshot',
    'systemClock',
  ]);
});
