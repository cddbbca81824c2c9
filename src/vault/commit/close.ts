/**
 * Closed runs: nobody continues one, nor any run of its pipeline that began before it. Unlike an abandoned run, a closed one may still be
 * committed by the process that began it, so it can be closed at the moment at which it is known that it should not be continued.
 */
import * as z from 'zod';
import type { Clock } from '../../core/clock.ts';
import { hasCode } from '../../core/errors.ts';
import { canonicalBytes } from '../../core/json.ts';
import { getIfPresent, putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import { parseObject } from '../chain/parse.ts';
import { closedKey } from '../layout.ts';
import type { Vault } from '../vault.ts';

const closedSchema = z.object({
  formatVersion: z.literal(1),
  /** Name of the pipeline whose runs it concerns. */
  pipeline: z.string(),
  reason: z.string(),
  at: z.iso.datetime(),
});

/** Closes a run; one that is closed stays so. The run need not have begun: a new id closes what came before. */
export async function closeRun(
  vault: Vault,
  run: string,
  { pipeline, reason }: { readonly pipeline: string; readonly reason: string },
  { clock }: { readonly clock: Clock },
): Promise<void> {
  const at = new Date(clock.now()).toISOString();
  await putIfAbsent(vault.store, closedKey(run), canonicalBytes({ formatVersion: 1, pipeline, reason, at }));
}

/** Does this run close what came before it in the pipeline? A mark that cannot be read closes for every pipeline. */
export async function isClosed(vault: Vault, run: string, pipeline: string, call: CallOptions = {}): Promise<boolean> {
  const key = closedKey(run);
  const bytes = await getIfPresent(vault.store, key, call);
  if (bytes === undefined) return false;
  try {
    return parseObject(closedSchema, bytes, key).pipeline === pipeline;
  } catch (error) {
    if (hasCode(error, 'VAULT_CORRUPT')) return true;
    throw error;
  }
}
