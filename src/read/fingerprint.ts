/** The fingerprint of a table's schema. */
import { sha256Hex } from '../core/digest.ts';
import { canonicalJson } from '../core/json.ts';
import type { Column, TypeProfile } from '../core/schema.ts';

/** Hash of what the files of a table share: columns with their types, key, type profile. */
export function fingerprintOf(columns: readonly Column[], key: readonly string[], profile: TypeProfile): string {
  const shape = columns.map(({ name, edmType, type, nullable }) => ({ name, edmType, type, nullable }));
  return sha256Hex(canonicalJson({ columns: shape, key, profile }));
}
