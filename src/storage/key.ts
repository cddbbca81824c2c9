/** Keys of objects: which are allowed, and their order. */
import { TablevaultError } from '../core/errors.ts';

/** S3 takes 1,024 bytes; a prefix must fit too. */
const MAX_KEY_BYTES = 900;
/** File systems take 255 bytes a name. */
const MAX_SEGMENT_BYTES = 255;

/** Control characters, what Windows refuses, and what a glob would interpret. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f\\:*?"<>|[\]{}]/;

/** What is wrong with an object key, or undefined. Segments that begin with a dot belong to the stores themselves. */
export function keyProblem(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (key.startsWith('/')) return 'it is absolute';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  if (FORBIDDEN.test(key)) return 'it holds a control character or one of \\ : * ? " < > | [ ] { }';
  if (Buffer.from(key).toString() !== key) return 'it is not well-formed Unicode';
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment';
    if (segment.startsWith('.')) return 'a segment begins with a dot';
    if (segment.endsWith(' ') || segment.endsWith('.')) return 'a segment ends with a space or a dot';
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `a segment is longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/**
 * The key itself, when it is one that every store takes.
 * @throws TablevaultError `BUG`: keys are made by `vault/layout.ts`, which encodes foreign names.
 */
export function checkedKey(key: string): string {
  const problem = keyProblem(key);
  if (problem !== undefined) {
    throw new TablevaultError('BUG', `${JSON.stringify(key)} cannot be an object's key: ${problem}`, {
      hint: 'Please report this with the name of the table or file it comes from.',
    });
  }
  return key;
}

/** A listing prefix: a key, or the beginning of one, or nothing. */
export function checkedPrefix(prefix: string): string {
  if (prefix !== '') checkedKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
  return prefix;
}

/** The order of UTF-8 bytes, in which S3 lists. */
export function compareKeys(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
