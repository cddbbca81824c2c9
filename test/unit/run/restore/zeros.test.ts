import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDuckDbWriter } from '../../../../src/run/restore/duckdb.ts';
import { openEngine } from '../../../../src/run/restore/engine.ts';
import type { TableEntry } from '../../../../src/vault/chain/manifest.ts';

let folder: string;
let cases = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-restore-zeros-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COLUMNS = [
  { name: 'i', edmType: 'Edm.Int64', type: { kind: 'int64' }, nullable: false, parquetType: 'BIGINT' },
  { name: 'F "f"', edmType: 'Edm.Double', type: { kind: 'float64' }, nullable: true, parquetType: 'DOUBLE' },
] as const;

/** Restores rows `i` with a value each; the rows that came out otherwise, or the refusal. */
async function restored(rows: number, value: string): Promise<unknown> {
  const name = `case${cases++}`;
  const [from, to] = [join(folder, `${name}.parquet`), join(folder, `${name}.duckdb`)];
  const duck = await DuckDBInstance.create(':memory:');
  const connection = await duck.connect();
  const engine = await openEngine(join(folder, name), 512);
  try {
    await connection.run(
      `COPY (SELECT i, CAST(${value} AS DOUBLE) AS "F ""f""" FROM range(${rows}) t(i)) TO '${from}' (FORMAT parquet, DICTIONARY_SIZE_LIMIT 0)`,
    );
    const writer = await openDuckDbWriter(to, engine);
    const entry = { name: 'T', schema: { columns: COLUMNS, key: ['i'] } } as unknown as TableEntry;
    const refusal = await writer.table(entry, [from]).then(
      async (count) => {
        expect(count).toBe(rows);
        await writer.finish();
        return undefined;
      },
      (error: unknown) => error,
    );
    if (refusal !== undefined) {
      await writer.abort();
      expect((await readdir(folder)).filter((file) => file.includes(`${name}.duckdb`))).toEqual([]);
      return refusal;
    }
    await connection.run(`ATTACH '${to}' AS restored (READ_ONLY)`);
    const same = await connection.runAndReadAll(
      `SELECT count(*) FROM restored.T JOIN '${from}' USING (i)
       WHERE T."F ""f""" IS DISTINCT FROM "${name}"."F ""f""" OR signbit(T."F ""f""") IS DISTINCT FROM signbit("${name}"."F ""f""")`,
    );
    return Number(same.getRows()[0]?.[0]);
  } finally {
    engine.close();
    connection.closeSync();
    duck.closeSync();
  }
}

const RUNS = 'CASE WHEN (i // 100) % 3 = 0 THEN -0.0::DOUBLE WHEN (i // 100) % 3 = 1 THEN 0.0 ELSE i END';
const ALTERNATING = 'CASE WHEN i % 2 = 0 THEN -0.0::DOUBLE ELSE 0.0 END';
const WITH_NULLS = 'CASE WHEN i % 3 = 0 THEN -0.0::DOUBLE WHEN i % 3 = 1 THEN 0.0 END';

test.each([
  [10, ALTERNATING],
  [5000, ALTERNATING],
  [5000, WITH_NULLS],
  [100_000, ALTERNATING],
  [5000, '-0.0::DOUBLE'],
  [200_000, '-0.0::DOUBLE'],
  [200_000, RUNS],
  [500_000, RUNS],
])('a DuckDB file of %i rows of %s keeps the sign of zero', async (rows, value) => {
  expect(await restored(rows, value)).toBe(0);
});

test('where DuckDB cannot keep it, the restore is refused, and nothing is left', async () => {
  const outcome = await restored(300_000, ALTERNATING);
  expect(outcome).toMatchObject({ code: 'USAGE', message: expect.stringContaining('T.F "f"') });
});
