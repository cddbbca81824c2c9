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
  /(?<=\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:]*:)[^\s/@]+(?=@)/gi,
];

/** Environment variables whose values are credentials of this process. */
const SECRET_VARIABLES = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;

export function createRedactor(env: Readonly<Record<string, string | undefined>> = {}): Redactor {
  const { add, mask } = createSecretMask();
  for (const name of SECRET_VARIABLES) add(env[name] ?? '');
  return {
    add,
    redact: (text) => LOOKS_SECRET.reduce((rest, pattern) => rest.replace(pattern, MASK), mask(text)),
  };
}
