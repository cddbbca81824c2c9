import { expect, it } from 'vitest';
import { createMemoryStore } from '../../src/storage/memory.ts';
import { tortureAnswers, wrappedStores } from './answers.ts';
import { figuresTable } from './lib/figures.ts';
it('answers', async () => {
  const f = await tortureAnswers('memory', wrappedStores(async () => ({ store: createMemoryStore(), end: async () => {} })), { seed: 1, count: 500, untilMs: Date.now() + 60_000 });
  process.stdout.write(figuresTable([f]));
  expect(f.done).toBeGreaterThan(0);
});
