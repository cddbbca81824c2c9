/**
 * The last line of defence for credentials: `Secret` keeps them out of text by construction, and this takes out what slipped
 * through, in any form a message may carry it. It is applied to everything printed but data rows.
 */

export interface Redactor {
  /** From now on `value` is taken out, in every encoding. Values shorter than 4 characters are too common to be replaced. */
  add(value: string): void;
  redact(text: string): string;
}

const MASK = '[secret]';

/** Texts that are credentials by their look, whether or not this process knows them. */
const LOOKS_SECRET: readonly RegExp[] = [
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /\benrt_[\w.~+/=-]+/gi,
  /(?<=\bbearer\s+)[\w.~+/=-]{8,}/gi,
  /(?<=\bclient_secret=)[^&\s"']+/gi,
  /(?<=\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:]*:)[^\s/@]+(?=@)/gi,
];

/** Environment variables whose values are credentials of this process. */
const SECRET_VARIABLES = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;

export function createRedactor(env: Readonly<Record<string, string | undefined>> = {}): Redactor {
  const forms = new Set<string>();
  let longestFirst: readonly string[] = [];
  const add = (value: string) => {
    if (value.length < 4) return;
    for (const form of formsOf(value)) forms.add(form);
    longestFirst = [...forms].sort((a, b) => b.length - a.length);
  };
  for (const name of SECRET_VARIABLES) add(env[name] ?? '');
  return {
    add,
    redact: (text) => {
      const known = longestFirst.reduce((rest, form) => rest.replaceAll(form, MASK), text);
      return LOOKS_SECRET.reduce((rest, pattern) => rest.replace(pattern, MASK), known);
    },
  };
}

/** The value raw, as JSON, URL-encoded, as hexadecimal, and the part of its base64 that is the same at any offset in a longer text. */
function formsOf(value: string): string[] {
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
    encoded.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    ...base64,
  ];
  return [value, ...derived.filter((form) => form.length >= 6)];
}
