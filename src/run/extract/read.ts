/** The three ways in which `extract` reads: a number of rows, all rows into a stream of batches, all rows into Parquet files. */
import { join } from 'node:path';
import pLimit from 'p-limit';
import { isRetryable } from '../../core/errors.ts';
import { withRetries } from '../../core/retry.ts';
import type { LocalPart, TaskSink, TaskSpec } from '../../parquet/task.ts';
import { type RowsSink, readFirstRows } from '../../read/first-rows.ts';
import { READ_RETRIES } from '../../read/keys.ts';
import type { PlannedTable } from '../../read/plan.ts';
import { readTable } from '../../read/table.ts';
import { forGood, type ReadContext, readTask, type TaskResult } from '../../read/task.ts';
import type { TablePlan } from '../../scan/plan.ts';
import { ALL_KEYS } from '../../scan/ranges.ts';
import type { Consistency } from '../../scan/verdict.ts';
import type { ExtractChoice } from './choice.ts';

export interface ReadRows {
  readonly rows: number;
  readonly requests: number;
  readonly parts: readonly LocalPart[];
  /** Null when only some rows were asked for. */
  readonly consistency: Consistency | null;
  readonly unknownProperties: readonly string[];
}

/** All rows, its ranges side by side: Parquet files in key order, or what the sinks of the context's pool make of them. */
export async function readAll(planned: PlannedTable, context: ReadContext, concurrency: number): Promise<ReadRows> {
  const limit = pLimit(concurrency);
  const { name } = planned.table;
  let number = 0;
  const read = await readTable<TaskResult>(planned, context, (plan, range, signal, onSeen) =>
    limit(() => {
      signal.throwIfAborted();
      const task = { plan, range, fingerprint: planned.fingerprint, id: `${number++}-${name}`, onSeen };
      return readTask(task, { ...context, signal });
    }),
  );
  for (const message of read.warnings) context.emit({ type: 'warning', table: name, message });
  return {
    rows: read.tasks.reduce((sum, task) => sum + task.rows, 0),
    requests: read.requests,
    parts: read.tasks.flatMap(({ parts }) => parts),
    consistency: read.verdict.consistency,
    unknownProperties: [...new Set(read.tasks.flatMap((task) => task.unknownProperties))],
  };
}

/** All rows in one task: what is written to a stream cannot be put in order. */
export function inOnePiece(planned: PlannedTable): PlannedTable {
  const { plan } = planned;
  if (plan.strategy !== 'ranges') return planned;
  return { ...planned, plan: { ...plan, strategy: 'stream', ranges: [ALL_KEYS] } };
}

export interface LimitedSink extends RowsSink {
  readonly sink: TaskSink;
}

/**
 * The first `limit` rows that the instance gives: `$top`, and next links as long as rows are wanting.
 * @param open a sink for each try; what earlier tries gave is to be taken back
 */
export async function readLimited(
  choice: ExtractChoice,
  plan: TablePlan,
  limit: number,
  context: ReadContext,
  open: () => Promise<LimitedSink>,
): Promise<ReadRows> {
  const { clock, signal, emit, instance } = context;
  const { table, columns } = choice;
  const query = { table, select: columns.map(({ name }) => name), filter: plan.filter };
  return withRetries(
    READ_RETRIES,
    {
      clock,
      signal,
      onRetry: ({ message }) => emit({ type: 'warning', table: table.name, message: `${message}; reading it again` }),
    },
    async () => {
      const limited = await open();
      try {
        const read = await readFirstRows({ query, top: limit, purpose: 'rows', signal }, instance, limited);
        const parts = await limited.sink.finish();
        return { ...read, parts, consistency: null, unknownProperties: [] };
      } catch (thrown) {
        limited.sink.abort();
        throw isRetryable(thrown) && context.mayRepeat?.() === false ? forGood(thrown) : thrown;
      }
    },
  );
}

/** What a writer of the pool is asked for, where no task does it. */
export function limitedSpec(choice: ExtractChoice, context: ReadContext, limit: number): TaskSpec {
  const { table, columns, fingerprint } = choice;
  return {
    table: table.name,
    columns,
    key: table.key,
    profile: context.parquet.types,
    compression: context.parquet.compression,
    // A server that ignores $top sends more; the first file holds just what was asked for.
    partRows: limit,
    groupBytes: context.groupBytes,
    path: join(context.tempDir, 'limited'),
    metadata: { 'tablevault.table': table.name, 'tablevault.schema': fingerprint },
    absentIsNull: context.capabilities.absentIsNull,
    maxRowBytes: context.maxRowBytes,
  };
}
