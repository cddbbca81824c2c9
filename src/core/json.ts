/** Canonical JSON: one text for one value, so that hashes can be compared. */
import { TablevaultError } from './errors.ts';

/**
 * JSON in one spelling: members sorted by name, no white space, a line end. The same value gives the same bytes in every
 * process, so that two processes that finish the same commit write the same object.
 */
export function canonicalJson(value: unknown): string {
  return `${write(value)}\n`;
}

export function canonicalBytes(value: unknown): Uint8Array {
  return Buffer.from(canonicalJson(value));
}

function write(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw notJson(String(value));
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item === undefined ? null : item)).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${write(member)}`);
    return `{${members.join(',')}}`;
  }
  throw notJson(typeof value);
}

function notJson(what: string): TablevaultError {
  return new TablevaultError('BUG', `a value of the kind ${what} cannot be written as JSON`, {
    hint: 'Please report this; nothing was stored.',
  });
}
