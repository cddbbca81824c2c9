/** A DuckDB in memory: for rows of Parquet files, in bounded memory, with nothing from outside. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { shortageError } from './faults.ts';

const INTERRUPT_AGAIN_MS = 100;

export interface DuckDbSettings {
  /** Memory, megabytes; what does not fit goes to `spill`. Default: DuckDB's own, 80 % of the machine's. */
  readonly memoryMb?: number;
  /** A folder for what does not fit into memory; it need not exist. Default: nothing is spilled to the working directory either. */
  readonly spill?: string;
  /** Threads at most. Default: one for each core. */
  readonly threads?: number;
  /** Further settings of DuckDB, by its own names. */
  readonly further?: Readonly<Record<string, string>>;
  /** When it aborts, the statement that runs is interrupted, and every later one. */
  readonly signal?: AbortSignal | undefined;
}

export interface DuckDb {
  readonly connection: DuckDBConnection;
  close(): void;
}

async function create(settings: Record<string, string>): Promise<DuckDBInstance> {
  try {
    return await DuckDBInstance.create(':memory:', settings);
  } catch (error) {
    throw shortageError(error, 'DuckDB could not be started', {}) ?? error;
  }
}

/**
 * No extension is loaded or fetched by itself; instants are in UTC.
 * @throws the signal's reason when it aborts before DuckDB is open
 */
export async function openDuckDb({ memoryMb, spill, threads, further, signal }: DuckDbSettings): Promise<DuckDb> {
  const instance = await create({
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    temp_directory: spill ?? '',
    ...(memoryMb === undefined ? {} : { memory_limit: `${memoryMb}MB` }),
    ...(threads === undefined ? {} : { threads: String(threads) }),
    ...further,
  });
  const connection = await instance.connect();
  let again: NodeJS.Timeout | undefined;
  // DuckDB forgets an interrupt that comes while nothing runs; the next statement would run to its end.
  const interrupt = () => {
    connection.interrupt();
    again = setInterval(() => connection.interrupt(), INTERRUPT_AGAIN_MS);
    again.unref();
  };
  const close = () => {
    clearInterval(again);
    signal?.removeEventListener('abort', interrupt);
    connection.closeSync();
    instance.closeSync();
  };
  signal?.addEventListener('abort', interrupt, { once: true });
  try {
    // It may have aborted while DuckDB was opened: then the listener is never called.
    signal?.throwIfAborted();
    await connection.run("SET TimeZone='UTC'");
  } catch (error) {
    close();
    signal?.throwIfAborted();
    throw error;
  }
  return { connection, close };
}

/**
 * Opens a DuckDB, uses it, and closes it.
 * @throws the signal's reason when it aborts, whatever DuckDB was at
 */
export async function withDuckDb<T>(
  settings: DuckDbSettings,
  use: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  settings.signal?.throwIfAborted();
  const { connection, close } = await openDuckDb(settings);
  try {
    return await use(connection);
  } catch (error) {
    settings.signal?.throwIfAborted();
    throw error;
  } finally {
    close();
  }
}
