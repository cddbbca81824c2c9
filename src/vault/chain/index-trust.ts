/** What the index tells, as far as nothing in the vault contradicts it. */
import { asTablevaultError, hasCode } from '../../core/errors.ts';
import { getIfPresent } from '../../storage/conditional.ts';
import type { CallOptions } from '../../storage/store.ts';
import { INDEX, indexKey, sequenceOf } from '../layout.ts';
import type { Vault } from '../vault.ts';
import type { ChainEntry } from './entry.ts';
import { firstOf, type IndexObject, parseIndex, planIndexReads } from './index-objects.ts';

export interface DamagedIndex {
  readonly key: string;
  readonly message: string;
  /** The place of which it tells what is not so. */
  readonly contradictedAt?: number;
}

/** What some objects of the index tell together. */
export interface Told {
  readonly entries: ReadonlyMap<number, ChainEntry>;
  readonly abandoned: ReadonlySet<string>;
}

/** The objects of the index. Those that cannot be used are done without. */
export interface IndexReader {
  /** Numbers of all objects, ascending, also of those that cannot be used. */
  readonly numbers: readonly number[];
  /** Objects that cannot be read, are of another vault, or were dropped. */
  readonly damaged: readonly DamagedIndex[];
  /** What the objects tell that cover most places: those up to `head`, and those that they tell of behind it. */
  read(head: number): Promise<Told>;
  /** Does without the object that told of a place when it was read last. */
  drop(sequence: number): void;
}

/** Lists the index. One that cannot be listed, or is no folder, is an empty one. */
export async function openIndex(vault: Vault, call: CallOptions = {}): Promise<IndexReader> {
  const numbers: number[] = [];
  const damaged: DamagedIndex[] = [];
  try {
    for await (const { key } of vault.store.list(INDEX, call)) {
      const number = sequenceOf(key, INDEX);
      if (number !== undefined) numbers.push(number);
    }
  } catch (error) {
    damaged.push({ key: INDEX, message: unusable(error) });
  }
  numbers.sort((a, b) => a - b);
  const usable = new Set(numbers);
  const objects = new Map<number, IndexObject>();
  let chosen: readonly number[] = [];

  async function readOne(number: number): Promise<void> {
    const key = indexKey(number);
    try {
      const bytes = await getIfPresent(vault.store, key, call);
      if (bytes === undefined) usable.delete(number);
      else objects.set(number, parseIndex(bytes, key, number, vault.info.id));
    } catch (error) {
      usable.delete(number);
      damaged.push({ key, message: unusable(error) });
    }
  }

  return {
    numbers,
    damaged,
    async read(head) {
      for (;;) {
        chosen = planIndexReads(usable, Math.max(head, ...usable)).objects;
        const next = chosen.find((number) => !objects.has(number));
        if (next === undefined) break;
        await readOne(next);
      }
      const told = chosen.map((number) => objects.get(number)!);
      return {
        entries: new Map(told.flatMap(({ entries }) => entries).map((entry) => [entry.sequence, entry])),
        abandoned: new Set(told.flatMap(({ abandoned }) => abandoned)),
      };
    },
    drop(sequence) {
      const number = chosen.find((to) => firstOf(to) <= sequence && sequence <= to);
      if (number === undefined) return;
      usable.delete(number);
      const message = `it tells of another snapshot than there is at place ${sequence}`;
      damaged.push({ key: indexKey(number), message, contradictedAt: sequence });
    },
  };
}

/** The message of a fault that makes an object unusable. What may pass by itself, or is an abort, is thrown. */
function unusable(error: unknown): string {
  if (hasCode(error, 'VAULT_CORRUPT', 'OBJECT_MISSING', 'DESTINATION_DENIED', 'DESTINATION_MISSING'))
    return asTablevaultError(error).message;
  throw error;
}

/** Places of the chain as they are stored. */
export interface StoredPlaces {
  /** What was read of manifests and tombstones. */
  readonly read: ReadonlyMap<number, ChainEntry>;
  /** The last place that is stored. */
  readonly head: number;
  /** Reads a place; undefined when it is missing, or cannot be read. */
  look(sequence: number): Promise<ChainEntry | undefined>;
}

/**
 * A place of which the index tells what is not so; undefined when there is none.
 *
 * Each entry names the hash of the one before it, and so does each manifest: whatever the place above names by its hash needs no look. What
 * nothing above vouches for, as the newest place, is read itself. Of places behind the last stored one the index is believed where its
 * entries lead down to that one without a gap.
 */
export async function contradictedPlace(told: Told['entries'], stored: StoredPlaces): Promise<number | undefined> {
  const { read, head, look } = stored;
  let above: ChainEntry | undefined;
  /** Do hashes lead from a place that was read down to this one? */
  let isGrounded = false;
  for (let place = lastOf(told, head); place > 0; place -= 1) {
    const own = told.get(place);
    if (place > head) {
      const isNamed = above === undefined || above.parent === own?.sha256;
      if (own === undefined || !isNamed) return place + 1;
      above = own;
      continue;
    }
    const isVouched: boolean = isGrounded && own !== undefined && above?.parent === own.sha256;
    const fact: ChainEntry | undefined =
      read.get(place) ?? (own === undefined || isVouched ? undefined : await look(place));
    if (fact !== undefined && own !== undefined && fact.sha256 !== own.sha256) return place;
    const found = fact ?? own;
    if (above !== undefined && !read.has(above.sequence) && above.parent !== found?.sha256) {
      // The index alone tells of the place above, and another place follows than it says.
      if (above.sequence > head) return above.sequence;
      if (found !== undefined && (await look(above.sequence))?.sha256 !== above.sha256) return above.sequence;
    }
    above = found;
    isGrounded = fact !== undefined || isVouched;
  }
  return undefined;
}

const lastOf = (told: Told['entries'], head: number): number => {
  let last = head;
  for (const sequence of told.keys()) if (sequence > last) last = sequence;
  return last;
};

/** Places behind the last stored one of which the index tells; undefined when there are none. */
export function placesBehind(told: Told['entries'], head: number): { from: number; to: number } | undefined {
  const to = lastOf(told, head);
  return to > head ? { from: head + 1, to } : undefined;
}
