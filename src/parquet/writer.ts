/** Writes the rows of a task to Parquet files with DuckDB. */
import { rm } from 'node:fs/promises';
import { DuckDBTableFunction, quotedIdentifier, quotedString } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { digestFile } from '../core/digest.ts';
import { shortageError } from '../duckdb/faults.ts';
import { openDuckDb } from '../duckdb/open.ts';
import { bufferType, fileExpression } from './columns.ts';
import { columnStats, copyOptions, rowGroupRows } from './copy.ts';
import { fillChunk } from './fill.ts';
import type { RowSource } from './row-source.ts';
import type { ColumnStats, LocalPart, TaskSpec } from './task.ts';

const SOURCE = 'tablevault_source';
/** What was freed goes back to the system whenever DuckDB asks for more at once than this: about twice in a row group. */
const FLUSH_ABOVE = '1MB';

export interface ParquetWriter {
  /** Writes all parts of a task, at least one file (an empty table has one without rows); calls `onPart` after each. */
  write(spec: TaskSpec, source: RowSource, onPart: (part: LocalPart) => void): Promise<void>;
}

/** A part ends when a row group of it holds this many times the bytes that it should: its rows became larger than the first were. */
const OVERFULL = 1.5;

/** The rows of a part, chunk by chunk, as the table function gives them to DuckDB. */
interface PartRows {
  readonly spec: TaskSpec;
  /** Fills the chunk; sets its size to 0 at the end of the part. */
  next(chunk: duckdb.DataChunk): void;
}

/**
 * Writes the rows of a task to Parquet files with DuckDB's COPY, which pulls them through a table function: no row is held longer than
 * its row group. One thread and insertion order, so that the same rows give the same bytes. One task at a time.
 */
export async function openParquetWriter(): Promise<ParquetWriter> {
  const { connection } = await openDuckDb({
    threads: 1,
    further: { allocator_bulk_deallocation_flush_threshold: FLUSH_ABOVE },
  });
  let current: PartRows | undefined;
  let failure: unknown;
  const table = DuckDBTableFunction.create({
    name: SOURCE,
    bindFunction: (info) => {
      for (const [index, { type }] of (current?.spec.columns ?? []).entries())
        info.addResultColumn(`c${index}`, bufferType(type));
    },
    initFunction: (info) => info.setMaxThreads(1),
    mainFunction: (info, { chunk }) => {
      try {
        current?.next(chunk);
      } catch (thrown) {
        failure = thrown;
        duckdb.data_chunk_set_size(chunk, 0);
        info.setError('the rows could not be read');
      }
    },
  });
  connection.registerTableFunction(table);
  table.destroySync();

  async function copy(spec: TaskSpec, path: string, groupRows: number): Promise<Record<string, ColumnStats>> {
    const selected = spec.columns.map(
      ({ name, type }, index) => `${fileExpression(`c${index}`, type, spec.profile)} AS ${quotedIdentifier(name)}`,
    );
    const sql = `COPY (SELECT ${selected.join(', ')} FROM ${SOURCE}()) TO ${quotedString(path)} (${copyOptions(spec, groupRows)})`;
    try {
      const result = await connection.runAndReadAll(sql);
      return columnStats(result.getRowObjectsJson()[0]?.['column_statistics']);
    } catch (thrown) {
      await rm(path, { force: true });
      const fault = failure ?? shortageError(thrown, 'a part could not be written before it was committed', { path });
      throw fault ?? thrown;
    }
  }

  return {
    async write(spec, source, onPart) {
      failure = undefined;
      try {
        for (let part = 0; ; part++) {
          source.beginPart();
          const some = source.hasMore(spec.partRows);
          if (part > 0 && !some) return;
          const groupRows = rowGroupRows(spec, some ? source.batch.valueBytes() / source.batch.rows : 0);
          const written = { rows: 0, bytes: 0 };
          const group = { rows: 0, bytes: 0 };
          const next = (chunk: duckdb.DataChunk): void => {
            const left = group.bytes > spec.groupBytes * OVERFULL ? 0 : spec.partRows - written.rows;
            if (left <= 0 || !source.pull(left)) {
              duckdb.data_chunk_set_size(chunk, 0);
              return;
            }
            const { batch } = source;
            const bytes = batch.valueBytes();
            for (const sums of [written, group]) {
              sums.rows += batch.rows;
              sums.bytes += bytes;
            }
            // DuckDB lets go of a row group as soon as it has its rows.
            if (group.rows >= groupRows) Object.assign(group, { rows: 0, bytes: 0 });
            fillChunk(chunk, batch);
          };
          current = { spec, next };
          const path = `${spec.path}-${part}.parquet`;
          const stats = await copy(spec, path, groupRows);
          onPart(await describe(path, written, source, spec, stats));
        }
      } finally {
        current = undefined;
      }
    },
  };
}

async function describe(
  path: string,
  written: { readonly rows: number; readonly bytes: number },
  source: RowSource,
  spec: TaskSpec,
  columns: Record<string, ColumnStats>,
): Promise<LocalPart> {
  const { bytes, sha256 } = await digestFile(path);
  const { rows } = written;
  const keys = source.partKeys();
  const ordered = keys !== undefined && keys.rows > 0 && (guidKey(spec) || keys.orders.length > 0);
  return {
    path,
    rows,
    bytes,
    sha256,
    rowBytes: rows === 0 ? 0 : Math.ceil(written.bytes / rows),
    firstKey: ordered ? keys.least : null,
    lastKey: ordered ? keys.greatest : null,
    ascending: keys === undefined || keys.rows === 0 || keys.orders.includes('sql') || (!guidKey(spec) && ordered),
    columns,
    nulls: source.batch.nullHabits(),
  };
}

/** The extremes of GUIDs are known whatever order they came in. */
function guidKey({ columns, key }: TaskSpec): boolean {
  return columns.find(({ name }) => name === key[0])?.type.kind === 'guid';
}
