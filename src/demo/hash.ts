/** Integer hashes: all data of the demo instance is a function of a seed through these. */

/** Mixes two 32-bit integers into one, well spread (finalizer of MurmurHash3). */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h + b, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x27d4eb2f);
  h ^= h >>> 15;
  return h >>> 0;
}

/** A 32-bit hash of a text (FNV-1a). */
export function hashText(text: string, seed = 0): number {
  let h = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(h >>> 0, seed);
}

/** A number in [0, 1) with 20 bits. */
export function unit(a: number, b: number): number {
  return (mix(a, b) >>> 12) / 0x100000;
}
