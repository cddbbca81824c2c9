import { describe, expect, it } from 'vitest';
import { withDuckDb } from '../../../../src/duckdb/open.ts';
import { jsonColumn, type SnapshotColumn } from '../../../../src/run/restore/columns.ts';

/** The values, SQL of DuckDB, as NDJSON holds them. */
async function written(type: SnapshotColumn['type'], values: readonly string[]): Promise<string[]> {
  const column = { name: 'x', edmType: 'Edm.String', type, nullable: true, parquetType: '' } as SnapshotColumn;
  const rows = values.map((value) => `(${value})`).join(', ');
  const read = await withDuckDb({}, (connection) =>
    connection.runAndReadAll(
      `SELECT to_json(x)::VARCHAR FROM (SELECT ${jsonColumn(column)} FROM (VALUES ${rows}) t(x))`,
    ),
  );
  return read.getRows().flat() as string[];
}

describe('a column of NDJSON', () => {
  it('holds every digit of a decimal and of a 64-bit number, as text', async () => {
    expect(
      await written({ kind: 'decimal', precision: 38, scale: 10 }, [
        '-3880946402158319418731922285.3724654645',
        '0',
        'NULL',
      ]),
    ).toEqual(['"-3880946402158319418731922285.3724654645"', '"0.0000000000"', null]);
    expect(await written({ kind: 'int64' }, ['9223372036854775807::BIGINT'])).toEqual(['"9223372036854775807"']);
  });

  it.each(['float32', 'float64'] as const)('names what is no number as OData does (%s)', async (kind) => {
    const type = kind === 'float32' ? 'FLOAT' : 'DOUBLE';
    const values = ["'inf'", "'-inf'", "'nan'", '-0.0', '0.1', '1e30', 'NULL'].map((value) => `${value}::${type}`);
    expect(await written({ kind }, values)).toEqual(['"INF"', '"-INF"', '"NaN"', '-0.0', '0.1', '1e30', null]);
  });

  it('has a fraction of a second only where there is one', async () => {
    const stamps = ["'2024-01-01 10:00:34Z'", "'2024-01-01 10:00:34.5Z'"].map((text) => `${text}::TIMESTAMPTZ`);
    expect(await written({ kind: 'timestamp' }, stamps)).toEqual([
      '"2024-01-01T10:00:34Z"',
      '"2024-01-01T10:00:34.500000Z"',
    ]);
    expect(await written({ kind: 'time' }, ["'10:00:34'", "'10:00:34.5'", 'NULL'])).toEqual([
      '"10:00:34"',
      '"10:00:34.500000"',
      null,
    ]);
  });
});
