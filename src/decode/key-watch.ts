/** Watches the keys of a task's rows: their order, and which rows came before. */
import {
  type Against,
  addSums,
  type CompareKeys,
  comparator,
  type Key,
  type KeyOrder,
  type KeysSeen,
  ordersOf,
} from '../core/key-order.ts';
import type { ColumnBuffer } from './columns.ts';
import { KeyMemory } from './key-memory.ts';
import { GuidOrder, guidWords, hashGuid, hashKey, isKey } from './keys.ts';
import { valueText } from './values.ts';

/** One for a task: responses follow one another, and a later one may begin with rows that came at the end of an earlier one. */
export interface KeyWatch {
  /**
   * A response begins. Rows with the key `exclude` (of a composite key: in its leading column) that came before are left out of it. Its keys
   * are remembered where `remembers` says so.
   */
  begin(exclude: Key | null, remembers?: boolean): void;
  /** Rows that are left out of the response where they come. */
  readonly known: number;
  /** Did this row come before? */
  isKnown(row: number): boolean;
  /** Takes in the key of a row that is kept. */
  see(row: number): void;
  /** Of the response so far, without rows left out. */
  seen(): KeysSeen;
}

/** The hash of a row's key, by which a watch remembers it; undefined where the key has no column whose order can be watched. */
export function hasherOf(key: readonly ColumnBuffer[]): ((row: number) => number) | undefined {
  const parts = leadFirst(key);
  const [lead] = parts ?? [];
  if (parts === undefined || lead === undefined) return undefined;
  if (parts.length > 1) return (row) => hashKey(textOf(parts, row));
  return lead.column.type.kind === 'guid' ? (row) => hashGuid(lead, row) : (row) => hashKey(valueText(lead, row) ?? '');
}

/** The column whose order is watched, and then the others. */
function leadFirst(key: readonly ColumnBuffer[]): readonly ColumnBuffer[] | undefined {
  const lead = key.find(({ column }) => ordersOf(column.type).length > 0);
  return lead === undefined ? undefined : [lead, ...key.filter((column) => column !== lead)];
}

function textOf(parts: readonly ColumnBuffer[], row: number): string {
  return JSON.stringify(parts.map((column) => valueText(column, row)));
}

/** Undefined where the key has no column whose order can be watched. */
export function createKeyWatch(key: readonly ColumnBuffer[]): KeyWatch | undefined {
  const parts = leadFirst(key);
  const [lead] = parts ?? [];
  if (parts === undefined || lead === undefined) return undefined;
  if (parts.length > 1) return new LeadingKeyWatch(lead, parts);
  return lead.column.type.kind === 'guid' ? new GuidWatch(lead) : new SingleKeyWatch(lead);
}

class GuidWatch implements KeyWatch {
  private readonly column: ColumnBuffer;
  private readonly order = new GuidOrder();
  private exclude: Int32Array | undefined;

  constructor(column: ColumnBuffer) {
    this.column = column;
  }

  begin(exclude: Key | null, remembers = false): void {
    this.order.reset(remembers ? new KeyMemory() : undefined);
    this.exclude = exclude === null ? undefined : guidWords(exclude);
  }

  get known(): number {
    return this.exclude === undefined ? 0 : 1;
  }

  isKnown(row: number): boolean {
    return this.exclude !== undefined && isKey(this.column, row, this.exclude);
  }

  see(row: number): void {
    this.order.see(this.column, row);
  }

  seen(): KeysSeen {
    return this.order.seen();
  }
}

/** The order of keys that are compared as text: each is made text once. */
class TextOrder {
  private readonly all: readonly { readonly order: KeyOrder; readonly compare: CompareKeys }[];
  /** May a key be equal to the one before it? */
  private readonly repeats: boolean;
  private alive: readonly { readonly order: KeyOrder; readonly compare: CompareKeys }[] = [];
  private first: Key | null = null;
  private last: Key | null = null;
  private rows = 0;
  private prior: KeysSeen['prior'] = null;
  private against: Against[] = [];
  private sum = 0;
  private memory: KeyMemory | undefined;

  constructor({ column: { type } }: ColumnBuffer, repeats: boolean) {
    this.all = ordersOf(type).map((order) => ({ order, compare: comparator(type, order) }));
    this.repeats = repeats;
    this.alive = this.all;
  }

  reset(memory?: KeyMemory): void {
    this.memory = memory;
    this.alive = this.all;
    this.first = null;
    this.last = null;
    this.rows = 0;
    this.prior = null;
    this.against = [];
    this.sum = 0;
  }

