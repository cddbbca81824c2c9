/**
 * Generations of a lease: `locks/<name>/<n>.json`, created in order and never replaced, so that each number has one winner. Numbers only
 * grow. Older generations are removed, except the last few, which a slow listing may need.
 */
import * as z from 'zod';
import { hasCode } from '../../core/errors.ts';
import { canonicalBytes } from '../../core/json.ts';
import { putIfAbsent } from '../../storage/conditional.ts';
import type { CallOptions, Store } from '../../storage/store.ts';
import { parseObject } from '../chain/parse.ts';
import { lockFolder, lockKey, sequenceOf } from '../layout.ts';
import { holderSchema } from './holder.ts';

/** How long a generation holds when nothing else is said, ms. */
export const LEASE_TTL_MS = 60_000;
const KEPT_GENERATIONS = 3;
/** Times that the newest generation is looked for while others come and go. */
const LOOKS = 5;

const leaseSchema = z.object({
  formatVersion: z.literal(1),
  name: z.string(),
  /** Random, one a holder. */
  token: z.string().min(16),
  holder: holderSchema,
  /** The lease runs out this long after the generation was stored. */
  ttlMs: z.int().positive(),
  released: z.boolean(),
});
export type LeaseRecord = z.infer<typeof leaseSchema>;

export interface Generation {
  readonly number: number;
  /** By the store's clock. */
  readonly modifiedMs: number;
  readonly record: LeaseRecord;
}

export interface Generations {
  /** The newest one; undefined when there is none. */
  newest(call: CallOptions): Promise<Generation | undefined>;
  /** Creates one, and says whose it is in the end: ours or another's. `created`: by this very call. */
  create(
    number: number,
    record: LeaseRecord,
    call: CallOptions,
  ): Promise<{ readonly record: LeaseRecord; readonly created: boolean }>;
  /** Takes back one that was created under a number which is over already. */
  remove(number: number, call: CallOptions): Promise<void>;
  /** Removes what nobody needs behind `current`. Best effort: a writer role may lack the right to delete. */
  removeOlder(current: number, call: CallOptions): Promise<void>;
}

export function generationsOf(store: Store, name: string): Generations {
  const folder = lockFolder(name);
  const read = async (key: string, call: CallOptions) => parseObject(leaseSchema, await store.get(key, call), key);

  async function newest(call: CallOptions): Promise<Generation | undefined> {
    for (let look = 1; ; look += 1) {
      const listed = await newestListed(call);
      if (listed === undefined) return undefined;
      const { key, number, modifiedMs } = listed;
      try {
        return { number, modifiedMs, record: await read(key, call) };
      } catch (error) {
        if (hasCode(error, 'VAULT_CORRUPT')) return { number, modifiedMs, record: damaged(name) };
        // Renewed and removed since it was listed: look again.
        if (!hasCode(error, 'OBJECT_MISSING') || look === LOOKS) throw error;
      }
    }
  }

  async function newestListed(call: CallOptions) {
    let last: { readonly key: string; readonly number: number; readonly modifiedMs: number } | undefined;
    for await (const { key, modifiedMs } of store.list(folder, call)) {
      const number = sequenceOf(key, folder);
      if (number !== undefined) last = { key, number, modifiedMs };
    }
    return last;
  }

  return {
    newest,
    async create(number, record, call) {
      const key = lockKey(name, number);
      const created = await putIfAbsent(store, key, canonicalBytes(record), call);
      return { record: created ? record : await read(key, call), created };
    },
    remove: (number, call) => store.remove(lockKey(name, number), call),
    async removeOlder(current, call) {
      try {
        for await (const { key } of store.list(folder, call)) {
          const number = sequenceOf(key, folder);
          if (number !== undefined && number <= current - KEPT_GENERATIONS) await store.remove(key, call);
        }
      } catch {
        return;
      }
    },
  };
}

const OF_DAMAGED = 'of a damaged generation';

/** Is nothing known of the holder, since its generation is damaged? */
export const isDamaged = ({ token }: LeaseRecord): boolean => token === OF_DAMAGED;

/** What a damaged generation is taken for: it runs out as any other. */
function damaged(name: string): LeaseRecord {
  const holder = { host: 'unknown', pid: 0, since: new Date(0).toISOString(), place: null, started: null };
  return { formatVersion: 1, name, token: OF_DAMAGED, holder, ttlMs: LEASE_TTL_MS, released: false };
}
