/** Stores finished Parquet files as parts. */
import { digestStream } from '../core/digest.ts';
import { hasCode, TablevaultError } from '../core/errors.ts';
import type { CallOptions } from '../storage/store.ts';
import { partKey } from './layout.ts';
import type { Vault } from './vault.ts';

export interface NewPart {
  readonly table: string;
  readonly run: string;
  /** Number of the part within the table's scan; any, as the hash is in the key too. */
  readonly n: number;
  /** The finished local file. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Stores a finished Parquet file as a part and returns its key. A part of the same name that is already there (a lost answer,
 * a task done again with the same rows) is read and must have the very same bytes.
 */
export async function putPart(vault: Vault, part: NewPart, call: CallOptions = {}): Promise<string> {
  const key = partKey(part.table, part.run, part.n, part.sha256);
  try {
    await vault.store.putNewFile(key, part.file, { bytes: part.bytes, sha256: part.sha256, signal: call.signal });
  } catch (error) {
    if (!hasCode(error, 'OBJECT_EXISTS')) throw error;
    const stored = await digestStream(vault.store.stream(key, call));
    if (stored.bytes !== part.bytes || stored.sha256 !== part.sha256) {
      throw new TablevaultError('VAULT_CORRUPT', `the stored part ${key} does not match the hash in its name`, {
        at: { object: key, table: part.table },
        cause: error,
        hint: 'It was damaged or cut. Remove this object, which no snapshot refers to yet, and run again.',
      });
    }
    await vault.store.makeDurable?.(key);
  }
  return key;
}
