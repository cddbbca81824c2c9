/**
 * Reads Parquet files with parquet-wasm (the Rust `parquet` crate), which did not write them, into exact values in the demo instance's
 * own notation: no value passes through a float that was not one.
 */
import { readFile } from 'node:fs/promises';
import { type Data, DataType, tableFromIPC, type Vector } from 'apache-arrow';
import { readParquet } from 'parquet-wasm';
import { decimalToText } from '../../src/decode/decimals.ts';
import { dateText, timestampText, timeText } from '../../src/decode/values.ts';

export type Exact = string | number | bigint | boolean | null;
export type ExactRow = Readonly<Record<string, Exact>>;

/** Rows of a file, in order. */
export async function readRows(path: string): Promise<ExactRow[]> {
  return arrowRows(readParquet(await readFile(path)).intoIPCStream());
}

/** Rows of an Arrow IPC file or stream, in order. */
export function arrowRows(bytes: Uint8Array): ExactRow[] {
  const table = tableFromIPC(bytes);
  const columns = table.schema.fields.map((field, index) => [field.name, valuesOf(table.getChildAt(index)!)] as const);
  return Array.from({ length: table.numRows }, (_, row) =>
    Object.fromEntries(columns.map(([name, values]) => [name, values[row] ?? null])),
  );
}

/** Names and Arrow types of a file's columns. */
export async function readTypes(path: string): Promise<Readonly<Record<string, string>>> {
  const { schema } = tableFromIPC(readParquet(await readFile(path)).intoIPCStream());
  return Object.fromEntries(schema.fields.map((field) => [field.name, String(field.type)]));
}

function valuesOf(vector: Vector): Exact[] {
  return vector.data.flatMap((data) => {
    const read = reader(data);
    return Array.from({ length: data.length }, (_, row) => (data.getValid(row) ? read(data.offset + row, row) : null));
  });
}

/** Reads the value at an index of the buffers (`at`), or of the chunk (`row`), past Arrow JS's own conversions. */
function reader(data: Data): (at: number, row: number) => Exact {
  const { type, values } = data;
  // A text may begin with the mark that stands before UTF-8 elsewhere.
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  if (DataType.isDecimal(type)) {
    const words = values as Uint32Array;
    const view = new DataView(words.buffer, words.byteOffset);
    // Decimals have no offset applied to their values by Arrow JS.
    return (_, row) =>
      decimalToText((view.getBigInt64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true), type.scale);
  }
  if (DataType.isTimestamp(type)) return (_, row) => sixDigits(timestampText(big(values, row)));
  if (DataType.isTime(type)) return (_, row) => sixDigits(timeText(big(values, row)));
  if (DataType.isDate(type)) return (_, row) => dateText((values as Int32Array)[row]!);
  if (DataType.isBool(type)) return (at) => (((values as Uint8Array)[at >> 3]! >> (at & 7)) & 1) === 1;
  if (DataType.isFixedSizeBinary(type)) {
    return (_, row) => guidText(values.subarray(row * type.byteWidth, (row + 1) * type.byteWidth));
  }
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return (_, row) => utf8.decode(slice(data, row));
  if (DataType.isBinary(type) || DataType.isLargeBinary(type))
    return (_, row) => Buffer.from(slice(data, row)).toString('base64');
  if (DataType.isInt(type) || DataType.isFloat(type)) return (_, row) => values[row] as number | bigint;
  throw new Error(`no reader for ${type}`);
}

function slice(data: Data, row: number): Uint8Array {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  return (data.values as Uint8Array).subarray(Number(offsets[row]), Number(offsets[row + 1]));
}

function big(values: unknown, row: number): bigint {
  if (!(values instanceof BigInt64Array)) throw new Error('64-bit values were expected');
  return values[row]!;
}

function guidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The demo instance writes microseconds always; ours where there are any. */
export function sixDigits(text: string): string {
  const zone = text.endsWith('Z') ? 'Z' : '';
  const bare = text.slice(0, text.length - zone.length);
  return bare.includes('.') ? text : `${bare}.000000${zone}`;
}
