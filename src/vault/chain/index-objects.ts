/**
 * The index: what the chain holds, in few objects, so that nobody has to read thousands of manifests to find one.
 *
 * An object `index/<n>.json` holds the entries of all places from the first of its span to n. Spans are of 64 places; at the end of a span,
 * of up to 4,096. So the whole chain is in one object for each 4,096 places, and one for those since the last multiple of 64.
 *
 * Everything in it comes from manifests and tombstones, which stay the truth: an object that cannot be read, is of another vault, or tells
 * what is not so (`index-trust.ts`) is passed over, and is written anew with a later snapshot.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { TablevaultError } from '../../core/errors.ts';
import { RUN_ID } from '../layout.ts';
import { type ChainEntry, entrySchema } from './entry.ts';
import { parseSealed, sealedBytes } from './seal.ts';

const SHORT_SPAN = 64;
const LONG_SPAN = 4096;

/** Limit of an object after decompression, bytes: 4,096 entries are some 3 MB. */
const MAX_BYTES = 64 * 1024 * 1024;

const indexSchema = z.object({
  formatVersion: z.literal(1),
  /** Id of the vault, as in `vault.json`. */
  vault: z.string(),
  from: z.int().positive(),
  to: z.int().positive(),
  entries: z.array(entrySchema),
  /** Runs that were known to be given up when it was written: they are not looked at again. */
  abandoned: z.array(z.string().regex(RUN_ID)),
});

export interface IndexObject {
  readonly vault: string;
  readonly from: number;
  readonly to: number;
  /** Of every place from `from` to `to`, ascending. */
  readonly entries: readonly ChainEntry[];
  readonly abandoned: readonly string[];
}

/** The first place that the index object of this number holds. */
export function firstOf(to: number): number {
  const span = to % SHORT_SPAN === 0 ? LONG_SPAN : SHORT_SPAN;
  return Math.floor((to - 1) / span) * span + 1;
}

/** Numbers of the objects that together hold the places 1 to `head`, descending. */
export function objectsFor(head: number): readonly number[] {
  const numbers: number[] = [];
  for (let to = head; to > 0; to = firstOf(to) - 1) numbers.push(to);
  return numbers;
}

/** Which objects to read, and the places that none of them holds. */
export interface IndexReads {
  /** Descending. */
  readonly objects: readonly number[];
  /** Ranges, descending. */
  readonly uncovered: readonly { readonly from: number; readonly to: number }[];
}

/** Covers the places 1 to `head` with the objects that there are. */
export function planIndexReads(available: Iterable<number>, head: number): IndexReads {
  const ascending = [...available].filter((to) => to <= head).sort((a, b) => a - b);
  const objects: number[] = [];
  const uncovered: { from: number; to: number }[] = [];
  let to = head;
  while (to > 0) {
    while ((ascending.at(-1) ?? 0) > to) ascending.pop();
    const best = ascending.pop();
    if (best === undefined) {
      uncovered.push({ from: 1, to });
      break;
    }
    if (best < to) uncovered.push({ from: best + 1, to });
    objects.push(best);
    to = firstOf(best) - 1;
  }
  return { objects, uncovered };
}

export function indexBytes({ vault, from, to, entries, abandoned }: IndexObject): Uint8Array {
  return gzipSync(sealedBytes({ formatVersion: 1, vault, from, to, entries, abandoned: [...abandoned].sort() }));
}

/**
 * @param to the number in its key
 * @param vault the id of the vault
 * @throws TablevaultError VAULT_CORRUPT when it cannot be read, is of another vault, or does not hold each of its places once
 */
export function parseIndex(stored: Uint8Array, key: string, to: number, vault: string): IndexObject {
  const damaged = (what: string, cause?: unknown) =>
    new TablevaultError('VAULT_CORRUPT', `${key} cannot be read: ${what}`, {
      at: { object: key },
      cause,
      hint: 'It is not needed: manifests say the same. It can be removed, and the next snapshot writes the index on.',
    });
  let bytes: Uint8Array;
  try {
    bytes = gunzipSync(stored, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    throw damaged('it is not compressed as it was written', error);
  }
  const { from, entries, abandoned, ...rest } = parseSealed(indexSchema, bytes, key);
  if (rest.vault !== vault) throw damaged('it is of another vault');
  const isWhole =
    rest.to === to &&
    from === firstOf(to) &&
    entries.length === to - from + 1 &&
    entries.every(({ sequence }, i) => sequence === from + i);
  if (!isWhole) throw damaged('it does not hold the places that its name says');
  return { vault, from, to, entries, abandoned };
}
