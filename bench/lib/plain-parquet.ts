/**
 * The plain pipeline: what one writes first in Node. `JSON.parse` of each page, a loop over its rows, parquetjs-lite. It has no DECIMAL
 * (floats instead), no UUID and no zstd; it does less than the others, and is let off.
 */
import parquetjs from 'parquetjs-lite';
import type { Column, ColumnType } from '../../src/core/schema.ts';

type Convert = (value: unknown) => unknown;
const asItIs: Convert = (value) => value;

/** Writes the pages' rows to one file. */
export async function writePlain(
  pages: readonly Uint8Array[],
  columns: readonly Column[],
  path: string,
  compression: string,
): Promise<void> {
  const fields = columns.map(({ name, nullable, type }) => {
    const { parquet, convert } = plainType(type);
    return { name, convert, field: { type: parquet, optional: nullable, compression } };
  });
  const schema = new parquetjs.ParquetSchema(Object.fromEntries(fields.map(({ name, field }) => [name, field])));
  const converted = fields.filter(({ convert }) => convert !== asItIs);
  const writer = await parquetjs.ParquetWriter.openFile(schema, path);
  for (const page of pages) {
    const { value } = JSON.parse(Buffer.from(page.buffer, page.byteOffset, page.length).toString()) as {
      value: Record<string, unknown>[];
    };
    for (const row of value) {
      for (const { name, convert } of converted) if (row[name] !== null) row[name] = convert(row[name]);
      await writer.appendRow(row);
    }
  }
  await writer.close();
}

function plainType({ kind }: ColumnType): { readonly parquet: string; readonly convert: Convert } {
  switch (kind) {
    case 'boolean':
      return { parquet: 'BOOLEAN', convert: asItIs };
    case 'int32':
      return { parquet: 'INT32', convert: asItIs };
    case 'decimal':
      return { parquet: 'DOUBLE', convert: asItIs };
    case 'date':
      return { parquet: 'DATE', convert: (value) => new Date(String(value)) };
    case 'timestamp':
      return { parquet: 'TIMESTAMP_MILLIS', convert: (value) => new Date(String(value)) };
    case 'binary':
      return { parquet: 'BYTE_ARRAY', convert: (value) => Buffer.from(String(value), 'base64') };
    case 'guid':
    case 'text':
      return { parquet: 'UTF8', convert: asItIs };
    default:
      throw new Error(`the plain pipeline is not written for ${kind}`);
  }
}
