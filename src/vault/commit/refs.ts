/** References of a run to parts of earlier snapshots. */
import * as z from 'zod';
import { putSame } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import { parseSealed, sealedBytes } from '../chain/seal.ts';
import { readTombstone } from '../chain/tombstones.ts';
import { RUN_ID, refsKey, runFolder } from '../layout.ts';
import type { Vault } from '../vault.ts';

/** `refs-<n>.json`: an earlier snapshot whose parts a run means to refer to. Protects those parts from being swept. */
export const referenceSchema = z.object({
  formatVersion: z.literal(1),
  run: z.string().regex(RUN_ID),
  snapshot: z.object({ sequence: z.int().positive(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
});
export type Reference = Readonly<z.infer<typeof referenceSchema>>;

/**
 * Announces that a run refers to the parts of a snapshot, then looks whether the snapshot is being retired. Prune writes its
 * tombstone first and lists the references after: one of the two sees the other.
 * @returns false when the snapshot is retired: its parts must not be referred to.
 */
export async function declareReference(
  vault: Vault,
  run: string,
  snapshot: Reference['snapshot'],
  call: CallOptions = {},
): Promise<boolean> {
  const reference: Reference = { formatVersion: 1, run, snapshot };
  const bytes = sealedBytes(reference);
  for (let n = 0; !(await putSame(vault.store, refsKey(run, n), bytes, call)); ) n += 1;
  return (await readTombstone(vault.store, snapshot.sequence, call)) === undefined;
}

/** The references of a run. One that cannot be read is an error: what it protects is unknown. */
export async function readReferences(vault: Vault, run: string, call: CallOptions = {}): Promise<Reference[]> {
  const references: Reference[] = [];
  for await (const { key } of vault.store.list(`${runFolder(run)}refs-`, call)) {
    references.push(parseSealed(referenceSchema, await vault.store.get(key, call), key));
  }
  return references;
}
