import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consistencyOf } from '../../../src/scan/consistency.ts';
import type { Proof } from '../../../src/scan/end.ts';

const PROVING: readonly Proof[] = ['boundary', 'closing-read', 'empty', 'count', 'split-count'];
const NOT_PROVING: readonly Proof[] = ['short-page', 'none'];

describe('a table', () => {
  it('is exact when it has a key, every end is proven, and no row can have come twice', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PROVING), { minLength: 1 }), (proofs) => {
        expect(consistencyOf({ keyed: true, proofs })).toBe('exact');
        expect(consistencyOf({ keyed: false, proofs })).toBe('best-effort');
        expect(consistencyOf({ keyed: true, proofs, duplicatesRuledOut: false })).toBe('best-effort');
      }),
    );
  });

  it('is not exact as soon as one of its reads has no proof', () => {
    const some = fc.array(fc.constantFrom(...PROVING));
    fc.assert(
      fc.property(some, fc.constantFrom(...NOT_PROVING), some, (before, missing, after) => {
        expect(consistencyOf({ keyed: true, proofs: [...before, missing, ...after] })).toBe('best-effort');
      }),
    );
  });
});
