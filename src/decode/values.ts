/** Values of column buffers, for formats and messages. */
import { CODE, type ColumnBuffer } from './columns.ts';
import { decimalToText, load128 } from './decimals.ts';
import { guidAt } from './keys.ts';

/** A value as exact text (Int64, decimals, GUIDs, dates, times, text), boolean, number (small integers and floats), bytes, or null. */
export type Value = string | number | boolean | Uint8Array | null;

/** The value of a column at a row, without loss. For tests, text formats and messages: not for the row loop. */
export function valueAt(column: ColumnBuffer, row: number): Value {
  if (column.isNull(row)) return null;
  switch (column.code) {
    case CODE.boolean:
      return column.bytes[row] === 1;
    case CODE.int8:
      return ((column.bytes[row] ?? 0) << 24) >> 24;
    case CODE.uint8:
      return column.bytes[row] ?? 0;
    case CODE.int16:
      return column.i16[row] ?? 0;
    case CODE.int32:
      return column.i32[row] ?? 0;
    case CODE.int64:
      return String(column.i64[row]);
    case CODE.float32:
      return column.f32[row] ?? 0;
    case CODE.float64:
      return column.f64[row] ?? 0;
    case CODE.decimal:
      return decimalToText(unscaled(column, row), column.scale);
    case CODE.guid:
      return guidAt(column, row);
    case CODE.timestamp:
      return timestampText(column.i64[row] ?? 0n);
    case CODE.date:
      return dateText(column.i32[row] ?? 0);
    case CODE.time:
      return timeText(column.i64[row] ?? 0n);
    case CODE.binary:
      return column.data.slice(column.offsets[row], column.offsets[row + 1]);
    default:
      return Buffer.from(column.data.subarray(column.offsets[row], column.offsets[row + 1])).toString('utf8');
  }
}

/** The value as text; bytes as base64. */
export function valueText(column: ColumnBuffer, row: number): string | null {
  const value = valueAt(column, row);
  if (value === null) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
}

function unscaled(column: ColumnBuffer, row: number): bigint {
  switch (column.width) {
    case 2:
      return BigInt(column.i16[row] ?? 0);
    case 4:
      return BigInt(column.i32[row] ?? 0);
    case 8:
      return column.i64[row] ?? 0n;
    default:
      return load128(column.i64, row);
  }
}

/** `YYYY-MM-DD` of days since 1970. */
export function dateText(days: number): string {
  return new Date(days * 86_400_000).toISOString().slice(0, 10);
}

/** `YYYY-MM-DDThh:mm:ss[.ffffff]Z` of microseconds since 1970. */
export function timestampText(micros: bigint): string {
  const day = 86_400_000_000n;
  const days = (micros - (((micros % day) + day) % day)) / day;
  return `${dateText(Number(days))}T${timeText(micros - days * day)}Z`;
}

/** `hh:mm:ss[.ffffff]` of microseconds since midnight. */
export function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const two = (n: number) => String(n).padStart(2, '0');
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const fraction = Number(micros % 1_000_000n);
  return fraction === 0 ? clock : `${clock}.${String(fraction).padStart(6, '0')}`;
}
