/** A minute of `make torture`; see docs/reliability.md for the whole. */
import { describe, expect, it } from 'vitest';
import { tortureAnswers, wrappedStores } from '../torture/answers.ts';
import { tortureCanaries } from '../torture/canaries.ts';
import { tortureDamage } from '../torture/damage.ts';
import { tortureDiskFaults, torturePowerCuts } from '../torture/disk.ts';
import { tortureInterleavings } from '../torture/interleave.ts';
import { FOLDER_TARGET, tortureKills, tortureSteps } from '../torture/kills.ts';
import type { Budget, Figures } from '../torture/lib/figures.ts';
import { folderStore, memoryStore, memoryTurns } from '../torture/lib/stores.ts';

/** Another seed every day, so that bad luck adds up; the failing one is named by each fault. */
const seed = Math.floor(Date.now() / 86_400_000);
const budget = (count: number, seconds: number): Budget => ({ seed, count, untilMs: Date.now() + seconds * 1000 });

const PARTS: readonly (readonly [string, () => Promise<Figures>])[] = [
  ['kill -9 at random moments', () => tortureKills('kills', FOLDER_TARGET, budget(4, 12))],
  ['kill -9 at steps of a run', () => tortureSteps(budget(4, 12))],
  ['power cuts', () => torturePowerCuts(budget(500, 6))],
  ['disk faults', () => tortureDiskFaults(budget(100, 5))],
  ['lost answers', () => tortureAnswers('memory', wrappedStores(memoryStore), budget(50, 4))],
  ['lost answers on a folder', () => tortureAnswers('folder', wrappedStores(folderStore), budget(20, 4))],
  ['damage', () => tortureDamage('damage', memoryStore, budget(100, 5))],
  ['interleavings', () => tortureInterleavings('interleavings', memoryTurns, budget(40, 6))],
  ['canary secrets', () => tortureCanaries(budget(12, 25))],
];

describe('a minute of torture', () => {
  it.each(PARTS)('by %s finds nothing', async (_name, torture) => {
    const figures = await torture();
    expect(figures.faults).toEqual([]);
    expect(figures.done).toBeGreaterThan(0);
  });
});
