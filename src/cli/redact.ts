/**
 * The last line of defence for credentials: `Secret` keeps them out of text by construction, and this takes out what slipped
 * through, in any form a message may carry it. It is applied to everything printed but data rows.
 */
import { secretForms } from '../core/secret-forms.ts';

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
    for (const form of secretForms(value)) forms.add(form);
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
