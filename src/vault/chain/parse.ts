/** Objects of a vault from their bytes: what cannot be read is damage, and says so. */
import type { z } from 'zod';
import { TablevaultError } from '../../core/errors.ts';

/**
 * Stored JSON, checked by a schema and returned as it was stored: members that this version does not know stay, since the
 * bytes of an outcome must come out the same when a later version finishes its commit.
 * @throws TablevaultError `VAULT_CORRUPT` naming the object and the first faults.
 */
export function parseObject<T>(schema: z.ZodType<T>, bytes: Uint8Array, key: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw corruptObject(key, 'it is not JSON in UTF-8', error);
  }
  const version = formatVersionOf(value);
  if (version !== undefined && version > 1) {
    throw new TablevaultError(
      'VAULT_CORRUPT',
      `${key} has format version ${version}; this tablevault reads version 1`,
      {
        at: { object: key },
        hint: 'The vault was written by a newer tablevault: update this one.',
      },
    );
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw corruptObject(key, issuesOf(parsed.error), parsed.error);
  return value as T;
}

function corruptObject(key: string, what: string, cause: unknown): TablevaultError {
  return new TablevaultError('VAULT_CORRUPT', `${key} cannot be read: ${what}`, {
    at: { object: key },
    cause,
    hint: 'It was damaged or not written by tablevault. Run `tablevault verify`; restore the object from a copy of the vault if you have one.',
  });
}

function formatVersionOf(value: unknown): number | undefined {
  const version =
    typeof value === 'object' && value !== null && 'formatVersion' in value ? value.formatVersion : undefined;
  return typeof version === 'number' ? version : undefined;
}

/** The first three faults, `path: message`. */
function issuesOf(error: z.ZodError): string {
  const texts = error.issues.slice(0, 3).map((issue) => `${issue.path.join('.') || 'the object'}: ${issue.message}`);
  const more = error.issues.length - texts.length;
  return texts.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
