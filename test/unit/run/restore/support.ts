/** A vault of small tables with real Parquet files, for restores. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';
import type { TableEntry } from '../../../../src/vault/chain/manifest.ts';
import { commitSnapshot } from '../../../../src/vault/commit/commit.ts';
import { partKey } from '../../../../src/vault/layout.ts';
import { draft, memoryVault, partEntry, runId, tableEntry, testClock } from '../../vault/support.ts';

const COLUMNS: TableEntry['schema']['columns'] = [
  { name: 'Id', edmType: 'Edm.Int32', type: { kind: 'int32' }, nullable: false, parquetType: 'INTEGER' },
  { name: 'Name', edmType: 'Edm.String', type: { kind: 'text' }, nullable: true, parquetType: 'VARCHAR' },
];

/** Tables of these names with 100 rows each: `Id` from 0 to 99, and a `Name`. */
export async function vaultOfTables(folder: string, names: readonly string[], store: Store = createMemoryStore()) {
  const vault = await memoryVault(store);
  const run = runId();
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const tables: TableEntry[] = [];
  for (const name of names) {
    const file = join(folder, 'new.parquet');
    const rows = `SELECT range::INTEGER AS "Id", '${name} ' || range AS "Name" FROM range(100)`;
    await connection.run(`COPY (${rows}) TO '${file}' (FORMAT parquet)`);
    const content = await readFile(file);
    await rm(file);
    const sha256 = sha256Hex(content);
    const key = partKey(name, run, 0, sha256);
    await store.putNew(key, content);
    const part = partEntry({ key, run, rows: 100, bytes: content.byteLength, sha256 });
    tables.push(tableEntry([part], { name, schema: { columns: COLUMNS, key: ['Id'] } }));
  }
  connection.closeSync();
  instance.closeSync();
  await commitSnapshot(vault, draft({ run, snapshot: run, tables }), { clock: testClock(true) });
  return { vault, store, tables };
}
