/**
 * One SQL statement over Parquet files, in a DuckDB in memory that can do nothing else: it reads the named files, writes
 * nothing, loads no extension and cannot be reconfigured by the statement.
 */
import {
  type DuckDBConnection,
  type DuckDBResult,
  quotedIdentifier,
  quotedString,
  StatementType,
} from '@duckdb/node-api';
import { TablevaultError } from '../core/errors.ts';
import { nearNames } from '../core/near-names.ts';
import { duckDbMessage, shortageError } from './faults.ts';
import { withDuckDb } from './open.ts';
import { exactPath, parquetRows } from './sql.ts';
import { type PlainValue, plainValue } from './values.ts';

export interface QueryTable {
  readonly name: string;
  /** Absolute paths of its Parquet files; not empty. */
  readonly files: readonly string[];
}

export interface QueryRows {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Rows as they are computed, some thousand at a time. */
  batches(): AsyncIterable<readonly (readonly PlainValue[])[]>;
}

export interface SqlOptions {
  readonly sql: string;
  readonly tables: readonly QueryTable[];
  /** Every table of the snapshot, to suggest from when a name is unknown. */
  readonly known: readonly string[];
  /** An empty folder where large sorts and joins may spill. */
  readonly spill: string;
  readonly signal: AbortSignal;
}

/**
 * Runs `use` on the rows of the statement; DuckDB is closed when it returns.
 * @throws TablevaultError USAGE with DuckDB's message when the statement is wrong; VERIFY_FAILED when a file is no Parquet; DESTINATION_* when
 * this machine is short of something
 */
export async function withSql<T>(options: SqlOptions, use: (rows: QueryRows) => Promise<T>): Promise<T> {
  const { spill, signal } = options;
  return withDuckDb({ spill, signal }, async (connection) => {
    await guarded(options, () => prepareTables(connection, options.tables));
    const result = await guarded(options, () => start(connection, options.sql));
    return use(rowsOf(result, options));
  });
}

/** One view per table; from then on only the tables' files can be opened. */
async function prepareTables(connection: DuckDBConnection, tables: readonly QueryTable[]): Promise<void> {
  for (const { name, files } of tables) {
    await connection.run(`CREATE VIEW ${quotedIdentifier(name)} AS SELECT * FROM ${parquetRows(files)}`);
  }
  // Both are asked for: the path as it is named in the view, and the file that it leads to.
  const allowed = tables.flatMap(({ files }) => files.flatMap((file) => [file, exactPath(file)]).map(quotedString));
  await connection.run(`SET allowed_paths=[${allowed.join(', ')}]`);
  await connection.run('SET enable_external_access=false');
  await connection.run('SET lock_configuration=true');
}

/** Executes the statement if it is a single one that reads. A file that may be read may be written, so `COPY` must not pass. */
async function start(connection: DuckDBConnection, sql: string): Promise<DuckDBResult> {
  if (EMPTY.test(sql)) {
    throw new TablevaultError('USAGE', 'the SQL statement is empty', {
      hint: 'Give one statement that reads, such as "SELECT count(*) FROM Gen_Documents".',
    });
  }
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) {
    throw new TablevaultError('USAGE', `query takes one SQL statement, not ${statements.count}`, {
      hint: 'Run the command once for each statement.',
    });
  }
  if (WRITES.test(sql)) throw readsOnly();
  const prepared = await statements.prepare(0);
  const reads =
    prepared.statementType === StatementType.SELECT ||
    (prepared.statementType === StatementType.EXPLAIN && /^\s*explain\s+(analyze\s+)?(select|from|with)\b/i.test(sql));
  if (!reads) throw readsOnly();
  return prepared.stream();
}

/** White space, semicolons and comments alone: of these DuckDB only says "Error in native callback". */
const EMPTY = /^(?:[\s;]|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/)*$/;

/** Statements that change something. DuckDB would look at them first, and say what is wrong with them there. */
const WRITES =
  /^(?:\s|--[^\n]*\n|\/\*.*?\*\/)*(?:alter|attach|call|checkpoint|copy|create|delete|detach|drop|export|import|insert|install|load|merge|reset|set|truncate|update|use|vacuum)\b/is;

function readsOnly(): TablevaultError {
  return new TablevaultError('USAGE', 'query takes a statement that reads: SELECT, DESCRIBE, SHOW or SUMMARIZE', {
    hint: 'A vault is read-only; redirect the output of a SELECT, or use DuckDB on the files that `tablevault paths` prints.',
  });
}

function rowsOf(result: DuckDBResult, options: SqlOptions): QueryRows {
  const types = result.columnTypes();
  return {
    columns: result.deduplicatedColumnNames().map((name, index) => ({ name, type: String(types[index]) })),
    batches: async function* () {
      while (true) {
        const chunk = await guarded(options, () => result.fetchChunk());
        if (chunk === null || chunk.rowCount === 0) return;
        yield chunk.getRows().map((row) => row.map(plainValue));
      }
    },
  };
}

/** DuckDB's errors are the statement's, unless the signal ended it, this machine is short of something, or a file is no Parquet. */
async function guarded<T>(options: SqlOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof TablevaultError) throw error;
    const shortage = shortageError(error, 'the statement could not be run', {});
    if (shortage !== undefined) throw shortage;
    const message = error instanceof Error ? error.message : String(error);
    const missing = /Table with name "?([^\s"]+)"? does not exist/.exec(message)?.[1];
    if (missing !== undefined) throw noSuchTable(missing, options.known, error);
    const unreadable = options.tables.find(({ files }) => files.some((file) => message.includes(file)));
    if (unreadable !== undefined) throw noParquet(unreadable.name, error);
    throw new TablevaultError('USAGE', `DuckDB refuses the statement: ${inOneLine(message)}`, {
      cause: error,
      hint: 'Correct the SQL; `SHOW TABLES` and `DESCRIBE <Table>` list names and types.',
    });
  }
}

/** DuckDB shows the line and points below the place: in one line that points nowhere, and the words before name the place. */
function inOneLine(message: string): string {
  return (message.split(/\n\s*LINE \d+:/)[0] ?? '').trim().replaceAll(/\s+/g, ' ');
}

/** In our words: the names that DuckDB suggests are those of its own catalogue. */
function noSuchTable(name: string, known: readonly string[], cause: unknown): TablevaultError {
  const near = nearNames(name, known);
  return new TablevaultError('TABLE_UNKNOWN', `the snapshot has no table ${name}`, {
    cause,
    hint:
      near.length === 0
        ? '`SHOW TABLES` lists the tables of the snapshot; another snapshot may hold more (--snapshot, `tablevault ls`).'
        : `Near names in the snapshot: ${near.join(', ')}.`,
  });
}

function noParquet(table: string, cause: unknown): TablevaultError {
  return new TablevaultError('VERIFY_FAILED', `a file of table ${table} cannot be read: ${duckDbMessage(cause)}`, {
    at: { table },
    cause,
    hint: 'Run `tablevault verify --level rows`, and query another snapshot with --snapshot.',
  });
}
