import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSecretMask } from '../../../src/core/secret-mask.ts';

const secrets = fc.string({ minLength: 8, maxLength: 60, unit: 'grapheme-ascii' });

describe('a mask of secrets', () => {
  it('leaves no secret in a text, in whichever form it stands there', () => {
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), (secret, before, after) => {
        const { mask } = createSecretMask(secret);
        const bytes = Buffer.from(secret);
        const forms = [secret, encodeURIComponent(secret), bytes.toString('hex'), bytes.toString('base64url')];
        for (const form of forms) expect(mask(`${before}${form}${after}`)).not.toContain(form);
      }),
    );
  });

  it('takes out the longer of two secrets first, so that no rest of it stays', () => {
    const { mask } = createSecretMask('hunter22', 'hunter22-and-more');
    expect(mask('said hunter22-and-more and hunter22')).toBe('said [secret] and [secret]');
  });

  it('knows what is added later, and leaves texts that are too common alone', () => {
    const { add, mask } = createSecretMask('abc');
    expect(mask('abc and token-of-later')).toBe('abc and token-of-later');
    add('token-of-later');
    expect(mask('abc and token-of-later')).toBe('abc and [secret]');
  });
});
