/** The snapshot that a run is held against. */
import { TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { CallOptions } from '../../storage/store.ts';
import type { Catalog } from '../../vault/chain/catalog.ts';
import type { Manifest } from '../../vault/chain/manifest.ts';
import type { Series } from '../../vault/chain/series.ts';
import { readNewestComplete } from '../../vault/snapshots.ts';
import type { Vault } from '../../vault/vault.ts';

/**
 * The newest complete snapshot of the series that can be read; undefined when there is none. A later manifest that is missing or damaged is
 * warned of: a run needs the snapshot before it for hints alone, and a new snapshot is what the vault wants most.
 * @throws TablevaultError `VAULT_CORRUPT` for such a manifest where the pipeline expects something of the rows against the last snapshot
 */
export async function readPrevious(
  vault: Vault,
  catalog: Catalog,
  series: Series,
  { expect, emit, signal }: CallOptions & { readonly expect: Pipeline['expect']; readonly emit: Emit },
): Promise<Manifest | undefined> {
  let fault: TablevaultError | undefined;
  const onFault = (found: TablevaultError) => {
    fault = found;
  };
  const previous = (await readNewestComplete(vault, catalog, series, { signal, onFault }))?.manifest;
  if (fault === undefined) return previous;
  const { message } = fault;
  if (expect.maxRowDropPercent !== undefined) {
    throw new TablevaultError(
      'VAULT_CORRUPT',
      `${message}: it may be the last complete snapshot, which expect.maxRowDropPercent is held against`,
      {
        at: { vault: vault.store.uri },
        cause: fault,
        hint: 'Restore the manifest from a copy of the vault, or take `maxRowDropPercent` out of the pipeline for one snapshot.',
      },
    );
  }
  const instead =
    previous === undefined ? 'no earlier one' : `number ${previous.sequence}, the newest that can be read`;
  emit({
    type: 'warning',
    message: `${message}: it may be the last complete snapshot; this one is held against ${instead}`,
  });
  return previous;
}
