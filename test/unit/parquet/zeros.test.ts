/** 0.0 and -0.0 are two values: in a file as it is written, in one that lost rows that came twice, in several files as one. */

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { combineParts } from '../../../src/parquet/combine.ts';
import { settleDuplicates } from '../../../src/parquet/duplicates.ts';
import { MOST_GROUP_BYTES } from '../../../src/parquet/group-bytes.ts';
import { WriterPool } from '../../../src/parquet/pool.ts';
import type { LocalPart, TaskSpec } from '../../../src/parquet/task.ts';
import { column } from '../../support/decode.ts';
import { readRows } from '../../support/parquet.ts';

const ROWS = 300;
const COLUMNS = [
  column('A', { kind: 'int32' }, false),
  column('F', { kind: 'float64' }),
  column('S', { kind: 'float32' }),
  column('Row_Version', { kind: 'binary' }),
];
const never = new AbortController().signal;
/** Both zeros and a number, in runs and alternating. */
const zero = (n: number) => (n % 7 === 0 ? 1.5 : n % 2 === 0 || n < 100 ? -0 : 0);
const json = (value: number) => (Object.is(value, -0) ? '-0.0' : String(value));

let folder: string;
let pool: WriterPool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-zeros-'));
  pool = new WriterPool(1);
});

afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true, force: true });
});

const spec = (path: string): TaskSpec => ({
  table: 'T',
  columns: COLUMNS,
  key: ['A'],
  profile: 'portable',
  compression: 'zstd',
  partRows: 1_000_000,
  path: join(folder, path),
  metadata: {},
  absentIsNull: false,
  groupBytes: MOST_GROUP_BYTES,
  maxRowBytes: 1024 * 1024,
});

async function write(path: string, from: number, twice = false): Promise<readonly LocalPart[]> {
  const sink = await pool.open(spec(path), {});
  const row = (n: number, version: string) =>
    `{"A":${n},"F":${json(zero(n))},"S":${json(zero(n))},"Row_Version":"${version}"}`;
  const rows = Array.from({ length: ROWS }, (_, i) => row(from + i, 'AAAAAAAAAAI='));
  if (twice) rows.push(row(from, 'AAAAAAAAAAE='));
  sink.begin(null);
  await sink.write(new TextEncoder().encode(`{"value":[${rows.join(',')}]}`));
  await sink.end();
  return sink.finish();
}

async function expectZeros(path: string, from: number, count: number): Promise<void> {
  const rows = await readRows(path);
  expect(rows).toHaveLength(count);
  for (const [i, { F, S }] of rows.entries()) expect([F, S]).toStrictEqual([zero(from + i), zero(from + i)]);
}

test('in a file as it is written', async () => {
  const [part] = await write('written', 0);
  await expectZeros(part!.path, 0, ROWS);
});

test('in a file that lost a row that came twice', async () => {
  const settled = await settleDuplicates(await write('settled', 0, true), spec('settled'), never);
  expect(settled).toMatchObject({ ok: true, dropped: 1 });
  if (settled.ok) await expectZeros(settled.parts[0]!.path, 0, ROWS);
});

test('in several files as one', async () => {
  const parts = [...(await write('first', 0)), ...(await write('second', ROWS))];
  const to = join(folder, 'one.parquet');
  const spill = join(folder, 'spill');
  await mkdir(spill);
  await combineParts({ parts, output: COLUMNS.slice(0, 3), compression: 'zstd', spill, to, signal: never });
  await expectZeros(to, 0, 2 * ROWS);
});
