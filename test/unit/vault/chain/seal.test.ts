import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseSealed, sealedBytes } from '../../../../src/vault/chain/seal.ts';

const schema = z.object({ name: z.string(), count: z.number() });

describe('a sealed object', () => {
  it('comes back as it was, with members that this version does not know', () => {
    const value = { name: 'ä', count: 1, later: [1, { a: null }] };
    expect(parseSealed(schema, sealedBytes(value), 'k')).toEqual(value);
  });

  it('is not read with any bit flipped, cut anywhere, or with anything added', () => {
    const bytes = sealedBytes({ name: 'Gen_Documents', count: 12 });
    const refused = expect.objectContaining({ code: 'VAULT_CORRUPT', at: { object: 'k' } });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const flipped = Uint8Array.from(bytes);
        flipped[at] = flipped[at]! ^ (1 << bit);
        expect(() => parseSealed(schema, flipped, 'k')).toThrow(refused);
        expect(() => parseSealed(schema, bytes.subarray(0, at), 'k')).toThrow(refused);
      }),
    );
    expect(() => parseSealed(schema, Buffer.concat([bytes, Buffer.from(' ')]), 'k')).toThrow(refused);
    expect(() => parseSealed(schema, Buffer.from('{"name":"x","count":1}'), 'k')).toThrow(refused);
  });
});
