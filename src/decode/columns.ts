/** Typed column buffers: what rows are decoded into. */
import type { Column, ColumnType } from '../core/schema.ts';

/** Rows of a batch at most: DuckDB's vector size, so that a batch fills one output chunk. */
export const BATCH_ROWS = 2048;

/** The kind of a column as a small integer, for the switch in the row loop. */
export const CODE = {
  boolean: 0,
  int8: 1,
  uint8: 2,
  int16: 3,
  int32: 4,
  int64: 5,
  float32: 6,
  float64: 7,
  decimal: 8,
  guid: 9,
  timestamp: 10,
  date: 11,
  time: 12,
  text: 13,
  binary: 14,
  decimalText: 15,
  json: 16,
} as const satisfies Record<ColumnType['kind'], number>;

/** Codes from here on have values of any length, held as offsets and data. */
const FIRST_VARIABLE = CODE.text;

/**
 * The values of one column of a batch, in Arrow's layout: a validity bitmap (bit set = value), then either fixed-width little-endian
 * values or `offsets` into `data`. Three widths are those of DuckDB rather than of Arrow: booleans take a byte, decimals the 2, 4, 8
 * or 16 bytes their precision needs, and GUIDs stand as 128-bit integers with the first bit turned (the order of their text).
 */
export class ColumnBuffer {
  readonly column: Column;
  readonly code: number;
  readonly nullable: boolean;
  /** Bytes of a value; 0 for text, binary and JSON. */
  readonly width: number;
  /** Digits after the point; 0 for other kinds. */
  readonly scale: number;
  /** Digits in all; 0 for other kinds. */
  readonly precision: number;
  /** Unscaled decimals stay below this; Infinity for other kinds. */
  readonly bound: number;
  readonly validity: Uint8Array = new Uint8Array(BATCH_ROWS / 8).fill(255);
  readonly bytes: Uint8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  /** Where the value of row r begins in `data`; the value ends where that of row r + 1 begins. */
  readonly offsets: Int32Array;
  data: Uint8Array;
  /** Was a null of this column written, and was one left out, in any row so far? Both cannot be: then what is left out is not null. */
  sawNull = false;
  sawAbsent = false;
  /** Nulls among the rows of this batch, counted by `finish`. */
  nulls = 0;
  /** Has any byte of `data` its high bit set? Then the text is checked to be UTF-8. */
  wide = false;

  constructor(column: Column) {
    this.column = column;
    this.code = CODE[column.type.kind];
    this.nullable = column.nullable;
    this.precision = column.type.kind === 'decimal' ? column.type.precision : 0;
    this.scale = column.type.kind === 'decimal' ? column.type.scale : 0;
    this.bound = this.precision === 0 ? Number.POSITIVE_INFINITY : 10 ** this.precision;
    const variable = this.code >= FIRST_VARIABLE;
    this.width = variable ? 0 : widthOf(column.type);
    const buffer = new ArrayBuffer(this.width * BATCH_ROWS);
    this.bytes = new Uint8Array(buffer);
    this.i16 = new Int16Array(this.width >= 2 ? buffer : new ArrayBuffer(0));
    this.i32 = new Int32Array(this.width >= 4 ? buffer : new ArrayBuffer(0));
    this.f32 = new Float32Array(this.width >= 4 ? buffer : new ArrayBuffer(0));
    this.f64 = new Float64Array(this.width >= 8 ? buffer : new ArrayBuffer(0));
    this.i64 = new BigInt64Array(this.width >= 8 ? buffer : new ArrayBuffer(0));
    this.offsets = new Int32Array(variable ? BATCH_ROWS + 1 : 0);
    this.data = new Uint8Array(variable ? 16 * BATCH_ROWS : 0);
  }

  isNull(row: number): boolean {
    return ((this.validity[row >> 3] ?? 0) & (1 << (row & 7))) === 0;
  }

  /** Makes room for `more` bytes of data after the first `used`. */
  reserve(used: number, more: number): void {
    if (used + more <= this.data.length) return;
    const grown = new Uint8Array(Math.max(this.data.length * 2, used + more));
    grown.set(this.data.subarray(0, used));
    this.data = grown;
  }
}

/** Bytes of one value of a fixed-width kind. */
export function widthOf(type: ColumnType): number {
  switch (type.kind) {
    case 'boolean':
    case 'int8':
    case 'uint8':
      return 1;
    case 'int16':
      return 2;
    case 'int32':
    case 'float32':
    case 'date':
      return 4;
    case 'int64':
    case 'float64':
    case 'timestamp':
    case 'time':
      return 8;
    case 'guid':
      return 16;
    case 'decimal':
      return type.precision <= 4 ? 2 : type.precision <= 9 ? 4 : type.precision <= 18 ? 8 : 16;
    case 'text':
    case 'binary':
    case 'decimalText':
    case 'json':
      return 0;
  }
}

/** Bytes that a text or binary value takes beside its content, in DuckDB's vectors. */
export const TEXT_HEADER = 16;
/** A batch of large rows is full when their JSON takes this; the same rows fill the same batches, however they come. */
const MAX_BATCH_JSON = 8 * 1024 * 1024;

/** The columns of up to `BATCH_ROWS` rows. Reused: a batch's content is valid until its decoder begins the next. */
export class Batch {
  readonly columns: readonly ColumnBuffer[];
  rows = 0;
  /** Rows to decode at most, up to `BATCH_ROWS`. */
  limit = BATCH_ROWS;
  /** Bytes of JSON that its rows came in. */
  jsonBytes = 0;

  constructor(columns: readonly Column[]) {
    this.columns = columns.map((column) => new ColumnBuffer(column));
  }

  /** Columns of which nulls were written so far, and those of which they were left out. */
  nullHabits(): { readonly written: readonly string[]; readonly leftOut: readonly string[] } {
    const names = (some: readonly ColumnBuffer[]) => some.map(({ column }) => column.name);
    return {
      written: names(this.columns.filter(({ sawNull }) => sawNull)),
      leftOut: names(this.columns.filter(({ sawAbsent }) => sawAbsent)),
    };
  }

  get full(): boolean {
    return this.rows >= this.limit || this.jsonBytes >= MAX_BATCH_JSON;
  }

  /** Empties the batch; data buffers that one huge value made large are given back. */
  clear(): void {
    this.rows = 0;
    this.jsonBytes = 0;
    for (const column of this.columns) {
      column.validity.fill(255);
      column.nulls = 0;
      column.wide = false;
      if (column.data.length > MAX_KEPT_BYTES) column.data = new Uint8Array(16 * BATCH_ROWS);
    }
  }

  /** Bytes of the values held: what a writer has to keep of them. */
  valueBytes(): number {
    let bytes = 0;
    for (const { width, offsets } of this.columns)
      bytes += width === 0 ? TEXT_HEADER * this.rows + (offsets[this.rows] ?? 0) : width * this.rows;
    return bytes;
  }
}

const MAX_KEPT_BYTES = 8 * 1024 * 1024;
