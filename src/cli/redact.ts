/**
 * The last line of defence for credentials: `Secret` keeps them out of text by construction, and this takes out what slipped
 * through, in any form a message may carry it. It is applied to everything printed but data rows.
 */
import { createSecretMask, MASK } from '../core/secret-mask.ts';

export interface Redactor {
  /** From now on `value` is taken out, in every encoding. */
  add(value: string): void;
  redact(text: string): string;
}

/** Texts that are credentials by their look, whether or not this process knows them. */
const LOOKS_SECRET: readonly RegExp[] = [
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /\benrt_[\w.~+/=-]+/gi,
  /(?<=\bbearer\s+)[\w.~+/=-]{8,}/gi,
  /(?<=\bclient_secret=)[^&\s"']+/gi,
  // A password in an address may hold any character, also those that should be escaped there. As a path it has one slash.
  /(?<=\b[a-z][a-z0-9+.-]*:\/{1,2}[^\s/@:]*:)[^\s"'<>]+(?=@)/gi,
];

/** Environment variables whose values are credentials of this process. */
const SECRET_VARIABLES = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;

/** Shorter values are no keys of a real store, such as the `test` of emulators: they protect nothing, and are parts of ordinary words and paths. */
const SHORTEST_KEY = 8;

export function createRedactor(env: Readonly<Record<string, string | undefined>> = {}): Redactor {
  const { add, mask } = createSecretMask();
  for (const name of SECRET_VARIABLES) {
    const value = env[name] ?? '';
    if (value.length >= SHORTEST_KEY) add(value);
  }
  return {
    add,
    redact: (text) => LOOKS_SECRET.reduce((rest, pattern) => rest.replace(pattern, MASK), mask(text)),
  };
}
