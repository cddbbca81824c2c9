/** Who reads, as far as it decides whether a run may be continued: another identity may see other rows. */
import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Auth } from '../../core/pipeline.ts';

const derive = promisify<string, string, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt);
/** 16 MB and some 40 ms for each guess. */
const COST = { N: 2 ** 14, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

/**
 * The client id of a service identity, whose secret may be renewed; of a reference token a hash that tells tokens apart.
 *
 * The hash goes into the hash of the plan, which is stored, and all else in that is known to whoever reads the vault. A token that is too
 * short to be safe could be found by guessing, so every guess is made costly, and worth nothing for another vault.
 *
 * @param vaultId salt: the random id of the vault
 */
export async function identityOf(auth: Auth, vaultId: string): Promise<unknown> {
  if (auth.kind === 'service') return { kind: auth.kind, clientId: auth.clientId };
  const hash = await derive(auth.token.reveal(), `tablevault identity ${vaultId}`, 32, COST);
  return { kind: auth.kind, hash: hash.toString('hex') };
}
