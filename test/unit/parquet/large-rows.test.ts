import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { groupBytesOf, MOST_GROUP_BYTES } from '../../../src/parquet/group-bytes.ts';
import { WriterPool } from '../../../src/parquet/pool.ts';
import { column } from '../../support/decode.ts';

const MB = 1024 * 1024;
let folder: string;
let pool: WriterPool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-large-'));
  pool = new WriterPool(2, 16);
});
afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true, force: true });
});

/** Writes rows whose texts have the given sizes. */
async function write(sizes: readonly number[], groupBytes: number, chunk: number) {
  const sink = await pool.open({
    table: 'T',
    columns: [column('Id', { kind: 'int32' }, false), column('Text', { kind: 'text' })],
    key: ['Id'],
    profile: 'portable',
    compression: 'zstd',
    partRows: 1_000_000,
    groupBytes,
    path: join(folder, `${groupBytes}-${chunk}-${sizes.length}`),
    metadata: {},
    absentIsNull: false,
    maxRowBytes: 64 * MB,
  });
  sink.begin(null);
  const body = Buffer.from(
    JSON.stringify({ value: sizes.map((size, Id) => ({ Id, Text: `${Id}`.padEnd(size, 'x') })) }),
  );
  for (let at = 0; at < body.length; at += chunk) await sink.write(body.subarray(at, at + chunk));
  await sink.end();
  return sink.finish();
}

describe('parts', () => {
  test('of rows that become large end early, so that none holds much more than a row group may', async () => {
    const sizes = [...Array.from({ length: 3000 }, () => 20), ...Array.from({ length: 300 }, () => 100_000)];
    const parts = await write(sizes, 4 * MB, 200_000);
    expect(parts.reduce((sum, { rows }) => sum + rows, 0)).toBe(sizes.length);
    expect(parts.length).toBeGreaterThan(1);
    // Its first rows were small, so that its row group would take many of the large ones. A batch of 8 MB may come on top.
    const [first] = parts;
    expect(first!.rows * first!.rowBytes).toBeLessThan(4 * MB * 1.5 + 9 * MB);
  });

  test('of the same rows are the same bytes, however these come', async () => {
    const sizes = Array.from({ length: 400 }, (_, n) => 1 + ((n * 7919) % 60_000));
    const [a, b] = [await write(sizes, 2 * MB, 1_000), await write(sizes, 2 * MB, 777_777)];
    expect(a.map(({ sha256 }) => sha256)).toEqual(b.map(({ sha256 }) => sha256));
    expect(a.map(({ firstKey, lastKey }) => [firstKey, lastKey])).toEqual(
      b.map(({ firstKey, lastKey }) => [firstKey, lastKey]),
    );
  });

  test('of rows as usual are not cut', async () => {
    expect(
      await write(
        Array.from({ length: 20_000 }, () => 100),
        MOST_GROUP_BYTES,
        500_000,
      ),
    ).toHaveLength(1);
  });
});

test('the memory that a pipeline allows is shared among its writers', () => {
  expect(groupBytesOf(4096, 2)).toBe(MOST_GROUP_BYTES);
  expect(groupBytesOf(128, 3)).toBeLessThan(13 * MB);
  expect(groupBytesOf(128, 1)).toBeGreaterThan(2 * groupBytesOf(128, 3));
});
