import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../../src/cli/redact.ts';

describe('the redactor', () => {
  it('takes out a known secret, raw and in every usual encoding, wherever it stands', () => {
    const secret = fc.string({ unit: fc.constantFrom(...'abcXYZ019+/=&%$ "\\ü'), minLength: 8, maxLength: 40 });
    const around = fc.string({ unit: fc.constantFrom(...'xyz 12'), maxLength: 7 });
    fc.assert(
      fc.property(secret, around, around, (value, before, after) => {
        const { add, redact } = createRedactor();
        add(value);
        const forms = [
          value,
          encodeURIComponent(value),
          new URLSearchParams({ v: value }).toString().slice(2),
          JSON.stringify(value).slice(1, -1),
          Buffer.from(value).toString('base64'),
          Buffer.from(value).toString('base64url'),
          Buffer.from(value).toString('hex'),
        ];
        for (const form of forms) expect(redact(`${before}|${form}|${after}`)).toBe(`${before}|[secret]|${after}`);
      }),
    );
  });

  it('takes out a known secret inside a longer base64 text, at any offset', () => {
    const { add, redact } = createRedactor();
    add('correct-horse-battery-staple');
    for (const before of ['', 'a', 'ab', 'abc', 'user:']) {
      const text = Buffer.from(`${before}correct-horse-battery-staple:after`).toString('base64');
      const shown = redact(text);
      expect(shown).toContain('[secret]');
      expect(Buffer.from(shown.replaceAll('[secret]', ''), 'base64').toString()).not.toContain('horse');
    }
  });

  it('knows what looks like a credential without having seen it', () => {
    const { redact } = createRedactor();
    const jwt = ['eyJhbGciOiJSUzI1NiJ9', 'eyJzdWIiOiJ4In0abc', 'c2lnbmF0dXJl'].join('.');
    const texts = [
      `token ${jwt} refused`,
      `got enrt_${'a1b2'.repeat(8)} here`,
      'Authorization: Bearer abcdefghijkl',
      'client_id=x&client_secret=hunter2&scope=read',
      'proxy http://user:hunter2@proxy:3128 failed',
      'to /vaults/postgres:/user:hunter2@host/db',
    ];
    for (const text of texts) expect(redact(text)).toContain('[secret]');
    expect(redact(texts.join(' '))).not.toMatch(/hunter2|c2lnbmF0dXJl|a1b2|abcdefghijkl/);
  });

  it('knows the AWS credentials of the environment', () => {
    const { redact } = createRedactor({ AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI' });
    expect(redact('signed with wJalrXUtnFEMI')).toBe('signed with [secret]');
  });

  it('takes the key of an emulator, which protects nothing, for the ordinary word that it is', () => {
    const { redact } = createRedactor({ AWS_SECRET_ACCESS_KEY: 'test' });
    expect(redact('/srv/test/vault')).toBe('/srv/test/vault');
  });

  it('takes the password out of an address, whatever characters it holds', () => {
    const { redact } = createRedactor();
    const password = fc.string({ unit: fc.constantFrom(...'abc12/:?#@%+&=!$'), minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(password, (secret) => {
        expect(redact(`(target postgres://u:${secret}@db.example:5432/x)`)).toBe(
          '(target postgres://u:[secret]@db.example:5432/x)',
        );
      }),
    );
  });

  it('leaves ordinary text as it is', () => {
    const { add, redact } = createRedactor({ AWS_SECRET_ACCESS_KEY: '' });
    add('');
    add('abc');
    const text = 'backup.yaml, line 3: abc https://demodb.my.erp.net/tableapi?$top=5 [CONFIG_INVALID, exit 2]';
    expect(redact(text)).toBe(text);
  });
});
