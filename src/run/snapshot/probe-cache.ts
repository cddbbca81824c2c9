/** Answers to probes, kept in the vault between runs. */
import * as z from 'zod';
import { hasCode } from '../../core/errors.ts';
import { canonicalBytes } from '../../core/json.ts';
import type { Instance } from '../../instance/open.ts';
import type { CachedProbe } from '../../read/probe.ts';
import { getIfPresent } from '../../storage/conditional.ts';
import { probeKey } from '../../vault/layout.ts';
import type { Vault } from '../../vault/vault.ts';

/** What was found of an instance, kept in the vault so that not every run asks again. A hint: without it the probes are made. */
const cachedSchema = z.object({
  formatVersion: z.literal(1),
  tableApi: z.string(),
  /** Version of the instance and hash of its `$metadata` when it was probed: another one is probed anew. */
  version: z.string(),
  metadataSha256: z.string(),
  probedAt: z.iso.datetime(),
  table: z.string().nullable(),
  capabilities: z.object({
    keyFilter: z.boolean().nullable(),
    nextLink: z.boolean().nullable(),
    top: z.boolean().nullable(),
    count: z.boolean().nullable(),
  }),
});

const MAX_AGE_MS = 7 * 24 * 60 * 60 * 1000;

/** The answers kept of this instance, when it is still the same version with the same schema; undefined otherwise. */
export async function readCachedProbe(
  vault: Vault,
  instance: Instance,
  nowMs: number,
  signal: AbortSignal,
): Promise<CachedProbe | undefined> {
  if (instance.version === null) return undefined;
  const bytes = await getIfPresent(vault.store, probeKey(instance.tableApi), { signal });
  if (bytes === undefined) return undefined;
  const parsed = cachedSchema.safeParse(parseJson(bytes));
  if (!parsed.success) return undefined;
  const { tableApi, version, metadataSha256, probedAt, table, capabilities } = parsed.data;
  const same =
    tableApi === instance.tableApi &&
    version === instance.version &&
    metadataSha256 === instance.metadataSha256 &&
    nowMs - Date.parse(probedAt) < MAX_AGE_MS &&
    Date.parse(probedAt) <= nowMs;
  return same ? { table, capabilities } : undefined;
}

/** Keeps the answers for the next run. */
export async function storeProbe(
  vault: Vault,
  instance: Instance,
  probe: CachedProbe,
  nowMs: number,
  signal: AbortSignal,
): Promise<void> {
  // Answers of an instance that does not tell its version, or that no table could give, are not worth keeping.
  if (instance.version === null || probe.table === null) return;
  const { keyFilter, nextLink, top, count } = probe.capabilities;
  const cached = {
    formatVersion: 1,
    tableApi: instance.tableApi,
    version: instance.version,
    metadataSha256: instance.metadataSha256,
    probedAt: new Date(nowMs).toISOString(),
    table: probe.table,
    capabilities: { keyFilter, nextLink, top, count },
  };
  try {
    await vault.store.replace(probeKey(instance.tableApi), canonicalBytes(cached), { signal });
  } catch (thrown) {
    // A role that may create but not replace does without the hint.
    if (!hasCode(thrown, 'DESTINATION_DENIED')) throw thrown;
  }
}

/** Forgets the answers: a read that relied on them failed, so the next run asks again. */
export async function forgetProbe(vault: Vault, instance: Instance): Promise<void> {
  await vault.store.remove(probeKey(instance.tableApi));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
