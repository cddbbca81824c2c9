/** The files of a snapshot's tables on this machine: where the vault keeps them, or copies whose hash has been checked. */
import { join } from 'node:path';
import { corrupt, objectMissing } from '../storage/faults.ts';
import type { Store } from '../storage/store.ts';
import { copyPart, type KnownPart } from './copy-part.ts';

/**
 * A readable file with the part's content. A part of a folder vault is used where it lies, after a look at its size; any other
 * is copied to `folder` and its SHA-256 compared.
 * @throws TablevaultError VAULT_CORRUPT, OBJECT_MISSING, DESTINATION_*
 */
export async function localPart(store: Store, part: KnownPart, folder: string, signal: AbortSignal): Promise<string> {
  const place = { store: store.uri, object: part.key };
  const found = await store.head(part.key, { signal });
  if (found === undefined) throw objectMissing(place);
  if (found.bytes !== part.bytes) {
    throw corrupt(place, `it is ${found.bytes} bytes long where the manifest says ${part.bytes}`);
  }
  const local = store.localPath?.(part.key);
  if (local !== undefined) return local;
  const copy = join(folder, `${part.sha256}.parquet`);
  await copyPart(store, part, copy, { signal });
  return copy;
}
