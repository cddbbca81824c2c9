/**
 * Rows as CSV and as newline-delimited JSON. Every digit is kept.
 *
 * In JSON, Int64 and decimals are strings: most readers make floats of JSON numbers. It is what OData does under `IEEE754Compatible=true`.
 */
import { csvField, csvNull } from '../../core/csv.ts';
import { CODE, type ColumnBuffer } from '../../decode/columns.ts';
import { valueAt } from '../../decode/values.ts';
import type { FormatOptions, RowFormat } from './format.ts';

const NOTHING: readonly Uint8Array[] = [];

/** RFC 4180: a header, CRLF, quotes where they are needed. Null is an empty field (`NULL` in a single column), an empty text is `""`; bytes are base64. */
export function csvFormat({ columns, output }: FormatOptions): RowFormat {
  const names = output.map((index) => csvField(columns[index]!.name));
  const nullText = csvNull(output.length);
  return {
    eager: true,
    head: () => [Buffer.from(`${names.join(',')}\r\n`)],
    rows: (batch) => {
      const buffers = output.map((index) => batch.columns[index]!);
      let text = '';
      for (let row = 0; row < batch.rows; row++) {
        for (let i = 0; i < buffers.length; i++) {
          if (i > 0) text += ',';
          text += csvValue(buffers[i]!, row, nullText);
        }
        text += '\r\n';
      }
      return [Buffer.from(text)];
    },
    tail: () => NOTHING,
  };
}

/** One JSON object a line; all columns in each, null where there is no value. */
export function ndjsonFormat({ columns, output }: FormatOptions): RowFormat {
  const names = output.map((index) => JSON.stringify(columns[index]!.name));
  return {
    eager: true,
    head: () => NOTHING,
    rows: (batch) => {
      const buffers = output.map((index) => batch.columns[index]!);
      let text = '';
      for (let row = 0; row < batch.rows; row++) {
        for (let i = 0; i < buffers.length; i++) {
          text += `${i === 0 ? '{' : ','}${names[i]}:${jsonValue(buffers[i]!, row)}`;
        }
        text += '}\n';
      }
      return [Buffer.from(text)];
    },
    tail: () => NOTHING,
  };
}

function csvValue(column: ColumnBuffer, row: number, nullText: string): string {
  const value = valueAt(column, row);
  if (value === null) return nullText;
  if (typeof value === 'number') return numberText(value, column);
  if (value instanceof Uint8Array) return csvField(base64(value), nullText);
  return csvField(String(value), nullText);
}

function jsonValue(column: ColumnBuffer, row: number): string {
  const value = valueAt(column, row);
  if (value === null) return 'null';
  if (typeof value === 'number')
    return Number.isFinite(value) ? numberText(value, column) : `"${numberText(value, column)}"`;
  if (value instanceof Uint8Array) return `"${base64(value)}"`;
  return JSON.stringify(value);
}

/** The shortest digits that give the value again; OData's names of what is no number. */
function numberText(value: number, column: ColumnBuffer): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF';
  if (Object.is(value, -0)) return '-0';
  if (column.code !== CODE.float32) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return String(shorter);
  }
  return String(Number(value.toPrecision(9)));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
