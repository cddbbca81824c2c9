/** Keys in column buffers: those of GUID columns, their order, and comparisons without making text. */
import type { Guid } from '../core/guid.ts';
import { type Against, addSums, type Key, type KeyOrder, type KeysSeen } from '../core/key-order.ts';
import type { ColumnBuffer } from './columns.ts';
import type { KeyMemory } from './key-memory.ts';

/** A GUID of a GUID column, as text. */
export function guidAt(column: ColumnBuffer, row: number): Guid {
  return guidText(column.i32, row * 4);
}

function guidText(words: Int32Array, at: number): Guid {
  const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
  const text = hex(words[at + 3]! ^ 0x80000000) + hex(words[at + 2]!) + hex(words[at + 1]!) + hex(words[at]!);
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}` as Guid;
}

/** The four words that a GUID column holds for a GUID. */
export function guidWords(guid: Key): Int32Array {
  const hex = guid.replaceAll('-', '');
  const word = (index: number) => Number.parseInt(hex.slice(index * 8, index * 8 + 8), 16) | 0;
  return Int32Array.of(word(3), word(2), word(1), word(0) ^ 0x80000000);
}

/** Watches the GUIDs of the rows that come: their order and their extremes. */
export class GuidOrder {
  private rows = 0;
  private readonly firstKey = new Int32Array(4);
  private readonly lastKey = new Int32Array(4);
  private readonly minKey = new Int32Array(4);
  private readonly maxKey = new Int32Array(4);
  private ascendingSql = true;
  private ascendingText = true;
  private readonly against: Against[] = [];
  private sum = 0;
  private memory: KeyMemory | undefined;

  /** Takes in the key of `row`. */
  see(column: ColumnBuffer, row: number): void {
    const words = column.i32;
    const at = row * 4;
    if (this.rows === 0) {
      copy(words, at, this.firstKey);
      copy(words, at, this.minKey);
      copy(words, at, this.maxKey);
    } else {
      if (this.ascendingText && compareText(words, at, this.lastKey) <= 0) {
        this.ascendingText = false;
        this.note('text', words, at);
      }
      if (compareSql(words, at, this.maxKey) > 0) copy(words, at, this.maxKey);
      else {
        if (this.ascendingSql) this.note('sql', words, at);
        this.ascendingSql = false;
        if (compareSql(words, at, this.minKey) < 0) copy(words, at, this.minKey);
      }
    }
    copy(words, at, this.lastKey);
    this.rows++;
    const hash = hashWords(words, at);
    this.sum = addSums(this.sum, hash);
    if (this.memory?.add(hash) === true) this.memory.draw(guidText(words, at));
  }

  private note(order: KeyOrder, words: Int32Array, at: number): void {
    this.against.push({ order, first: guidText(this.lastKey, 0), second: guidText(words, at) });
  }

  seen(): KeysSeen {
    const some = this.rows > 0;
    return {
      rows: this.rows,
      first: some ? guidText(this.firstKey, 0) : null,
      last: some ? guidText(this.lastKey, 0) : null,
      least: some ? guidText(this.minKey, 0) : null,
      greatest: some ? guidText(this.maxKey, 0) : null,
      orders: [...(this.ascendingSql ? (['sql'] as const) : []), ...(this.ascendingText ? (['text'] as const) : [])],
      tail: some ? 1 : 0,
      // Of a key that is a GUID alone, nothing more follows.
      prior: null,
      against: [...this.against],
      sum: this.sum,
      remembered: this.memory?.keys() ?? null,
    };
  }

  /** @param memory what takes in the keys to come, where they are to be known again */
  reset(memory?: KeyMemory): void {
    this.memory = memory;
    this.rows = 0;
    this.sum = 0;
    this.against.length = 0;
    this.ascendingSql = true;
    this.ascendingText = true;
  }
}

/** Is the key of `row` these words? */
export function isKey(column: ColumnBuffer, row: number, words: Int32Array): boolean {
  const at = row * 4;
  const have = column.i32;
  return have[at] === words[0] && have[at + 1] === words[1] && have[at + 2] === words[2] && have[at + 3] === words[3];
}

/** The hash of the GUID of `row`. */
export function hashGuid(column: ColumnBuffer, row: number): number {
  return hashWords(column.i32, row * 4);
}

/** Of a GUID, as of any key: 32 bits, spread. */
function hashWords(words: Int32Array, at: number): number {
  let hash = Math.imul(words[at]! ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul((hash ^ (hash >>> 15)) + words[at + 1]!, 0xc2b2ae35);
  hash = Math.imul((hash ^ (hash >>> 13)) + words[at + 2]!, 0x85ebca6b);
  hash = Math.imul((hash ^ (hash >>> 15)) + words[at + 3]!, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Of a key as text. */
export function hashKey(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function copy(from: Int32Array, at: number, to: Int32Array): void {
  to[0] = from[at]!;
  to[1] = from[at + 1]!;
  to[2] = from[at + 2]!;
  to[3] = from[at + 3]!;
}

/** Signed words of a GUID column already have the order of text: the first word has its sign turned, the others are compared unsigned. */
function compareText(a: Int32Array, at: number, b: Int32Array): number {
  if (a[at + 3]! !== b[3]!) return a[at + 3]! < b[3]! ? -1 : 1;
  for (let i = 2; i >= 0; i--) {
    const left = a[at + i]! >>> 0;
    const right = b[i]! >>> 0;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** SQL Server's order: bytes 10–15, then 8–9, then 7 down to 0 of the GUID as its text has them (see core/guid.ts). */
function compareSql(a: Int32Array, at: number, b: Int32Array): number {
  const a0 = a[at]!;
  const b0 = b[0]!;
  const a1 = a[at + 1]!;
  const b1 = b[1]!;
  let left = ((a1 << 16) | (a0 >>> 16)) >>> 0;
  let right = ((b1 << 16) | (b0 >>> 16)) >>> 0;
  if (left !== right) return left < right ? -1 : 1;
  left = ((a0 << 16) | (a1 >>> 16)) >>> 0;
  right = ((b0 << 16) | (b1 >>> 16)) >>> 0;
  if (left !== right) return left < right ? -1 : 1;
  left = swap(a[at + 2]!);
  right = swap(b[2]!);
  if (left !== right) return left < right ? -1 : 1;
  left = swap(a[at + 3]! ^ 0x80000000);
  right = swap(b[3]! ^ 0x80000000);
  return left === right ? 0 : left < right ? -1 : 1;
}

function swap(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
