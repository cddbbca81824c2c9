/**
 * Rows as Arrow IPC: the file format for files, the stream format for streams. The decoder's buffers are Arrow's own but for booleans,
 * decimals and GUIDs; no builder is used, since those of Arrow JS are slow, and wrong for decimals and timestamps.
 *
 * @see Apache Arrow, "Columnar Format" (layout of the buffers) and "Canonical Extension Types" (`arrow.uuid`)
 */
import {
  Binary,
  Bool,
  type Data,
  type DataType,
  DateDay,
  Decimal,
  Field,
  FixedSizeBinary,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimeMicrosecond,
  TimestampMicrosecond,
  Uint8,
  Utf8,
} from 'apache-arrow';
import type { Column, TypeProfile } from '../../core/schema.ts';
import type { ColumnBuffer } from '../../decode/columns.ts';
import { guidAt } from '../../decode/keys.ts';
import { valueAt } from '../../decode/values.ts';
import type { FormatOptions, RowFormat } from './format.ts';

export function arrowFormat({ columns, output, profile, toFile }: FormatOptions): RowFormat {
  const fields = output.map((index) => fieldOf(columns[index]!, profile));
  const schema = new Schema(fields);
  const writer = toFile ? new FileBytes() : new StreamBytes();
  return {
    eager: false,
    head: () => {
      writer.reset(undefined, schema);
      return writer.take();
    },
    rows: (batch) => {
      const children = output.map((index, i) => dataOf(batch.columns[index]!, fields[i]!.type, batch.rows));
      const data = makeData({ type: new Struct(fields), length: batch.rows, nullCount: 0, children });
      writer.write(new RecordBatch(schema, data));
      return writer.take();
    },
    tail: () => {
      writer.finish();
      return writer.take();
    },
  };
}

/** What a writer of Arrow JS would put into its queue, to be taken at once: the queue has no back-pressure. */
class StreamBytes extends RecordBatchStreamWriter {
  private chunks: Uint8Array[] = [];

  protected override _write(chunk: Parameters<RecordBatchStreamWriter['_write']>[0]): this {
    this._position += keep(this.chunks, chunk);
    return this;
  }

  take(): readonly Uint8Array[] {
    const { chunks } = this;
    this.chunks = [];
    return chunks;
  }
}

class FileBytes extends RecordBatchFileWriter {
  private chunks: Uint8Array[] = [];

  protected override _write(chunk: Parameters<RecordBatchFileWriter['_write']>[0]): this {
    this._position += keep(this.chunks, chunk);
    return this;
  }

  take(): readonly Uint8Array[] {
    const { chunks } = this;
    this.chunks = [];
    return chunks;
  }
}

function keep(chunks: Uint8Array[], chunk: unknown): number {
  if (!ArrayBuffer.isView(chunk)) return 0;
  chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  return chunk.byteLength;
}

function fieldOf({ name, nullable, type }: Column, profile: TypeProfile): Field {
  const uuid = type.kind === 'guid' && profile === 'native';
  const metadata = uuid
    ? new Map([
        ['ARROW:extension:name', 'arrow.uuid'],
        ['ARROW:extension:metadata', ''],
      ])
    : undefined;
  return new Field(name, arrowType(type, profile), nullable, metadata);
}

/** The column type table of the outside contract, in Arrow's terms. */
function arrowType(type: Column['type'], profile: TypeProfile): DataType {
  const portable = profile === 'portable';
  switch (type.kind) {
    case 'boolean':
      return new Bool();
    case 'int8':
      return new Int8();
    case 'uint8':
      return portable ? new Int16() : new Uint8();
    case 'int16':
      return new Int16();
    case 'int32':
      return new Int32();
    case 'int64':
      return new Int64();
    case 'float32':
      return new Float32();
    case 'float64':
      return new Float64();
    case 'decimal':
      return new Decimal(type.scale, type.precision, 128);
    case 'timestamp':
      return new TimestampMicrosecond('UTC');
    case 'date':
      return new DateDay();
    case 'time':
      return portable ? new Utf8() : new TimeMicrosecond();
    case 'guid':
      return portable ? new Utf8() : new FixedSizeBinary(16);
    case 'binary':
      return new Binary();
    case 'text':
    case 'decimalText':
    case 'json':
      return new Utf8();
  }
}

