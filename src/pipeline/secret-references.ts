/**
 * `${env:NAME}`, `${file:path}` and `${aws-secret:NAME}`: how a pipeline names what does not belong into it. They are resolved only as whole values.
 * A text that merely contains `${` is an error, never taken as it stands.
 */
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { Secret } from '../core/secret.ts';
import { plural } from '../core/words.ts';
import { readAwsSecret } from './aws-secret.ts';
import type { Problem } from './problems.ts';

const REFERENCE =
  /^\$\{(?:env:(?<name>[A-Za-z_][A-Za-z0-9_]*)|file:(?<path>[^{}]+)|aws-secret:(?<secret>[^{}#\s]+)(?:#(?<field>[^{}#\s]+))?)\}$/;

/** The same rule for JSON Schema, whose readers do not all know named groups. */
export const REFERENCE_PATTERN = REFERENCE.source.replaceAll(/\?<\w+>/g, '');

/** A credential is never longer; a larger file is the wrong one. */
const MAX_SECRET_BYTES = 65_536;

export interface ReferenceContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths count from here: the pipeline's folder. */
  readonly folder: string;
}

export function isReference(value: string): boolean {
  return REFERENCE.test(value);
}

/** The value a reference stands for, or the text itself when it holds none. */
export async function resolveText(
  value: string,
  path: readonly PropertyKey[],
  context: ReferenceContext,
): Promise<string | Problem> {
  if (!value.includes('${')) return value;
  if (!isReference(value)) {
    return {
      code: 'CONFIG_INVALID',
      path,
      message: `mixes text with a reference; a reference must be the whole value, \${env:NAME}, \${file:path} or \${aws-secret:NAME}`,
    };
  }
  const found = await readReference(value, path, context);
  return typeof found === 'string' ? found.trim() : found;
}

/**
 * A client secret that a reference stands for: any printable characters, spaces among them, also at its ends. A line break at its end, which
 * editors leave, is not part of it.
 * @see RFC 6749 appendix A.2
 */
export async function resolveClientSecret(
  value: string,
  path: readonly PropertyKey[],
  context: ReferenceContext,
): Promise<Secret | Problem> {
  const found = await readReference(value, path, context);
  if (typeof found !== 'string') return found;
  if (!/\p{Cc}/u.test(found)) return new Secret(found);
  return missing(
    path,
    `of ${value} holds a line break or another character that cannot be printed`,
    'Store the secret alone, as it was registered.',
  );
}

/** A token that a reference stands for: it goes into a header as it is. White space at its ends is not part of it. */
export async function resolveToken(
  value: string,
  path: readonly PropertyKey[],
  context: ReferenceContext,
): Promise<Secret | Problem> {
  const secret = await resolveSecretText(value, path, context);
  if (!(secret instanceof Secret)) return secret;
  if (!/^[\x21-\x7e]+$/.test(secret.reveal())) {
    return missing(
      path,
      `of ${value} holds a space, a line break or a character outside ASCII`,
      'Store the credential alone, as it was issued.',
    );
  }
  return secret;
}

/** As `resolveToken`, of secrets that may have several lines. */
export async function resolveSecretText(
  value: string,
  path: readonly PropertyKey[],
  context: ReferenceContext,
): Promise<Secret | Problem> {
  const found = await readReference(value, path, context);
  return typeof found === 'string' ? new Secret(found.trim()) : found;
}

/** What the reference stands for, not blank, and without line breaks at its end. */
async function readReference(
  value: string,
  path: readonly PropertyKey[],
  context: ReferenceContext,
): Promise<string | Problem> {
  const groups = REFERENCE.exec(value)?.groups;
  const name = groups?.['name'];
  if (name !== undefined) {
    const found = context.env[name];
    if (found !== undefined && found.trim() !== '') return withoutLineEnd(found);
    const state = found === undefined ? 'not set' : 'empty';
    return missing(path, `needs the environment variable ${name}, which is ${state}`, `Set ${name} and run again.`);
  }
  const secret = groups?.['secret'];
  if (secret !== undefined) {
    const found = await readAwsSecret(secret, groups?.['field']);
    if ('problem' in found) return missing(path, `needs the AWS secret ${secret}, which ${found.problem}`, found.hint);
    return found.value.trim() !== ''
      ? withoutLineEnd(found.value)
      : missing(path, `needs the AWS secret ${secret}, which is empty`, 'Store the value.');
  }
  const written = groups?.['path']?.trim() ?? '';
  const file = isAbsolute(written) ? written : resolve(context.folder, written);
  try {
    const { size } = await stat(file);
    if (size > MAX_SECRET_BYTES)
      return missing(
        path,
        `needs ${file}, which is ${plural(size, 'byte')} long`,
        'Name the file that holds the value alone.',
      );
    const found = (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
    if (found.trim() !== '') return withoutLineEnd(found);
    return missing(path, `needs ${file}, which is empty`, 'Write the value into the file.');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    return missing(path, `needs ${file}, which cannot be read (${reason})`, 'Check the path and its rights.');
  }
}

/** Editors and `echo` end a text with line breaks. */
function withoutLineEnd(text: string): string {
  return text.replace(/[\r\n]+$/, '');
}

function missing(path: readonly PropertyKey[], message: string, hint: string): Problem {
  return { code: 'SECRET_MISSING', path, message, hint };
}
