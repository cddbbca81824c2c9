import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Proof } from '../../../src/scan/facts.ts';
import { type TaskEvidence, verdictOf } from '../../../src/scan/verdict.ts';

const BY_KEY: readonly Proof[] = ['boundary', 'closing-read', 'empty', 'split'];
const task = (proof: Proof, more: Partial<TaskEvidence> = {}): TaskEvidence => ({
  proof,
  evidence: proof === 'count' || proof === 'none' ? `why ${proof}` : null,
  duplicatesRuledOut: true,
  ...more,
});
const tasks = (...proofs: readonly Proof[]) =>
  fc.array(
    fc.constantFrom(...proofs).map((proof) => task(proof)),
    { minLength: 1 },
  );

describe('a table', () => {
  it('is exact when it has a key, every end is proven by it, no row can have come twice, and no question is open', () => {
    fc.assert(
      fc.property(tasks(...BY_KEY), (some) => {
        expect(verdictOf({ keyed: true, keyProblem: null, tasks: some, open: [] })).toEqual({
          consistency: 'exact',
          reasons: [],
        });
        expect(verdictOf({ keyed: false, keyProblem: 'it has no key', tasks: some, open: [] }).consistency).not.toBe(
          'exact',
        );
        expect(verdictOf({ keyed: true, keyProblem: null, tasks: some, open: ['is it?'] })).toEqual({
          consistency: 'best-effort',
          reasons: ['is it?'],
        });
        const mixed = [...some, task('split', { duplicatesRuledOut: false })];
        expect(verdictOf({ keyed: true, keyProblem: null, tasks: mixed, open: [] }).consistency).toBe('best-effort');
      }),
    );
  });

  it('is counted as soon as one of its reads is, and best-effort as soon as one is neither; each with its reason', () => {
    fc.assert(
      fc.property(tasks(...BY_KEY, 'count'), fc.boolean(), (some, keyed) => {
        const counted = verdictOf({ keyed, keyProblem: 'no filters', tasks: [...some, task('count')], open: [] });
        expect(counted.consistency).toBe('counted');
        expect(counted.reasons).toEqual(expect.arrayContaining(['no filters', 'why count']));
        const none = verdictOf({ keyed, keyProblem: 'no filters', tasks: [task('none'), ...some], open: [] });
        expect(none.consistency).toBe('best-effort');
        expect(none.reasons).toContain('why none');
      }),
    );
  });
});
