/** The files of a snapshot's tables on this machine: where the vault keeps them, or copies whose hash has been checked. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { digestStream } from '../core/digest.ts';
import { corrupt, fileFault, objectMissing } from '../storage/faults.ts';
import type { Store } from '../storage/store.ts';
import type { PartEntry } from './chain/manifest.ts';

/**
 * A readable file with the part's content. A part of a folder vault is used where it lies, after a look at its size; any other
 * is copied to `folder` and its SHA-256 compared.
 * @throws TablevaultError VAULT_CORRUPT, OBJECT_MISSING, DESTINATION_*
 */
export async function localPart(store: Store, part: PartEntry, folder: string, signal: AbortSignal): Promise<string> {
  const place = { store: store.uri, object: part.key };
  const found = await store.head(part.key, { signal });
  if (found === undefined) throw objectMissing(place);
  if (found.bytes !== part.bytes) {
    throw corrupt(place, `it is ${found.bytes} bytes long where the manifest says ${part.bytes}`);
  }
  return store.localPath?.(part.key) ?? copyPart(store, part, folder, signal);
}

async function copyPart(store: Store, part: PartEntry, folder: string, signal: AbortSignal): Promise<string> {
  const path = join(folder, `${part.sha256}.parquet`);
  const { sha256 } = await writeCopy(path, store.stream(part.key, { signal }));
  if (sha256 === part.sha256) return path;
  throw corrupt({ store: store.uri, object: part.key }, 'its SHA-256 is not the one of the manifest');
}

async function writeCopy(path: string, chunks: AsyncIterable<Uint8Array>): Promise<{ readonly sha256: string }> {
  try {
    const file = await open(path, 'w', 0o600);
    try {
      return await digestStream(chunks, async (chunk) => file.writeFile(chunk));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileFault(error, 'copying a part', { store: 'the temporary folder', object: path });
  }
}
