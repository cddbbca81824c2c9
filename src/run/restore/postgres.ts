/** Restores into a schema of PostgreSQL. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { quotedIdentifier, quotedString } from '@duckdb/node-api';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { TablevaultError } from '../../core/errors.ts';
import { plural } from '../../core/words.ts';
import { parquetRows } from '../../duckdb/sql.ts';
import type { TableEntry } from '../../vault/chain/manifest.ts';
import { duckDbType, nulRows, postgresColumn, postgresType, textColumns } from './columns.ts';
import type { Engine } from './engine.ts';
import { forceQuote } from './folder.ts';
import type { PostgresTarget } from './postgres-address.ts';
import { commit } from './postgres-commit.ts';
import { NOT_CONNECTED, postgresFault } from './postgres-faults.ts';
import { foreignKeyName, refuseLongNames } from './postgres-names.ts';
import type { RestoreWriter } from './writer.ts';

/**
 * PostgreSQL: everything in one transaction. The schema must hold no table. Keys become primary keys; references become foreign keys that are
 * checked for the rows of the snapshot and, where rows are missing there (rights, or changes while it was read), kept unchecked for them.
 */
export async function openPostgresWriter(
  target: PostgresTarget,
  engine: Engine,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<RestoreWriter> {
  const { schema, shown } = target;
  const socket = new Socket();
  const client = createClient(target, socket);
  // A connection that breaks while nothing is asked would otherwise end the process.
  client.on('error', () => {});
  // At once, whatever the server does not answer. It rolls back what was not committed.
  const onAbort = () => void socket.destroy();
  let committing = false;
  const ask = async (doing: string, sql: string, values: readonly string[] = []) => {
    try {
      return await client.query(sql, [...values]);
    } catch (error) {
      signal?.throwIfAborted();
      throw postgresFault(error, doing, shown);
    }
  };
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
  } catch (error) {
    signal?.throwIfAborted();
    signal?.removeEventListener('abort', onAbort);
    socket.destroy();
    throw postgresFault(error, 'connecting to PostgreSQL', shown, NOT_CONNECTED);
  }
  const inSchema = (name: string) => `${quotedIdentifier(schema)}.${quotedIdentifier(name)}`;
  const restored: TableEntry[] = [];
  const warnings: string[] = [];

  try {
    await ask('beginning', 'BEGIN');
    await ask('preparing', "SET LOCAL TimeZone = 'UTC'");
    await ask('creating the schema', `CREATE SCHEMA IF NOT EXISTS ${quotedIdentifier(schema)}`);
    const found = await ask(
      'looking at the schema',
      'SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 LIMIT 1',
      [schema],
    );
    if (found.rows.length > 0) {
      throw new TablevaultError('USAGE', `the schema ${schema} of ${shown} is not empty: nothing was restored`, {
        at: { target: shown },
        hint: 'Restore into a new database, or name a new schema with ?schema=name.',
      });
    }
  } catch (error) {
    signal?.removeEventListener('abort', onAbort);
    await client.end().catch(() => undefined);
    throw error;
  }

  /** Rows that PostgreSQL could not take as they are, each told or refused with its column. */
  async function checkText(entry: TableEntry, files: readonly string[]): Promise<void> {
    for (const column of entry.schema.columns.filter((each) => duckDbType(each) === 'VARCHAR')) {
      const rows = Number(await engine.run(`SELECT ${nulRows(column.name)} FROM ${parquetRows(files)}`));
      if (rows === 0) continue;
      const what = `a NUL character in ${plural(rows, 'row')} of ${entry.name}.${column.name}`;
      if (target.replaceNul) {
        warnings.push(`${what} was written as U+2400`);
        continue;
      }
      throw new TablevaultError('USAGE', `PostgreSQL cannot hold ${what}`, {
        at: { target: shown, table: entry.name },
        hint: 'Nothing was restored. Give --replace-nul to write U+2400 in its place, or restore to files or DuckDB.',
      });
    }
  }

  async function copy(entry: TableEntry, files: readonly string[]): Promise<void> {
    const { columns } = entry.schema;
    const csv = join(folder, 'copy.csv');
    const names = columns.map(({ name }) => quotedIdentifier(name)).join(', ');
    for (const file of files) {
      const selected = columns.map((column) => postgresColumn(column, target.replaceNul)).join(', ');
      const quoted = forceQuote(textColumns(columns));
      await engine.run(
        `COPY (SELECT ${selected} FROM ${parquetRows([file])}) TO ${quotedString(csv)} (FORMAT csv, HEADER false, NULLSTR ''${quoted})`,
      );
      const sql = `COPY ${inSchema(entry.name)} (${names}) FROM STDIN (FORMAT csv, NULL '')`;
      try {
        await pipeline(createReadStream(csv), client.query(copyFrom(sql)));
      } catch (error) {
        signal?.throwIfAborted();
        throw postgresFault(error, `copying ${entry.name}`, shown);
      }
      await rm(csv, { force: true });
    }
  }

  return {
    shown,
    async table(entry, files) {
      refuseLongNames(entry);
      const { columns, key } = entry.schema;
      const defined = columns.map((column) => `${quotedIdentifier(column.name)} ${postgresType(column)}`);
      await ask(`creating ${entry.name}`, `CREATE TABLE ${inSchema(entry.name)} (${defined.join(', ')})`);
      await checkText(entry, files);
      await copy(entry, files);
      if (key.length > 0) {
        const names = key.map(quotedIdentifier).join(', ');
        await ask(`the key of ${entry.name}`, `ALTER TABLE ${inSchema(entry.name)} ADD PRIMARY KEY (${names})`);
      }
      restored.push(entry);
      const counted = await ask(`counting ${entry.name}`, `SELECT count(*)::text AS n FROM ${inSchema(entry.name)}`);
      return Number((counted.rows[0] as { n: string } | undefined)?.n);
    },
    async finish() {
      warnings.push(...(await addForeignKeys(restored, inSchema, ask)));
      signal?.throwIfAborted();
      // From here on the server decides: an interrupt must not hide what it did.
      signal?.removeEventListener('abort', onAbort);
      committing = true;
      await commit(client, shown, signal);
      await client.end().catch(() => undefined);
      return warnings;
    },
    async abort() {
      signal?.removeEventListener('abort', onAbort);
      // A commit without an answer has nothing to take back; the server would answer nothing else before.
      if (committing) socket.destroy();
      else await client.query('ROLLBACK').catch(() => undefined);
      await client.end().catch(() => undefined);
    },
  };
}

