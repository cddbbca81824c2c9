/**
 * One table's rows: a base of `size` rows that are functions of the seed, in key order, and over it what was written since: updates,
 * deletions, and inserted rows at their places in the order.
 */
import { TablevaultError } from '../core/errors.ts';
import { END_ORDINAL, type KeyMaker } from './keys.ts';
import type { DemoColumn, TableModel, Value } from './model.ts';
import { type Compare, type GuidOrder, keyOrder, type Order, reordered } from './order.ts';
import type { ValueMaker } from './values.ts';

export const BLOCK_ROWS = 1000;

export interface RowRef {
  /** Below the table's size: a base row; above: an inserted one. */
  readonly ordinal: number;
  /** Updates since it was made. */
  readonly generation: number;
  /** As a number; 0 where the table has no Row_Version. */
  readonly rowVersion: number;
}

/** An inserted row at its place: before the base row at position `before`. */
interface Inserted extends RowRef {
  readonly before: number;
  readonly key: readonly Value[];
}

/** A place in the merged sequence of base and inserted rows that stays right while rows are written. */
export interface Place {
  /** Base rows before this position are done. */
  readonly position: number;
  /** Of the rows inserted at this position, those up to this key are done; null is none. */
  readonly after: readonly Value[] | null;
  /** Is the row at `after` itself still to come? */
  readonly inclusive: boolean;
}

export const START: Place = { position: 0, after: null, inclusive: false };

/** Base positions `from` to `to` without a change among them, or one row. */
export type Step =
  | { readonly kind: 'clean'; readonly from: number; readonly to: number }
  | { readonly kind: 'row'; readonly row: RowRef };

export interface TableParts {
  readonly model: TableModel;
  /** Base rows; of a system view, a function. */
  readonly size: number | (() => number);
  readonly keys: readonly KeyMaker[];
  readonly makers: readonly ValueMaker[];
  /** Row_Version of base row i is `firstVersion + i`. */
  readonly firstVersion: number;
  /** Rows repeat with this period but for key and Row_Version; 0 is never. */
  readonly period: number;
  /** Rows that are computed anew at each read (system views): never cached. */
  readonly live: boolean;
}

export class TableData {
  readonly name: string;
  readonly period: number;
  readonly live: boolean;
  #parts: TableParts;
  #schemaVersion = 0;
  readonly #updated = new Map<number, RowRef>();
  readonly #deleted = new Set<number>();
  readonly #dirty = new Set<number>();
  readonly #inserted: Record<GuidOrder, Inserted[]> = { sql: [], text: [] };
  /** Inserted rows that exist, by ordinal and, with a single key, their ordinals by key. */
  readonly #insertedRows = new Map<number, RowRef>();
  readonly #insertedKeys = new Map<Value, number>();
  /** Where the inserted row stands that `next` gave last. */
  #lastGiven = 0;
  #insertedCount = 0;
  #endCount = 0;
  readonly #keyOrders: Record<GuidOrder, Compare<readonly Value[]>>;
  #textOrder: Order | null = null;
  readonly #overrides = new Map<string, Value>();
  readonly #json = new Map<string, string>();
  #readers: ((row: RowRef) => Value)[] = [];

  constructor(parts: TableParts) {
    this.#parts = parts;
    const types = parts.keys.map((key) => parts.model.columns[key.column]!.type);
    this.#keyOrders = { sql: keyOrder(types, 'sql'), text: keyOrder(types, 'text') };
    this.name = parts.model.name;
    this.period = parts.period;
    this.live = parts.live;
  }

  get size(): number {
    const { size } = this.#parts;
    return typeof size === 'number' ? size : size();
  }

  get model(): TableModel {
    return this.#parts.model;
  }

  get columns(): readonly DemoColumn[] {
    return this.#parts.model.columns;
  }

  get keys(): readonly KeyMaker[] {
    return this.#parts.keys;
  }

  /** Grows with each change of the columns. */
  get schemaVersion(): number {
    return this.#schemaVersion;
  }

  /** Rows that exist now. */
  get count(): number {
    return this.size - this.#deleted.size + this.#inserted.sql.length;
  }

  /** Base rows that were changed or deleted. */
  get changedRows(): number {
    return this.#updated.size + this.#deleted.size;
  }

  /** Replaces the columns and their makers (a schema change). */
  reshape(model: TableModel, makers: readonly ValueMaker[]): void {
    this.#parts = { ...this.#parts, model, makers };
    this.#readers = [];
    this.#schemaVersion++;
  }

  /** Puts a value in the place of a generated one. */
  override(ordinal: number, column: number, value: Value): void {
    this.#overrides.set(`${ordinal} ${column}`, value);
    this.#dirty.add(Math.floor(ordinal / BLOCK_ROWS));
  }

