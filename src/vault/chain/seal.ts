/** Seals: objects of a vault that carry their own hash. */
import type { z } from 'zod';
import { sha256Hex } from '../../core/digest.ts';
import { TablevaultError } from '../../core/errors.ts';
import { canonicalBytes, canonicalJson } from '../../core/json.ts';
import { parseObject } from './parse.ts';

/**
 * Objects that nothing else holds the hash of (`vault.json`, plans, checkpoints, references, tombstones, pins) carry their own:
 * `seal` is the SHA-256 of the rest in canonical JSON. A flipped bit then makes an unreadable object, never another meaning.
 * It guards against rot, not against people: that is what signatures are for.
 */
export function sealedBytes(value: object): Uint8Array {
  return canonicalBytes({ ...value, seal: sealOf(value) });
}

const sealOf = (value: object): string => sha256Hex(canonicalJson(value));

/**
 * A sealed object without its seal.
 * @throws TablevaultError `VAULT_CORRUPT` also when the seal is missing or is not that of the content.
 */
export function parseSealed<T extends object>(schema: z.ZodType<T>, bytes: Uint8Array, key: string): T {
  const { seal, ...value } = parseObject(schema, bytes, key) as T & { readonly seal?: unknown };
  if (seal === sealOf(value) && Buffer.from(sealedBytes(value)).equals(bytes)) return value as unknown as T;
  throw new TablevaultError('VAULT_CORRUPT', `${key} cannot be read: its content does not match its hash`, {
    at: { object: key },
    hint: 'It was damaged or altered. Run `tablevault verify`; restore the object from a copy of the vault if you have one.',
  });
}
