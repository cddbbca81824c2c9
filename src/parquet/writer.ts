import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { DuckDBConnection } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { asTablevaultError, TablevaultError } from '../core/errors.ts';
import { widthOf } from '../decode/columns.ts';
import { fillChunk } from './fill.ts';
import type { RowSource } from './row-source.ts';
import type { ColumnStats, LocalPart, TaskSpec } from './task.ts';
import { duckColumn, sqlName, sqlText } from './types.ts';

const SOURCE = 'tablevault_source';
/** Bytes of a row group as DuckDB holds it before encoding, about; encoding takes nearly as much again. */
const ROW_GROUP_BYTES = 48 * 1024 * 1024;
const ROW_GROUP_ROWS = { least: 2048, most: 122_880 };
/** A text takes a 16-byte header, and its bytes behind it; GUIDs as text have 36, other text is taken for about as long. */
const TEXT_BYTES = { header: 16, content: 36 };
/** A dictionary pays when each of its words stands in so many rows; it is written anew in every row group. */
const ROWS_A_WORD = 32;
/** What was freed goes back to the system whenever DuckDB asks for more at once than this: about twice in a row group. */
const FLUSH_ABOVE = '1MB';
/** Longer minima and maxima are left out of the manifest. */
const MAX_STAT_CHARS = 64;

/**
 * Writes the rows of a task to Parquet files with DuckDB's COPY, which pulls them through a table function: no row is held longer than
 * its row group. One thread and insertion order, so that the same rows give the same bytes.
 */
export class ParquetWriter {
  private readonly connection: DuckDBConnection;
  /** The task being written: what the table function binds to and pulls from. */
  private current: { readonly spec: TaskSpec; readonly next: (chunk: duckdb.DataChunk) => void } | undefined;
  private failure: unknown;

  private constructor(raw: duckdb.Connection) {
    this.connection = new DuckDBConnection(raw);
    const table = duckdb.create_table_function();
    duckdb.table_function_set_name(table, SOURCE);
    duckdb.table_function_set_bind(table, (info) => {
      for (const [index, column] of (this.current?.spec.columns ?? []).entries()) {
        duckdb.bind_add_result_column(
          info,
          `c${index}`,
          duckColumn(column, this.current?.spec.profile ?? 'portable').create(),
        );
      }
    });
    duckdb.table_function_set_init(table, (info) => duckdb.init_set_max_threads(info, 1));
    duckdb.table_function_set_function(table, (info, chunk) => this.fill(info, chunk));
    duckdb.register_table_function(raw, table);
    duckdb.destroy_table_function_sync(table);
  }

  static async open(): Promise<ParquetWriter> {
    const config = duckdb.create_config();
    duckdb.set_config(config, 'threads', '1');
    duckdb.set_config(config, 'autoinstall_known_extensions', 'false');
    duckdb.set_config(config, 'autoload_known_extensions', 'false');
    duckdb.set_config(config, 'allocator_bulk_deallocation_flush_threshold', FLUSH_ABOVE);
    const database = await duckdb.open(':memory:', config);
    return new ParquetWriter(await duckdb.connect(database));
  }

  /** Writes all parts of a task, at least one file (an empty table has one without rows); calls `onPart` after each. */
  async write(spec: TaskSpec, source: RowSource, onPart: (part: LocalPart) => void): Promise<void> {
    let rows = 0;
    let pulled = false;
    const next = (chunk: duckdb.DataChunk): void => {
      const limit = spec.partRows - rows;
      const some = pulled || (limit > 0 && source.pull(limit));
      pulled = false;
      if (some) {
        rows += source.batch.rows;
        fillChunk(chunk, source.batch);
      } else {
        duckdb.data_chunk_set_size(chunk, 0);
      }
    };
    this.current = { spec, next };
    this.failure = undefined;
    try {
      for (let part = 0; ; part++) {
        rows = 0;
        source.partKeys.reset();
        if (part > 0) {
          pulled = source.pull(spec.partRows);
          if (!pulled) return;
        }
        const path = `${spec.path}-${part}.parquet`;
        const stats = await this.copy(spec, path);
        onPart(await describe(path, rows, source, spec, stats));
        if (source.finished && rows < spec.partRows) return;
      }
    } finally {
      this.current = undefined;
    }
  }

  private fill(info: duckdb.TableFunctionInfo, chunk: duckdb.DataChunk): void {
    try {
      this.current?.next(chunk);
    } catch (thrown) {
      this.failure = thrown;
      duckdb.data_chunk_set_size(chunk, 0);
      duckdb.function_set_error(info, 'the rows could not be read');
    }
  }