  /** Puts JSON in the place of a generated value: it is sent as it stands. */
  overrideJson(ordinal: number, column: number, json: string): void {
    this.override(ordinal, column, null);
    this.#json.set(`${ordinal} ${column}`, json);
  }

  /** What is sent in the place of a value, or undefined. */
  jsonAt(ordinal: number, column: number): string | undefined {
    return this.#json.size === 0 ? undefined : this.#json.get(`${ordinal} ${column}`);
  }

  value(row: RowRef, column: number): Value {
    return this.reader(column)(row);
  }

  /** Reads a column of any row; good until the columns change. */
  reader(column: number): (row: RowRef) => Value {
    this.#readers[column] ??= this.#compileReader(column);
    return this.#readers[column];
  }

  #compileReader(column: number): (row: RowRef) => Value {
    const read = this.#plainReader(column);
    return (row) => {
      if (this.#overrides.size === 0) return read(row);
      const value = this.#overrides.get(`${row.ordinal} ${column}`);
      return value === undefined ? read(row) : value;
    };
  }

  #plainReader(column: number): (row: RowRef) => Value {
    if (this.columns[column]!.type.kind === 'rowversion') return (row) => rowVersionText(row.rowVersion);
    const key = this.#parts.keys.find((maker) => maker.column === column);
    if (key !== undefined) return (row) => key.at(row.ordinal);
    const make = this.#parts.makers[column]!;
    const period = this.period;
    return (row) => make(period > 0 ? row.ordinal % period : row.ordinal, row.generation);
  }

  /** The key of a row; of a table without one, its ordinal. */
  keyOf(ordinal: number): readonly Value[] {
    return this.#parts.keys.length === 0 ? [ordinal] : this.#parts.keys.map((key) => key.at(ordinal));
  }

  /** Compares two keys of the table. */
  compareKeys(a: readonly Value[], b: readonly Value[], by: GuidOrder): number {
    return this.#keyOrders[by](a, b);
  }

  /** The order of the base rows. */
  order(by: GuidOrder): Order | null {
    if (by === 'sql' || !this.#parts.keys.some((key) => this.columns[key.column]!.type.kind === 'guid')) return null;
    this.#textOrder ??= reordered(this.size, (ordinal) => this.keyOf(ordinal), this.#keyOrders.text);
    return this.#textOrder;
  }

  /** The base row at a position, as it is now; undefined when it was deleted. */
  rowAt(position: number, by: GuidOrder): RowRef | undefined {
    const order = this.order(by);
    return this.rowOf(order === null ? position : order[position]!);
  }

  /** A row by its ordinal, as it is now. */
  rowOf(ordinal: number): RowRef | undefined {
    if (ordinal < 0 || this.#deleted.has(ordinal)) return undefined;
    if (ordinal >= this.size) return this.#insertedRows.get(ordinal);
    return this.#updated.get(ordinal) ?? this.baseRow(ordinal);
  }

  /** A base row as it was made, whatever was written since. */
  baseRow(ordinal: number): RowRef {
    return { ordinal, generation: 0, rowVersion: this.#parts.firstVersion + ordinal };
  }

  /** The row whose (single, GUID) key is `key`. */
  find(key: Value): RowRef | undefined {
    const ordinal = typeof key === 'string' ? (this.#parts.keys[0]?.guids?.find(key) ?? -1) : -1;
    return this.rowOf(ordinal >= 0 ? ordinal : (this.#insertedKeys.get(key) ?? -1));
  }

  /** Number of base positions whose key is below `key`, or, with `through`, not above it. */
  rank(key: readonly Value[], by: GuidOrder, through: boolean): number {
    const order = this.order(by);
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const compared = this.compareKeys(this.keyOf(order === null ? middle : order[middle]!), key, by);
      if (compared < 0 || (through && compared === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The place of the first row at (or, exclusively, after) a key. */
  placeAt(key: readonly Value[], by: GuidOrder, inclusive: boolean): Place {
    return { position: this.rank(key, by, !inclusive), after: key, inclusive };
  }

  /** What comes at a place, at most to base position `end` and to the end of its block; undefined at the end. */
  next(place: Place, end: number, by: GuidOrder): { readonly step: Step; readonly rest: Place } | undefined {
    const index = this.#firstInserted(place, by);
    const inserted = this.#insertedIn(by)[index];
    if (inserted !== undefined && inserted.before === place.position) {
      this.#lastGiven = index;
      return { step: { kind: 'row', row: inserted }, rest: { ...place, after: inserted.key, inclusive: false } };
    }
    if (place.position >= end) return undefined;
    const from = place.position;
    const block = Math.floor(from / BLOCK_ROWS);
    const to = Math.min(end, inserted?.before ?? end, (block + 1) * BLOCK_ROWS);
    if (by === 'sql' && !this.live && !this.#dirty.has(block)) {
      return { step: { kind: 'clean', from, to }, rest: { position: to, after: null, inclusive: false } };
    }
    for (let position = from; position < to; position++) {
      const row = this.rowAt(position, by);
      const rest = { position: position + 1, after: null, inclusive: false };
      if (row !== undefined) return { step: { kind: 'row', row }, rest };
    }
    return this.next({ position: to, after: null, inclusive: false }, end, by);
  }

  /** Inserts a row at a place of its own in key order, or at the end. */
  insert(rowVersion: number, where: 'own' | 'end' = 'own'): RowRef {
    const ordinal = where === 'end' ? END_ORDINAL + this.#endCount++ : this.size + this.#insertedCount++;
    const key = this.keyOf(ordinal);
    for (const by of ['sql', 'text'] as const) {
      if (by === 'text' && this.#textOrder === null) continue;
      const isLast = this.#parts.keys.length === 0 || (where === 'end' && by === 'sql');
      this.#place(by, {
        ordinal,
        generation: 0,
        rowVersion,
        key,
        before: isLast ? this.size : this.rank(key, by, true),
      });
    }
    const row = { ordinal, generation: 0, rowVersion };
    this.#insertedRows.set(ordinal, row);
    if (key.length === 1) this.#insertedKeys.set(key[0]!, ordinal);
    return row;
  }

  update(ordinal: number, rowVersion: number): RowRef {
    const old = this.rowOf(ordinal);
    if (old === undefined) throw new TablevaultError('BUG', `row ${ordinal} of ${this.name} does not exist`);
    const row = { ordinal, generation: old.generation + 1, rowVersion };
    if (ordinal < this.size) {
      this.#updated.set(ordinal, row);
      this.#dirty.add(Math.floor(ordinal / BLOCK_ROWS));
    } else {
      this.#insertedRows.set(ordinal, row);
      this.#change(ordinal, (list, i) => list.splice(i, 1, { ...list[i]!, ...row }));
    }
    return row;
  }

  remove(ordinal: number): void {
    if (ordinal < this.size) {
      this.#deleted.add(ordinal);
      this.#updated.delete(ordinal);
      this.#dirty.add(Math.floor(ordinal / BLOCK_ROWS));
    } else {
      this.#insertedRows.delete(ordinal);
      this.#insertedKeys.delete(this.keyOf(ordinal)[0]!);
      this.#change(ordinal, (list, i) => list.splice(i, 1));
    }
  }

  /** Ordinals of the inserted rows that exist. */
  insertedOrdinals(): readonly number[] {
    return [...this.#insertedRows.keys()];
  }

  #change(ordinal: number, apply: (list: Inserted[], index: number) => void): void {
    for (const list of [this.#inserted.sql, this.#inserted.text]) {
      const index = list.findIndex((row) => row.ordinal === ordinal);
      if (index >= 0) apply(list, index);
    }
  }

  /** Inserted rows in an order; the text order's list is made when that order is first asked for. */
  #insertedIn(by: GuidOrder): readonly Inserted[] {
    if (by === 'sql') return this.#inserted.sql;
    if (this.#inserted.text.length !== this.#inserted.sql.length) {
      this.#inserted.text.length = 0;
      for (const row of this.#inserted.sql) {
        const before = this.#parts.keys.length === 0 ? this.size : this.rank(row.key, 'text', true);
        this.#place('text', { ...row, before });
      }
    }
    return this.#inserted.text;
  }

  #place(by: GuidOrder, row: Inserted): void {
    const list = this.#inserted[by];
    let index = list.length;
    while (index > 0 && this.#isAfter(list[index - 1]!, row, by)) index--;
    list.splice(index, 0, row);
  }

  #isAfter(a: Inserted, b: Inserted, by: GuidOrder): boolean {
    return a.before === b.before ? this.compareKeys(a.key, b.key, by) > 0 : a.before > b.before;
  }

  #firstInserted(place: Place, by: GuidOrder): number {
    const list = this.#insertedIn(by);
    const { after, inclusive } = place;
    // Mostly the place behind the row that was given last.
    if (!inclusive && after !== null && list[this.#lastGiven]?.key === after) return this.#lastGiven + 1;
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const row = list[middle]!;
      let done = row.before < place.position;
      if (row.before === place.position && place.after !== null) {
        const compared = this.compareKeys(row.key, place.after, by);
        done = compared < 0 || (compared === 0 && !place.inclusive);
      }
      if (done) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A `rowversion` as it comes out: eight bytes, big endian, base64. */
export function rowVersionText(version: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(version));
  return bytes.toString('base64');
}
