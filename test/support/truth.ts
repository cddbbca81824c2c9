/** The rows of Parquet files against the demo instance's own, value by value. */
import { expect } from 'vitest';
import type { DemoInstance } from '../../src/demo/instance.ts';
import { type Exact, readRows, sixDigits } from './parquet.ts';

/** A true value as a column of the portable profile holds it. */
function portable(value: Exact, kind: string): Exact {
  if (value === null) return null;
  if (kind === 'time') return String(value).replace('.000000', '');
  return kind === 'datetime' ? sixDigits(String(value)) : value;
}

/** Compares all rows in order; returns how many there were. */
export async function compareWithTruth(demo: DemoInstance, table: string, files: readonly string[]): Promise<number> {
  const { columns } = demo.tables.find(({ name }) => name === table)!;
  const read = columns.filter(({ sensitive }) => !sensitive);
  const rows = (await Promise.all(files.map(readRows))).flat();
  const truth = [...demo.rows(table)] as unknown as Record<string, Exact>[];
  expect(rows.length, `rows of ${table}`).toBe(truth.length);
  for (const [index, row] of rows.entries()) {
    for (const { name, type } of read) {
      const have = row[name];
      const want = portable(truth[index]![name] ?? null, type.kind);
      if (!Object.is(have, want))
        expect({ table, index, column: name, value: have }).toEqual({ table, index, column: name, value: want });
    }
    if (Object.keys(row).length !== read.length) expect(Object.keys(row)).toEqual(read.map(({ name }) => name));
  }
  return rows.length;
}
