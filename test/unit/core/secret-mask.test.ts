import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSecretMask } from '../../../src/core/secret-mask.ts';

const secrets = fc.oneof(
  fc.string({ minLength: 8, maxLength: 60, unit: 'grapheme-ascii' }),
  fc.string({ minLength: 8, maxLength: 30, unit: fc.constantFrom(...'aZ09+/=&%$ "\'\\<>!~*()-_.üß€😀\n') }),
);

/** An encoder: a text as it says it; `coin` decides what an encoder is free to choose. */
type Encoder = (text: string, coin: () => boolean) => string;

const eitherCase = (digits: string, coin: () => boolean) =>
  [...digits].map((digit) => (coin() ? digit.toUpperCase() : digit.toLowerCase())).join('');
const hexBytes = (char: string) => [...Buffer.from(char)].map((byte) => byte.toString(16).padStart(2, '0'));

/** Escapes of characters. Each leaves alone what it may; none leaves a character that would be read as an escape. */
const escapes: Readonly<Record<string, Encoder>> = {
  percent: (text, coin) =>
    Array.from(text, (char) => {
      if (char === ' ' && coin()) return '+';
      if (/[a-z0-9]/i.test(char) ? coin() : /[^%+ ]/.test(char) && char < '\x7f' && coin()) return char;
      return hexBytes(char)
        .map((digits) => `%${eitherCase(digits, coin)}`)
        .join('');
    }).join(''),
  json: (text, coin) =>
    Array.from(text, (char) => {
      if (char === '/' || ((char === '"' || char === '\\') && coin())) return `\\${char}`;
      return char < ' ' || char === '"' || char === '\\' || coin() ? unicode(char, coin) : char;
    }).join(''),
  html: (text, coin) =>
    Array.from(text, (char) => {
      const name = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }[char];
      if (name !== undefined && coin()) return `&${name};`;
      if (char !== '&' && coin()) return char;
      const code = char.codePointAt(0)!;
      return coin() ? `&#${code};` : `&#${coin() ? 'x' : 'X'}${eitherCase(code.toString(16), coin)};`;
    }).join(''),
};

function unicode(char: string, coin: () => boolean): string {
  const units = char.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
  return units.map((digits) => `\\u${eitherCase(digits, coin)}`).join('');
}

/** Encodings of a whole text. */
const wholes: Readonly<Record<string, Encoder>> = {
  asItIs: (text) => text,
  hexadecimal: (text, coin) => eitherCase(Buffer.from(text).toString('hex'), coin),
  base64: (text, coin) => Buffer.from(text).toString(coin() ? 'base64' : 'base64url'),
  basic: (text, coin) => Buffer.from(`my.app%2Fbackup:${text}`).toString(coin() ? 'base64' : 'base64url'),
  basicOfUrl: (text) => Buffer.from(`id:${encodeURIComponent(text)}`).toString('base64'),
  basicOfForm: (text, coin) => {
    const form = new URLSearchParams([['', text]]).toString().slice(1);
    const lower = form.replaceAll(/%../g, (found) => found.toLowerCase());
    return Buffer.from(`id-2:${coin() ? form : lower}:more`).toString('base64');
  },
};

describe('a mask of secrets', () => {
  it('leaves no secret in a text, in any of the encodings, in either case of hexadecimal digits, three one in another', () => {
    const layers = fc.array(fc.constantFrom(...Object.values(escapes)), { maxLength: 3 });
    const whole = fc.constantFrom(...Object.values(wholes));
    fc.assert(
      fc.property(secrets, whole, layers, fc.infiniteStream(fc.boolean()), (secret, encode, around, coins) => {
        const coin = () => coins.next().value === true;
        const said = around.reduce((text, layer) => layer(text, coin), encode(secret, coin));
        const shown = createSecretMask(secret).mask(`‹${said}›`);
        // Of the text around a secret in base64, up to a group of digits on each side may go with it.
        expect(shown).toContain('[secret]');
        const rest = shown.replaceAll('[secret]', '');
        for (let at = 0; at + 6 <= secret.length; at += 1) {
          const piece = secret.slice(at, at + 6);
          for (const form of [
            piece,
            encodeURIComponent(Buffer.from(piece).toString()),
            Buffer.from(piece).toString('hex'),
          ]) {
            expect(rest.toLowerCase()).not.toContain(form.toLowerCase());
          }
        }
        if (encode === wholes['asItIs'] || encode === wholes['hexadecimal'] || encode === wholes['base64']) {
          expect(shown).toBe('‹[secret]›');
        }
      }),
      { numRuns: 1500 },
    );
  });

  it.each([
    ['.NET UrlEncode', 'k3+Zp/9xQw==Tt7aMn5', 'refused: k3%2bZp%2f9xQw%3d%3dTt7aMn5', 'refused: [secret]'],
    ['JSON of .NET', 'k3+Zp/9xQw==Tt7aMn5', '"k3\\u002BZp/9xQw==Tt7aMn5"', '"[secret]"'],
    ['JSON in JSON', 'a "quoted" one', '"{\\"s\\":\\"a \\\\\\"quoted\\\\\\" one\\"}"', '"{\\"s\\":\\"[secret]\\"}"'],
    ['a page', 'a&b<c>d"e+f', 'no: a&amp;b&lt;c&gt;d&quot;e&#x2B;f.', 'no: [secret].'],
    ['a URL in a URL', 'k3+Zp/9xQw==', 'back=k3%252BZp%252F9xQw%253D%253D&x', 'back=[secret]&x'],
    ['an escape that is the secret itself', 'a%41+b%2Bc', 'a%41\\u002Bb%2Bc', '[secret]'],
  ])('masks %s and nothing beside it', (_name, secret, text, shown) => {
    expect(createSecretMask(secret).mask(text)).toBe(shown);
  });

  it('leaves a text without a secret as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab%2f\\u00&#;+ "') }), (text) => {
        expect(createSecretMask('correct-horse-battery').mask(text)).toBe(text);
      }),
    );
  });

  it('takes time in proportion to the text, whatever is escaped in it', () => {
    const { mask } = createSecretMask('k3+Zp/9xQw==Tt7aMn5', 'another&secret"of%many');
    const hostile = '%25252B\\\\\\"&amp;amp;#x2B;'.repeat(4_000);
    const begun = performance.now();
    mask(hostile);
    expect(performance.now() - begun).toBeLessThan(5_000);
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