/** A copy of a column's values in Arrow's layout. */
function dataOf(column: ColumnBuffer, type: DataType, rows: number): Data {
  const nullBitmap = column.nulls === 0 ? null : column.validity.slice(0, Math.ceil(rows / 8));
  const base = { type, length: rows, nullCount: column.nulls, nullBitmap };
  const fixed = (data: ArrayBufferView) => makeData({ ...base, data } as Parameters<typeof makeData>[0]);
  const texts = (textOf: (row: number) => string) =>
    makeData({ ...base, ...textsOf(column, rows, textOf) } as Parameters<typeof makeData>[0]);
  const { kind } = column.column.type;
  switch (kind) {
    case 'boolean':
      return fixed(bits(column, rows));
    case 'int8':
      return fixed(new Int8Array(column.bytes.slice(0, rows).buffer));
    case 'uint8':
      return fixed(
        type instanceof Int16 ? Int16Array.from(column.bytes.subarray(0, rows)) : column.bytes.slice(0, rows),
      );
    case 'int16':
      return fixed(column.i16.slice(0, rows));
    case 'int32':
    case 'date':
      return fixed(column.i32.slice(0, rows));
    case 'int64':
    case 'timestamp':
      return fixed(column.i64.slice(0, rows));
    case 'float32':
      return fixed(column.f32.slice(0, rows));
    case 'float64':
      return fixed(column.f64.slice(0, rows));
    case 'decimal':
      return fixed(decimals(column, rows));
    case 'time':
      return type instanceof Utf8 ? texts((row) => String(valueAt(column, row))) : fixed(column.i64.slice(0, rows));
    case 'guid':
      return type instanceof Utf8 ? texts((row) => guidAt(column, row)) : fixed(uuids(column, rows));
    default:
      return makeData({
        ...base,
        valueOffsets: column.offsets.slice(0, rows + 1),
        data: column.data.slice(0, column.offsets[rows]),
      } as Parameters<typeof makeData>[0]);
  }
}

/** A bit for each of the decoder's bytes. */
function bits({ bytes }: ColumnBuffer, rows: number): Uint8Array {
  const packed = new Uint8Array(Math.ceil(rows / 8));
  for (let row = 0; row < rows; row++) if (bytes[row] === 1) packed[row >> 3]! |= 1 << (row & 7);
  return packed;
}

/**
 * Decimals at 128 bits, little endian, whatever width they were decoded to. Word by word: it is faster than BigInt, and the optimizing
 * compiler of Node 20 (V8 11.3) aborts the process over the same loop written with 64-bit BigInts.
 */
function decimals({ width, i16, i32 }: ColumnBuffer, rows: number): Uint32Array {
  const words = new Int32Array(rows * 4);
  const used = Math.max(1, width / 4);
  for (let row = 0; row < rows; row++) {
    for (let word = 0; word < used; word++)
      words[row * 4 + word] = width === 2 ? (i16[row] ?? 0) : (i32[row * used + word] ?? 0);
    const sign = words[row * 4 + used - 1]! >> 31;
    for (let word = used; word < 4; word++) words[row * 4 + word] = sign;
  }
  return new Uint32Array(words.buffer);
}

/** GUIDs as 16 bytes in the order of their text. */
function uuids(column: ColumnBuffer, rows: number): Uint8Array {
  const bytes = Buffer.alloc(rows * 16);
  for (let row = 0; row < rows; row++) {
    if (!column.isNull(row)) bytes.write(guidAt(column, row).replaceAll('-', ''), row * 16, 'hex');
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textsOf(column: ColumnBuffer, rows: number, textOf: (row: number) => string) {
  const valueOffsets = new Int32Array(rows + 1);
  let text = '';
  for (let row = 0; row < rows; row++) {
    // ASCII alone: a character is a byte.
    if (!column.isNull(row)) text += textOf(row);
    valueOffsets[row + 1] = text.length;
  }
  return { valueOffsets, data: new Uint8Array(Buffer.from(text, 'latin1')) };
}
