/** Reads parts to their end, and copies them to local files whose bytes are those of the manifest. */
import { open } from 'node:fs/promises';
import { digestStream } from '../core/digest.ts';
import { corrupt, fileFault } from '../storage/faults.ts';
import type { CallOptions, Store } from '../storage/store.ts';
import type { PartEntry } from './chain/manifest.ts';

/** What a part is known by. */
export type KnownPart = Pick<PartEntry, 'key' | 'bytes' | 'sha256'>;

/**
 * Reads a part to its end, into a file at `to` where one is given (mode 0600).
 * @returns whether its size and SHA-256 are those of the manifest, and how many bytes came
 * @throws TablevaultError of the store; DESTINATION_* of the temporary folder
 */
export async function readPart(
  store: Store,
  part: KnownPart,
  { to, signal }: CallOptions & { readonly to?: string | undefined },
): Promise<{ readonly same: boolean; readonly bytes: number }> {
  const chunks = store.stream(part.key, { signal });
  const { bytes, sha256 } = to === undefined ? await digestStream(chunks) : await digestInto(to, chunks);
  return { same: bytes === part.bytes && sha256 === part.sha256, bytes };
}

/** @throws TablevaultError VAULT_CORRUPT when the stored bytes are not those of the manifest; as `readPart` */
export async function copyPart(store: Store, part: KnownPart, to: string, call: CallOptions): Promise<void> {
  const { same } = await readPart(store, part, { ...call, to });
  if (!same) throw corrupt({ store: store.uri, object: part.key }, 'its SHA-256 differs from the manifest');
}

/** Writes what comes into a new file (mode 0600). @returns its size and SHA-256 @throws what the chunks throw; DESTINATION_* of the temporary folder */
export async function digestInto(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  try {
    const file = await open(path, 'w', 0o600);
    try {
      return await digestStream(chunks, (chunk) => file.writeFile(chunk));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileFault(error, 'copying a part', { store: 'the temporary folder', object: path });
  }
}