/** @throws TablevaultError USAGE when the client refuses the address; it never shows the address */
function createClient({ url, shown }: PostgresTarget, socket: Socket): pg.Client {
  try {
    return new pg.Client({
      connectionString: url.reveal(),
      application_name: 'tablevault restore',
      connectionTimeoutMillis: 15_000,
      stream: () => socket,
    });
  } catch (error) {
    throw new TablevaultError('USAGE', 'the address of PostgreSQL in --to cannot be used', {
      at: { target: shown },
      cause: error,
      hint: 'Write postgres://user@host:5432/database; check the options behind a ?.',
    });
  }
}

type Ask = (doing: string, sql: string) => Promise<unknown>;

/** Foreign keys of what the manifests tell, between tables that were restored. */
async function addForeignKeys(
  restored: readonly TableEntry[],
  inSchema: (name: string) => string,
  ask: Ask,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  const byName = new Map(restored.map((entry) => [entry.name, entry]));
  for (const entry of restored) {
    const used = new Set<string>();
    for (const { column, table } of entry.schema.references ?? []) {
      const [key, ...more] = byName.get(table)?.schema.key ?? [];
      const own = entry.schema.columns.find(({ name }) => name === column);
      const other = byName.get(table)?.schema.columns.find(({ name }) => name === key);
      if (key === undefined || more.length > 0 || own === undefined || other === undefined) continue;
      if (postgresType(own) !== postgresType(other)) continue;
      const name = foreignKeyName({ table: entry.name, column, to: table }, used);
      used.add(name);
      const at = `ALTER TABLE ${inSchema(entry.name)}`;
      await ask(
        `a reference of ${entry.name}`,
        `${at} ADD CONSTRAINT ${quotedIdentifier(name)} FOREIGN KEY (${quotedIdentifier(column)}) REFERENCES ${inSchema(table)} (${quotedIdentifier(key)}) NOT VALID`,
      );
      await ask('a reference', 'SAVEPOINT reference');
      try {
        await ask(`a reference of ${entry.name}`, `${at} VALIDATE CONSTRAINT ${quotedIdentifier(name)}`);
        await ask('a reference', 'RELEASE SAVEPOINT reference');
      } catch (error) {
        if (!(error instanceof TablevaultError) || error.at['sqlstate'] !== '23503') throw error;
        await ask('a reference', 'ROLLBACK TO SAVEPOINT reference');
        warnings.push(`${entry.name}.${column} refers to rows that ${table} does not hold in this snapshot`);
      }
    }
  }
  return warnings;
}
