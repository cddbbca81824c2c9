/** Takes secrets out of texts, in any form in which a server or a message may say them. */

export interface SecretMask {
  /** From now on `value` is taken out, in every encoding. Values shorter than 4 characters are too common to be replaced. */
  add(value: string): void;
  /** The text with `[secret]` in place of every secret. */
  mask(text: string): string;
}

export const MASK = '[secret]';
const SHORTEST = 4;

export function createSecretMask(...values: readonly string[]): SecretMask {
  const forms = new Set<string>();
  /** A form may be a part of another. */
  let longestFirst: readonly string[] = [];
  const add = (value: string) => {
    if (value.length < SHORTEST) return;
    for (const form of secretForms(value)) forms.add(form);
    longestFirst = [...forms].sort((a, b) => b.length - a.length);
  };
  for (const value of values) add(value);
  return { add, mask: (text) => longestFirst.reduce((rest, form) => rest.replaceAll(form, MASK), text) };
}

/** The value raw, as JSON, URL-encoded, as hexadecimal, and the part of its base64 that is the same at any offset in a longer text. */
function secretForms(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'utf8');
  const encoded = encodeURIComponent(bytes.toString('utf8'));
  const base64 = [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString('base64');
    const core = whole.slice(offset === 0 ? 0 : 4);
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const derived = [
    JSON.stringify(value).slice(1, -1),
    encoded,
    encoded.toLowerCase(),
    encoded.replaceAll('%20', '+'),
    // As a form has it.
    new URLSearchParams({ '': value }).toString().slice(1),
    encoded.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    ...base64,
  ];
  return [value, ...derived.filter((form) => form.length >= 6)];
}
