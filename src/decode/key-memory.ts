/** Remembers the keys of one answer by their hashes, so that they are known again. */
import type { Key, RememberedKeys } from '../core/key-order.ts';
import { KeySampler } from '../core/key-sample.ts';

/** Hashes that are kept at most: eight megabytes or so. */
const MOST_HASHES = 1_000_000;
const MOST_DRAWN = 64;

export class KeyMemory {
  private hashes: number[] | undefined = [];
  private readonly sampler = new KeySampler(MOST_DRAWN);

  /** Takes in the hash of a key; true where the key itself is wanted too. */
  add(hash: number): boolean {
    this.hashes?.push(hash);
    if (this.hashes !== undefined && this.hashes.length > MOST_HASHES) this.hashes = undefined;
    return this.sampler.wants();
  }

  draw(key: Key): void {
    this.sampler.add(key);
  }

  /** Null where they are too many. */
  keys(): RememberedKeys | null {
    return this.hashes === undefined ? null : { hashes: this.hashes, sample: this.sampler.sample() };
  }
}
