/** SQL over the tables of one snapshot. */
import { join } from 'node:path';
import pLimit from 'p-limit';
import { TablevaultError } from '../../core/errors.ts';
import { makeFolder } from '../../core/folders.ts';
import { type QueryRows, type QueryTable, withSql } from '../../duckdb/query.ts';
import type { Store } from '../../storage/store.ts';
import { makeTemporaryFolder } from '../../storage/temporary-folder.ts';
import type { TableEntry } from '../../vault/chain/manifest.ts';
import { localPart } from '../../vault/local-part.ts';

/** Parts read at once, to compare their hash or to copy them from a remote vault. */
const PARTS_AT_ONCE = 4;

/** Statements that look at the catalogue need every table in it. */
const LISTS_TABLES = /\b(show|information_schema|pg_catalog|sqlite_master|pragma|duckdb_\w+)\b/i;

export type QueriedTable = Pick<TableEntry, 'name' | 'parts'>;

export interface QueryOptions {
  readonly store: Store;
  /** Of the snapshot's manifest, the tables with their parts. */
  readonly tables: readonly QueriedTable[];
  readonly sql: string;
  readonly signal: AbortSignal;
}

/**
 * Runs `use` on the rows of one statement over the snapshot, one view per table. Every part of the tables that the statement may ask for is
 * read first and its hash compared with the manifest: no value comes from bytes that have changed.
 * @throws TablevaultError USAGE when the statement is wrong; VERIFY_FAILED, OBJECT_MISSING when a part is not what the manifest says;
 * DESTINATION_* when this machine is short of something
 */
export async function querySnapshot<T>(options: QueryOptions, use: (rows: QueryRows) => Promise<T>): Promise<T> {
  const { store, sql, signal } = options;
  const temporary = await makeTemporaryFolder('query');
  const folder = temporary.path;
  try {
    const spill = join(folder, 'spill');
    await makeFolder(spill, 0o700);
    const limit = pLimit(PARTS_AT_ONCE);
    const tables = await Promise.all(
      tablesFor(sql, options.tables).map(async (table): Promise<QueryTable> => {
        if (table.parts.length === 0) throw partless(table.name);
        const files = table.parts.map((part) => limit(() => localPart(store, part, folder, signal)));
        return { name: table.name, files: await Promise.all(files) };
      }),
    );
    const known = options.tables.map(({ name }) => name);
    return await withSql({ sql, tables, known, spill, signal }, use);
  } finally {
    await temporary.remove();
  }
}

/** Tables whose name stands in the statement, or all of them; opening 700 tables for one would take seconds. */
function tablesFor(sql: string, tables: readonly QueriedTable[]): readonly QueriedTable[] {
  if (LISTS_TABLES.test(sql)) return tables;
  const text = sql.toLowerCase();
  return tables.filter(({ name }) => text.includes(name.toLowerCase()));
}

function partless(table: string): TablevaultError {
  return new TablevaultError('VAULT_CORRUPT', `the snapshot names no file of table ${table}`, {
    hint: 'Every table has at least one file, even without rows: run `tablevault verify`.',
  });
}
