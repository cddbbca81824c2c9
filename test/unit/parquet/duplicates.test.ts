import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Column } from '../../../src/core/schema.ts';
import { settleDuplicates } from '../../../src/parquet/duplicates.ts';
import { MOST_GROUP_BYTES } from '../../../src/parquet/group-bytes.ts';
import type { LocalPart } from '../../../src/parquet/task.ts';
import { readRows, readTypes } from '../../support/parquet.ts';

let folder: string;
let files = 0;
const never = new AbortController().signal;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-duplicates-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const column = (name: string, type: Column['type'], edmType: string): Column => ({
  name,
  type,
  edmType,
  nullable: false,
  sensitive: false,
});

const COLUMNS = [
  column('A', { kind: 'int32' }, 'Edm.Int32'),
  column('B', { kind: 'text' }, 'Edm.String'),
  column('Amount', { kind: 'decimal', precision: 38, scale: 2 }, 'Edm.Decimal'),
  column('At', { kind: 'timestamp' }, 'Edm.DateTimeOffset'),
  column('Row_Version', { kind: 'binary' }, 'Edm.Binary'),
];

const spec = {
  columns: COLUMNS,
  key: ['A', 'B'],
  profile: 'portable',
  compression: 'zstd',
  groupBytes: MOST_GROUP_BYTES,
  metadata: { 'tablevault.table': 'T' },
} as const;

/** A part of rows `[A, B, Amount, Row_Version]`. */
async function partOf(rows: readonly (readonly [number, string, string, number])[]): Promise<LocalPart> {
  const path = join(folder, `part-${files++}.parquet`);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const values = rows.map(
    ([a, b, amount, version]) =>
      `(${a}::INT, '${b}', ${amount}::DECIMAL(38,2), TIMESTAMPTZ '2024-03-04 05:06:07.123456Z', from_hex('${version.toString(16).padStart(16, '0')}'))`,
  );
  const names = COLUMNS.map(({ name }) => `"${name}"`).join(', ');
  await connection.run(
    `COPY (SELECT * FROM (VALUES ${values.join(', ')}) t(${names})) TO '${path}' (FORMAT parquet, COMPRESSION zstd)`,
  );
  connection.closeSync();
  instance.closeSync();
  return {
    path,
    rows: rows.length,
    bytes: 0,
    sha256: '',
    rowBytes: 0,
    firstKey: null,
    lastKey: null,
    ascending: false,
    columns: {},
    nulls: { written: [], leftOut: [] },
  };
}

test('parts without a key that comes twice stay as they are', async () => {
  const parts = [await partOf([[1, 'a', '1.00', 1]]), await partOf([[1, 'b', '1.00', 1]])];
  expect(await settleDuplicates(parts, spec, never)).toEqual({ ok: true, parts, dropped: 0 });
});

test('of rows with the same key the later Row_Version stays, across parts, with types and values as they were', async () => {
  const parts = [
    await partOf([
      [1, 'a', '1.00', 7],
      [2, 'a', '99999999999999999999999999999999999.25', 300],
      [3, 'a', '3.00', 9],
    ]),
    await partOf([
      [2, 'a', '2.00', 10],
      [1, 'a', '1.50', 256],
      [1, 'b', '4.00', 7],
    ]),
  ];
  const types = await readTypes(parts[0]!.path);
  const settled = await settleDuplicates(parts, spec, never);
  expect(settled).toMatchObject({ ok: true, dropped: 2 });
  if (!settled.ok) return;
  const rows = (await Promise.all(settled.parts.map(({ path }) => readRows(path)))).flat();
  expect(rows.map((row) => [row['A'], row['B'], row['Amount']])).toEqual([
    [2, 'a', '99999999999999999999999999999999999.25'],
    [3, 'a', '3.00'],
    [1, 'a', '1.50'],
    [1, 'b', '4.00'],
  ]);
  expect(settled.parts.map((part) => part.rows)).toEqual([2, 2]);
  expect(settled.parts[0]!.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(settled.parts[0]!.columns['A']).toMatchObject({ nulls: 0, min: '2', max: '3' });
  expect(await readTypes(settled.parts[0]!.path)).toEqual(types);
});

test('the same key with the same Row_Version is a fault that nothing settles', async () => {
  const part = await partOf([
    [1, 'a', '1.00', 7],
    [2, 'a', '1.00', 8],
    [1, 'a', '1.00', 7],
  ]);
  expect(await settleDuplicates([part], spec, never)).toEqual({ ok: false, key: '1,a' });
});

test('without a Row_Version nothing tells which row is the later one', async () => {
  const part = await partOf([
    [1, 'a', '1.00', 7],
    [1, 'a', '2.00', 8],
  ]);
  const columns = COLUMNS.slice(0, 4);
  expect(await settleDuplicates([part], { ...spec, columns }, never)).toEqual({ ok: false, key: '1,a' });
});
