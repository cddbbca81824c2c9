/** Files that our writer wrote, read back by the Rust `parquet` crate: types as the contract has them, values exact, bytes repeatable. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Guid } from '../../../src/core/guid.ts';
import type { Column, ColumnType, TypeProfile } from '../../../src/core/schema.ts';
import type { PageFacts } from '../../../src/decode/reader.ts';
import { MOST_GROUP_BYTES } from '../../../src/parquet/group-bytes.ts';
import { WriterPool } from '../../../src/parquet/pool.ts';
import type { LocalPart, TaskSpec } from '../../../src/parquet/task.ts';
import { column } from '../../support/decode.ts';
import { readRows, readTypes } from '../../support/parquet.ts';

const KEY = column('Id', { kind: 'guid' }, false);
const COLUMNS: readonly Column[] = [
  KEY,
  ...(
    [
      ['Bit', { kind: 'boolean' }],
      ['I8', { kind: 'int8' }],
      ['U8', { kind: 'uint8' }],
      ['I16', { kind: 'int16' }],
      ['I32', { kind: 'int32' }],
      ['I64', { kind: 'int64' }],
      ['F32', { kind: 'float32' }],
      ['F64', { kind: 'float64' }],
      ['D4', { kind: 'decimal', precision: 4, scale: 2 }],
      ['D9', { kind: 'decimal', precision: 9, scale: 2 }],
      ['D18', { kind: 'decimal', precision: 18, scale: 0 }],
      ['D38', { kind: 'decimal', precision: 38, scale: 10 }],
      ['DT', { kind: 'decimalText' }],
      ['At', { kind: 'timestamp' }],
      ['Day', { kind: 'date' }],
      ['Time', { kind: 'time' }],
      ['Text', { kind: 'text' }],
      ['Bin', { kind: 'binary' }],
      ['Any', { kind: 'json' }],
    ] as readonly [string, ColumnType][]
  ).map(([name, type]) => column(name, type)),
];

const guid = (n: number) => `${n.toString(16).padStart(2, '0')}000000-5c0d-e311-81cb-00155d001f00` as Guid;
const FULL = {
  Bit: 'true',
  I8: '-128',
  U8: '255',
  I16: '-32768',
  I32: '2147483647',
  I64: '-9223372036854775808',
  F32: '0.5',
  F64: '1e300',
  D4: '-99.99',
  D9: '1234567.89',
  D18: '999999999999999999',
  D38: '-9999999999999999999999999999.9999999999',
  DT: '1.50',
  At: '"9999-12-31T23:59:59.999999Z"',
  Day: '"0001-01-01"',
  Time: '"23:59:59.5"',
  Text: '"дълъг текст, повече от дванадесет байта 😀"',
  Bin: '"AAECAwQFBgcICQoLDA0ODw=="',
  Any: '{"a":1}',
};
const EMPTY = Object.fromEntries(Object.keys(FULL).map((name) => [name, 'null']));
const SHORT = { ...FULL, D38: '0', Text: '""', Bin: '""', Time: '"00:00:00"', Any: '"PT1S"', U8: '0', F32: '-0.0' };

const rowText = (n: number, values: Readonly<Record<string, string>>) =>
  `{"Id":"${guid(n)}",${Object.entries(values)
    .map(([name, value]) => `"${name}":${value}`)
    .join(',')}}`;
const page = (rows: readonly string[]) => new TextEncoder().encode(`{"value":[${rows.join(',')}]}`);

let folder: string;
let pool: WriterPool;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-golden-'));
  pool = new WriterPool(2);
});

afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true, force: true });
});

async function write(
  pages: readonly Uint8Array[],
  more: Partial<TaskSpec> & { exclude?: Guid } = {},
): Promise<{ parts: readonly LocalPart[]; ends: readonly PageFacts[] }> {
  const { exclude = null, ...rest } = more;
  const sink = await pool.open({
    table: 'T',
    columns: COLUMNS,
    key: ['Id'],
    profile: 'portable',
    compression: 'zstd',
    partRows: 1000,
    path: join(folder, `file-${files++}`),
    metadata: { 'tablevault.table': 'T' },
    absentIsNull: false,
    groupBytes: MOST_GROUP_BYTES,
    maxRowBytes: 1024 * 1024,
    ...rest,
  });
  const ends: PageFacts[] = [];
  for (const bytes of pages) {
    sink.begin(exclude);
    for (let at = 0; at < bytes.length; at += 1000) await sink.write(bytes.subarray(at, at + 1000));
    ends.push(await sink.end());
  }
  return { parts: await sink.finish(), ends };
}

describe.each<TypeProfile>(['portable', 'native'])('a %s file', (profile) => {
  test('has the types of the contract', async () => {
    const { parts } = await write([page([rowText(1, FULL)])], { profile });
    const portable = profile === 'portable';
    expect(await readTypes(parts[0]!.path)).toEqual({
      Id: portable ? 'Utf8' : 'FixedSizeBinary[16]',
      Bit: 'Bool',
      I8: 'Int8',
      U8: portable ? 'Int16' : 'Uint8',
      I16: 'Int16',
      I32: 'Int32',
      I64: 'Int64',
      F32: 'Float32',
      F64: 'Float64',
      D4: 'Decimal[4e+2]',
      D9: 'Decimal[9e+2]',
      D18: 'Decimal[18e0]',
      D38: 'Decimal[38e+10]',
      DT: 'Utf8',
      At: 'Timestamp<MICROSECOND, UTC>',
      Day: 'Date32<DAY>',
      Time: portable ? 'Utf8' : 'Time64<MICROSECOND>',
      Text: 'Utf8',
      Bin: 'Binary',
      Any: 'Utf8',
    });
  });

  test('holds full, empty and null values exactly', async () => {
    const { parts } = await write([page([rowText(1, FULL), rowText(2, EMPTY), rowText(3, SHORT)])], { profile });
    const [full, empty, short] = await readRows(parts[0]!.path);
    expect(full).toEqual({
      Id: guid(1),
      Bit: true,
      I8: -128,
      U8: 255,
      I16: -32768,
      I32: 2147483647,
      I64: -9223372036854775808n,
      F32: 0.5,
      F64: 1e300,
      D4: '-99.99',
      D9: '1234567.89',
      D18: '999999999999999999',
      D38: '-9999999999999999999999999999.9999999999',
      DT: '1.50',
      At: '9999-12-31T23:59:59.999999Z',
      Day: '0001-01-01',
      Time: '23:59:59.500000',
      Text: 'дълъг текст, повече от дванадесет байта 😀',
      Bin: 'AAECAwQFBgcICQoLDA0ODw==',
      Any: '{"a":1}',
    });
    expect(empty).toEqual({ Id: guid(2), ...Object.fromEntries(Object.keys(FULL).map((name) => [name, null])) });
    expect(short).toMatchObject({ D38: '0.0000000000', Text: '', Bin: '', Any: 'PT1S', U8: 0, F32: -0 });
    expect(short?.['Time']).toBe(profile === 'portable' ? '00:00:00' : '00:00:00.000000');
  });

  test('is valid and has its schema without any row', async () => {
    const { parts } = await write([page([])], { profile });
    expect(parts).toHaveLength(1);
    expect(parts[0]).toMatchObject({ rows: 0, firstKey: null, lastKey: null });
    expect(await readRows(parts[0]!.path)).toEqual([]);
    expect(Object.keys(await readTypes(parts[0]!.path))).toEqual(COLUMNS.map(({ name }) => name));
  });
});

describe('a task', () => {
  const many = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => rowText(from + i, FULL));

  test('is cut into parts of the rows allowed, exactly, with first and last keys', async () => {
    const { parts } = await write([page(many(0, 120)), page(many(120, 200))], { partRows: 50 });
    expect(parts.map(({ rows }) => rows)).toEqual([50, 50, 50, 50]);
    expect(parts.map(({ firstKey, lastKey }) => [firstKey, lastKey])).toEqual(
      [0, 50, 100, 150].map((from) => [guid(from), guid(from + 49)]),
    );
    const rows = (await Promise.all(parts.map(({ path }) => readRows(path)))).flat();
    expect(rows.map((row) => row['Id'])).toEqual(Array.from({ length: 200 }, (_, i) => guid(i)));
  });

  test('gives the same bytes for the same rows, however they were cut on the way', async () => {
    const rows = many(0, 200);
    const first = await write([page(rows)]);
    const second = await write([page(rows.slice(0, 7)), page(rows.slice(7))]);
    expect(second.parts.map(({ sha256 }) => sha256)).toEqual(first.parts.map(({ sha256 }) => sha256));
  });

  test('leaves out the one row it is told to, and says so', async () => {
    const { parts, ends } = await write([page(many(4, 8))], { exclude: guid(4) });
    expect(ends[0]).toMatchObject({
      rows: 4,
      excluded: 1,
      keys: { rows: 3, first: guid(5), last: guid(7), orders: ['sql', 'text'] },
    });
    expect((await readRows(parts[0]!.path)).map((row) => row['Id'])).toEqual([5, 6, 7].map(guid));
  });

  test('records nulls, least and greatest values of each column', async () => {
    const { parts } = await write([page([rowText(1, FULL), rowText(2, EMPTY), rowText(3, SHORT)])]);
    expect(parts[0]?.columns).toMatchObject({
      D9: { nulls: 1, min: '1234567.89', max: '1234567.89' },
      I64: { nulls: 1 },
      Id: { nulls: 0, min: guid(1), max: guid(3) },
    });
  });

  test('that ends in an error leaves no file', async () => {
    const path = join(folder, 'broken');
    const broken = new TextEncoder().encode(`{"value":[${many(0, 10).join(',')},{"Id":"${guid(11)}","Bit":5}]}`);
    await expect(write([broken], { path })).rejects.toMatchObject({ code: 'VALUE_MISFIT' });
    await expect(readRows(`${path}-0.parquet`)).rejects.toThrow();
  });

  test('after one that failed is not disturbed', async () => {
    await expect(write([new TextEncoder().encode('{"value":[')])).rejects.toMatchObject({
      code: 'BODY_TRUNCATED',
      retryable: true,
    });
    const { parts } = await write([page(many(0, 3))]);
    expect(parts[0]?.rows).toBe(3);
  });
});
