/** The files of a snapshot's tables on this machine, with the bytes of the manifest: where the vault keeps them, or copies. */
import { join } from 'node:path';
import { TablevaultError } from '../core/errors.ts';
import { objectMissing } from '../storage/faults.ts';
import type { Store } from '../storage/store.ts';
import { type KnownPart, readPart } from './copy-part.ts';

/**
 * A readable file with the part's content, whose size and SHA-256 have been compared with the manifest. A part of a folder vault is used
 * where it lies, after it was read to its end; any other is copied to `folder`.
 * @throws TablevaultError VERIFY_FAILED when its bytes are not those of the manifest, OBJECT_MISSING, DESTINATION_*
 */
export async function localPart(store: Store, part: KnownPart, folder: string, signal: AbortSignal): Promise<string> {
  const found = await store.head(part.key, { signal });
  if (found === undefined) throw objectMissing({ store: store.uri, object: part.key });
  if (found.bytes !== part.bytes) {
    throw differs(store, part, `it has ${found.bytes} bytes, the manifest says ${part.bytes}`);
  }
  const local = store.localPath?.(part.key);
  const path = local ?? join(folder, `${part.sha256}.parquet`);
  const { same } = await readPart(store, part, { to: local === undefined ? path : undefined, signal });
  if (!same) throw differs(store, part, 'its SHA-256 differs from the manifest');
  return path;
}

function differs(store: Store, { key }: KnownPart, what: string): TablevaultError {
  return new TablevaultError('VERIFY_FAILED', `the part ${key} is damaged: ${what}`, {
    at: { store: store.uri, object: key },
    hint: 'Nothing was answered from it. Query another snapshot with --snapshot, then run `tablevault verify` and take a new snapshot.',
  });
}
