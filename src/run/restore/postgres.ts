/** Restores into a schema of PostgreSQL. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
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
import type { RestoreTarget } from './target.ts';
import type { RestoreWriter } from './writer.ts';

type PostgresTarget = Extract<RestoreTarget, { kind: 'postgres' }>;

/** PostgreSQL cuts longer names without an error (NAMEDATALEN). */
const MAX_NAME_BYTES = 63;

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
  const client = new pg.Client({
    connectionString: target.url.reveal(),
    application_name: 'tablevault restore',
    connectionTimeoutMillis: 15_000,
  });
  // A connection that breaks while nothing is asked would otherwise end the process.
  client.on('error', () => {});
  const onAbort = () => void client.end().catch(() => undefined);
  const ask = async (doing: string, sql: string, values: readonly string[] = []) => {
    try {
      return await client.query(sql, [...values]);
    } catch (error) {
      signal?.throwIfAborted();
      throw postgresFault(error, doing, shown);
    }
  };
  try {
    await client.connect();
  } catch (error) {
    throw postgresFault(error, 'connecting to PostgreSQL', shown, NOT_CONNECTED);
  }
  signal?.addEventListener('abort', onAbort, { once: true });
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
      try {
        await client.query('COMMIT');
      } catch (error) {
        throw new TablevaultError(
          'DESTINATION_UNREACHABLE',
          `whether PostgreSQL committed the restore is not known: ${messageOf(error)}`,
          {
            at: { target: shown },
            cause: error,
            hint: 'Check whether the tables exist: either all of them do, or none.',
          },
        );
      }
      signal?.removeEventListener('abort', onAbort);
      await client.end().catch(() => undefined);
      return warnings;
    },
    async abort() {
      signal?.removeEventListener('abort', onAbort);
      await client.query('ROLLBACK').catch(() => undefined);
      await client.end().catch(() => undefined);
    },
  };
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
    for (const { column, table } of entry.schema.references ?? []) {
      const [key, ...more] = byName.get(table)?.schema.key ?? [];
      const own = entry.schema.columns.find(({ name }) => name === column);
      const other = byName.get(table)?.schema.columns.find(({ name }) => name === key);
      if (key === undefined || more.length > 0 || own === undefined || other === undefined) continue;
      if (postgresType(own) !== postgresType(other)) continue;
      const name = quotedIdentifier(Buffer.from(`fk_${entry.name}_${column}`).subarray(0, MAX_NAME_BYTES).toString());
      const at = `ALTER TABLE ${inSchema(entry.name)}`;
      await ask(
        `a reference of ${entry.name}`,
        `${at} ADD CONSTRAINT ${name} FOREIGN KEY (${quotedIdentifier(column)}) REFERENCES ${inSchema(table)} (${quotedIdentifier(key)}) NOT VALID`,
      );
      await ask('a reference', 'SAVEPOINT reference');
      try {
        await ask(`a reference of ${entry.name}`, `${at} VALIDATE CONSTRAINT ${name}`);
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

function refuseLongNames({ name, schema }: TableEntry): void {
  const long = [name, ...schema.columns.map((column) => column.name)].find(
    (each) => Buffer.byteLength(each) > MAX_NAME_BYTES,
  );
  if (long === undefined) return;
  throw new TablevaultError('USAGE', `PostgreSQL does not accept names longer than ${MAX_NAME_BYTES} bytes: ${long}`, {
    at: { table: name },
    hint: 'Restore this table to a folder or a DuckDB file, and the others with --tables.',
  });
}

const NOT_CONNECTED =
  'Check address and port, and that the server runs and takes connections from this machine. Nothing was restored.';
const ROLLED_BACK = 'The transaction was rolled back; check the server and its log, and restore again.';

/**
 * Answers of PostgreSQL by their SQLSTATE class (PostgreSQL manual, appendix A). Never shows the connection string.
 * @param otherwise what to do where the answer says nothing more
 */
function postgresFault(error: unknown, doing: string, shown: string, otherwise = ROLLED_BACK): unknown {
  if (error instanceof TablevaultError) return error;
  const state = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const at = { target: shown, ...(/^[0-9A-Z]{5}$/.test(state) ? { sqlstate: state } : {}) };
  const fault = (code: ConstructorParameters<typeof TablevaultError>[0], hint: string) =>
    new TablevaultError(code, `${doing} failed: ${messageOf(error)}`, { at, cause: error, hint });
  if (state.startsWith('28') || state === '42501')
    return fault('DESTINATION_DENIED', 'Check user, password (PGPASSWORD) and rights on the database.');
  if (state.startsWith('3D')) return fault('DESTINATION_MISSING', 'Create the database first.');
  if (state.startsWith('53')) return fault('DESTINATION_FULL', 'The server is out of disk, memory or connections.');
  if (state === '22021')
    return fault(
      'USAGE',
      'PostgreSQL cannot store NUL characters in text; restore this table to a folder or a DuckDB file.',
    );
  return fault('DESTINATION_UNREACHABLE', otherwise);
}

const messageOf = (error: unknown): string =>
  error instanceof Error && error.message !== '' ? error.message : String(error);
