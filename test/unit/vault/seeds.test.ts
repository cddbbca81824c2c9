/** Seeds of `make torture` that once found something. */
import { describe, expect, it } from 'vitest';
import { tortureInterleavings } from '../../torture/interleave.ts';
import { memoryTurns } from '../../torture/lib/stores.ts';

describe('an order of store calls that once went wrong', () => {
  it.each([
    // A snapshot that was published, retired and swept while verify listed the chain was said to be missing.
    1.0551,
    // A commit between prune's looks at outcome.json and done.json was taken for a swept one, and its parts went.
    2.0009,
    // A snapshot that was committed between two listings, with those before it retired, left a vault that seemed empty.
    1.0132,
    // A live manifest that another prune swept meanwhile had protected the parts of a run that was not known yet.
    5.0578,
  ])('goes right: seed %d', async (seed) => {
    const figures = await tortureInterleavings('seeds', memoryTurns, { seed, count: 1, untilMs: Date.now() + 20_000 });
    expect(figures.faults).toEqual([]);
    expect(figures.done).toBe(1);
  });
});
