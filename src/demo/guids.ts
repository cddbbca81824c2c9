/**
 * Sequences of GUIDs that are, by construction, in SQL Server's order of `uniqueidentifier`: the p-th key is a function of p, so an
 * index of millions of keys takes no memory.
 *
 * SQL Server compares, as text `aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee`: `e…`, `dddd`, then `cccc`, `bbbb`, `aaaaaaaa` each with its bytes
 * turned. NEWSEQUENTIALID stores a time stamp so that it grows in exactly that order.
 */
import { hashText, mix } from './hash.ts';

export interface GuidSequence {
  readonly size: number;
  /** The p-th GUID in SQL Server's order; `p >= size` gives keys made later, whose place in the order is their own. */
  at(p: number): string;
  /** The position of a GUID below `size`, or -1. */
  find(guid: string): number;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
const LOW = 0x1_0000_0000;

interface Tail {
  /** The last group. */
  readonly node: string;
  readonly clock: string;
  /** The upper 16 bits of the time stamp, as a number. */
  readonly timeHigh: number;
}

/** Machines and years in which the keys of this demo company were made; in SQL Server's order. Tables share them. */
const TAILS: readonly Tail[] = [
  { node: '00155d001f00', clock: '80c7', timeHigh: 0x11e2 },
  { node: '00155d001f00', clock: '81cb', timeHigh: 0x11e3 },
  { node: '00155d001f00', clock: '81cb', timeHigh: 0x11e5 },
  { node: '00155d0a3c02', clock: 'a2f4', timeHigh: 0x11e8 },
  { node: '0050569a7f11', clock: '8d11', timeHigh: 0x11eb },
  { node: '00505bb1c203', clock: '9af0', timeHigh: 0x11ed },
];
/** Where keys of today are made: in the midst of the order, as after a move to an older machine. */
const LIVE: Tail = { node: '00155d0a3c02', clock: 'a2f4', timeHigh: 0x11ee };

/** Keys as NEWSEQUENTIALID made them over the years: a few clusters with a common tail each, in bursts of neighbours. */
export function sequentialGuids(name: string, seed: number, size: number): GuidSequence {
  const salt = hashText(name, seed);
  const count = size < 50 ? 1 : 3 + (salt % 3);
  const first = salt % (TAILS.length - count + 1);
  const tails = TAILS.slice(first, first + count);
  // Clusters of unequal size: the c-th takes a share in proportion to 1 + c (salted).
  const weights = tails.map((_, c) => 1 + (mix(salt, c) % 4));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const starts: number[] = [];
  let sum = 0;
  for (const weight of weights) {
    starts.push(Math.floor((size * sum) / total));
    sum += weight;
  }
  const base = (salt % 0x10000) * 0x1000000;
  const time = (j: number) => base + Math.floor(j / 8) * 0x100000 + (mix(salt, Math.floor(j / 8)) % 0xffff0) + (j % 8);
  const clusterOf = (p: number) => {
    let c = starts.length - 1;
    while (c > 0 && p < starts[c]!) c--;
    return c;
  };
  return {
    size,
    at(p) {
      if (p >= size) return guidOf(LIVE, time(p - size));
      const c = clusterOf(p);
      return guidOf(tails[c]!, time(p - starts[c]!));
    },
    find(guid) {
      const c = tails.findIndex((tail) => guid.slice(14) === tailText(tail));
      if (c < 0) return -1;
      const swapped = timeOf(guid) - base;
      const j =
        Math.floor(swapped / 0x100000) * 8 +
        (((swapped % 0x100000) - (mix(salt, Math.floor(swapped / 0x100000)) % 0xffff0)) & 7);
      const p = starts[c]! + j;
      return swapped >= 0 && p < size && clusterOf(p) === c && this.at(p) === guid ? p : -1;
    },
  };
}

/** Keys as NEWID makes them: spread over the whole space. */
export function randomGuids(name: string, seed: number, size: number): GuidSequence {
  const salt = hashText(name, seed ^ 0x5bd1e995);
  const space = 2 ** 48;
  const step = space / Math.max(1, size);
  const rest = (p: number) => {
    const a = mix(salt, p * 4 + 1);
    const b = mix(salt, p * 4 + 2);
    const head = hex32(a);
    const middle = hex32(b);
    const clock = ((mix(salt, p * 4 + 3) & 0x3fff) | 0x8000).toString(16);
    return `${head}-${middle.slice(0, 4)}-4${middle.slice(5)}-${clock}-`;
  };
  const nodeText = (value: number) => hex16(Math.floor(value / LOW)) + hex32(value % LOW);
  const nodeAt = (p: number) => Math.floor((p + (mix(salt, p * 4) >>> 12) / 0x100000) * step);
  return {
    size,
    at(p) {
      if (p < size) return rest(p) + nodeText(nodeAt(p));
      return rest(p) + nodeText((mix(salt, p * 4) & 0xffff) * LOW + mix(salt ^ 0x2545f491, p));
    },
    find(guid) {
      const near = Math.floor(Number.parseInt(guid.slice(24), 16) / step);
      for (let p = Math.max(0, near - 1); p <= near + 1 && p < size; p++) {
        if (this.at(p) === guid) return p;
      }
      return -1;
    },
  };
}

/** The n-th of the keys that come after all others, in SQL Server's order and as text; n is below 2^24. */
export function endGuid(n: number): string {
  const high = HEX[(n >>> 16) & 255]!;
  return `ffffff${high}-ffff-ffff-${hex16(n & 0xffff)}-ffffffffff${high}`;
}

function tailText(tail: Tail): string {
  return `${HEX[tail.timeHigh & 255]}${HEX[tail.timeHigh >>> 8]}-${tail.clock}-${tail.node}`;
}

function guidOf(tail: Tail, time48: number): string {
  const low = time48 % LOW;
  const middle = Math.floor(time48 / LOW);
  return `${HEX[low & 255]}${HEX[(low >>> 8) & 255]}${HEX[(low >>> 16) & 255]}${HEX[low >>> 24]}-${HEX[middle & 255]}${
    HEX[middle >>> 8]
  }-${tailText(tail)}`;
}

function timeOf(guid: string): number {
  const low = Number.parseInt(guid.slice(6, 8) + guid.slice(4, 6) + guid.slice(2, 4) + guid.slice(0, 2), 16);
  return Number.parseInt(guid.slice(11, 13) + guid.slice(9, 11), 16) * LOW + low;
}

function hex16(value: number): string {
  return HEX[(value >>> 8) & 255]! + HEX[value & 255];
}

function hex32(value: number): string {
  return HEX[value >>> 24]! + HEX[(value >>> 16) & 255] + HEX[(value >>> 8) & 255] + HEX[value & 255];
}