  /** @param whole the key with all of its columns */
  see(key: Key, whole: string): void {
    const { last } = this;
    if (this.repeats && last !== null && last !== key && !this.isSame(last, key))
      this.prior = { key: last, rows: this.rows };
    this.first ??= key;
    this.last = key;
    this.rows++;
    const hash = hashKey(whole);
    this.sum = addSums(this.sum, hash);
    if (this.memory?.add(hash) === true) this.memory.draw(key);
    if (last === null || (this.repeats && last === key) || this.alive.length === 0) return;
    const broken = this.alive.filter(({ compare }) => compare(last, key) > (this.repeats ? 0 : -1));
    if (broken.length === 0) return;
    this.alive = this.alive.filter((each) => !broken.includes(each));
    this.against.push(...broken.map(({ order }) => ({ order, first: last, second: key })));
  }

  /** Are two keys the same in one of the orders? Text may be, though it is spelled in two ways. */
  isSame(a: Key, b: Key): boolean {
    return a === b || this.all.some(({ compare }) => compare(a, b) === 0);
  }

  /** No order is kept to any more. */
  broken(): void {
    this.alive = [];
  }

  seen(): KeysSeen {
    const { rows, first, last, prior, sum } = this;
    const orders = this.alive.map(({ order }) => order);
    const { against } = this;
    return {
      rows,
      first,
      last,
      least: first,
      greatest: last,
      orders,
      tail: Math.min(1, rows),
      prior,
      against,
      sum,
      remembered: this.memory?.keys() ?? null,
    };
  }
}

class SingleKeyWatch implements KeyWatch {
  private readonly column: ColumnBuffer;
  private readonly order: TextOrder;
  private exclude: Key | null = null;

  constructor(column: ColumnBuffer) {
    this.column = column;
    this.order = new TextOrder(column, false);
  }

  begin(exclude: Key | null, remembers = false): void {
    this.order.reset(remembers ? new KeyMemory() : undefined);
    this.exclude = exclude;
  }

  get known(): number {
    return this.exclude === null ? 0 : 1;
  }

  isKnown(row: number): boolean {
    return this.exclude !== null && valueText(this.column, row) === this.exclude;
  }

  see(row: number): void {
    const key = valueText(this.column, row) ?? '';
    this.order.see(key, key);
  }

  seen(): KeysSeen {
    return this.order.seen();
  }
}

/** Rows with one value of the leading column are remembered at most so many; more keep to no order that could be told. */
const MOST_OF_A_GROUP = 100_000;

/** Rows whose leading column has one value, however it is spelled. */
interface Group {
  /** As it was spelled last. */
  lead: Key;
  readonly rows: Set<string>;
  /** Rows of each spelling. */
  readonly spelled: Map<Key, number>;
}

/** A composite key: rows are in the order of its leading column, and those that share its last value are remembered. */
class LeadingKeyWatch implements KeyWatch {
  private readonly lead: ColumnBuffer;
  private readonly parts: readonly ColumnBuffer[];
  private readonly order: TextOrder;
  private group: Group | undefined;
  private before: ReadonlySet<string> = new Set();

  constructor(lead: ColumnBuffer, parts: readonly ColumnBuffer[]) {
    this.lead = lead;
    this.parts = parts;
    this.order = new TextOrder(lead, true);
  }

  begin(exclude: Key | null, remembers = false): void {
    this.order.reset(remembers ? new KeyMemory() : undefined);
    const { group } = this;
    this.before = new Set(group !== undefined && group.lead === exclude ? group.rows : []);
  }

  get known(): number {
    return this.before.size;
  }

  isKnown(row: number): boolean {
    return this.before.has(this.keyOf(row));
  }

  see(row: number): void {
    const lead = valueText(this.lead, row) ?? '';
    const key = this.keyOf(row);
    this.order.see(lead, key);
    if (this.group === undefined || !this.order.isSame(this.group.lead, lead))
      this.group = { lead, rows: new Set(), spelled: new Map() };
    const { rows, spelled } = this.group;
    this.group.lead = lead;
    if (rows.has(key) || rows.size >= MOST_OF_A_GROUP) this.order.broken();
    else {
      rows.add(key);
      spelled.set(lead, (spelled.get(lead) ?? 0) + 1);
    }
  }

  seen(): KeysSeen {
    // A server that tells spellings apart brings those of the last one again.
    return { ...this.order.seen(), tail: this.group?.spelled.get(this.group.lead) ?? 0 };
  }

  private keyOf(row: number): string {
    return textOf(this.parts, row);
  }
}