  private async copy(spec: TaskSpec, path: string): Promise<Record<string, ColumnStats>> {
    const selected = spec.columns.map(
      (column, index) => `${duckColumn(column, spec.profile).expression(`c${index}`)} AS ${sqlName(column.name)}`,
    );
    const sql = `COPY (SELECT ${selected.join(', ')} FROM ${SOURCE}()) TO ${sqlText(path)} (${copyOptions(spec)})`;
    try {
      const result = await this.connection.runAndReadAll(sql);
      return columnStats(result.getRowObjectsJson()[0]?.['column_statistics']);
    } catch (thrown) {
      await rm(path, { force: true });
      throw this.failure ?? diskError(thrown, path);
    }
  }

  close(): void {
    this.connection.closeSync();
  }
}

/** The options of `COPY … TO` for the files of a task. */
export function copyOptions(spec: Pick<TaskSpec, 'columns' | 'compression' | 'metadata' | 'profile'>): string {
  const metadata = Object.entries(spec.metadata).map(([key, value]) => `${sqlText(key)}: ${sqlText(value)}`);
  const rows = rowGroupRows(spec);
  const options = [
    'FORMAT parquet',
    `COMPRESSION ${spec.compression}`,
    `ROW_GROUP_SIZE ${rows}`,
    `DICTIONARY_SIZE_LIMIT ${Math.ceil(rows / ROWS_A_WORD)}`,
    'RETURN_STATS',
    ...(metadata.length === 0 ? [] : [`KV_METADATA {${metadata.join(', ')}}`]),
  ];
  return options.join(', ');
}

/** Rows of a row group, from the columns' types alone, so that they do not change with the data. Half of the nullable texts count as null. */
export function rowGroupRows({ columns, profile }: Pick<TaskSpec, 'columns' | 'profile'>): number {
  const rowBytes = columns.reduce((sum, { type, nullable }) => {
    const isText = widthOf(type) === 0 || (type.kind === 'guid' && profile === 'portable');
    return sum + (isText ? TEXT_BYTES.header + TEXT_BYTES.content / (nullable ? 2 : 1) : widthOf(type));
  }, 0);
  const rows = Math.floor(ROW_GROUP_BYTES / Math.max(1, rowBytes) / 2048) * 2048;
  return Math.min(ROW_GROUP_ROWS.most, Math.max(ROW_GROUP_ROWS.least, rows));
}

async function describe(
  path: string,
  rows: number,
  source: RowSource,
  spec: TaskSpec,
  columns: Record<string, ColumnStats>,
): Promise<LocalPart> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Uint8Array);
  const { size } = await stat(path);
  const keys = source.partKeys.seen();
  const guidKey = spec.key.length === 1 && keys.rows > 0;
  return {
    path,
    rows,
    bytes: size,
    sha256: hash.digest('hex'),
    firstKey: guidKey ? keys.min : null,
    lastKey: guidKey ? keys.max : null,
    ascending: keys.ascendingSql,
    columns,
  };
}

/** DuckDB's RETURN_STATS as a plain object; its keys are quoted identifiers. */
export function columnStats(value: unknown): Record<string, ColumnStats> {
  const stats: Record<string, ColumnStats> = {};
  for (const { key, value: entries } of value as readonly {
    key: string;
    value: readonly { key: string; value: string }[];
  }[]) {
    const name = key.startsWith('"') ? key.slice(1, -1).replaceAll('""', '"') : key;
    const entry = new Map(entries.map((each) => [each.key, each.value]));
    const bound = (which: 'min' | 'max') => {
      const text = entry.get(which);
      return text === undefined || text.length > MAX_STAT_CHARS ? {} : { [which]: text };
    };
    stats[name] = { nulls: Number(entry.get('null_count') ?? 0), ...bound('min'), ...bound('max') };
  }
  return stats;
}

/** A failed COPY is nearly always a local disk that is full or may not be written. */
function diskError(thrown: unknown, path: string): TablevaultError {
  if (thrown instanceof TablevaultError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (/no space left|disk full|could not write/i.test(message)) {
    return new TablevaultError(
      'DESTINATION_FULL',
      'the disk is full where parts are written before they are committed',
      {
        at: { path },
        cause: thrown,
        hint: 'Free space, or point TMPDIR at a larger disk.',
      },
    );
  }
  if (/permission denied|read-only|cannot open file/i.test(message)) {
    return new TablevaultError('DESTINATION_DENIED', 'a part could not be written to the temporary folder', {
      at: { path },
      cause: thrown,
      hint: 'Check that the folder exists and may be written, or point TMPDIR at another.',
    });
  }
  return asTablevaultError(thrown);
}
