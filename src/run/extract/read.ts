/** The three ways in which `extract` reads: a number of rows, all rows into a stream of batches, all rows into Parquet files. */
import { join } from 'node:path';
import pLimit from 'p-limit';
import { TablevaultError } from '../../core/errors.ts';
import { withRetries } from '../../core/retry.ts';
import { resolveNextLink } from '../../odata/links.ts';
import { compileQuery } from '../../odata/query.ts';
import type { LocalPart, TaskSink, TaskSpec } from '../../parquet/task.ts';
import { fallbackPlan } from '../../read/fallback.ts';
import type { PlannedTable } from '../../read/plan.ts';
import { READ_RETRIES, type ReadContext, readTask, type TaskResult } from '../../read/task.ts';
import type { Proof } from '../../scan/end.ts';
import type { TablePlan } from '../../scan/plan.ts';
import { ALL_KEYS } from '../../scan/ranges.ts';
import type { ExtractChoice } from './choice.ts';

export interface ReadRows {
  readonly rows: number;
  readonly requests: number;
  /** How the end was proven; empty when only some rows were asked for. */
  readonly proofs: readonly Proof[];
  /** Did the keys come in order, so that none can have come twice? */
  readonly ascending: boolean;
  readonly unknownProperties: readonly string[];
}

/** All rows in one task, into the sinks that the context's pool opens. */
export async function readWhole(planned: PlannedTable, context: ReadContext): Promise<ReadRows> {
  const plan: TablePlan =
    planned.plan.strategy === 'ranges' ? { ...planned.plan, strategy: 'stream', ranges: [ALL_KEYS] } : planned.plan;
  return summed([await readFallingBack(planned, plan, context)]);
}

/** All rows as Parquet files, its ranges side by side; the files are in key order. */
export async function readParts(
  planned: PlannedTable,
  context: ReadContext,
  concurrency: number,
): Promise<ReadRows & { readonly parts: readonly LocalPart[] }> {
  const { plan } = planned;
  let results: readonly TaskResult[];
  if (plan.ranges.length === 1) {
    results = [await readFallingBack(planned, plan, context)];
  } else {
    const limit = pLimit(concurrency);
    const read = plan.ranges.map((range, n) =>
      limit(() => readTask({ plan, range, fingerprint: planned.fingerprint, id: `${n}-${plan.table.name}` }, context)),
    );
    const settled = await Promise.allSettled(read);
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed === undefined) results = settled.map((result) => (result as PromiseFulfilledResult<TaskResult>).value);
    else results = [await readAnotherWay(planned, plan, failed.reason, context)];
  }
  return { ...summed(results), parts: results.flatMap(({ parts }) => parts) };
}

/** By the plan; when the instance turns out not to bear it, once more in the way that is left. */
async function readFallingBack(planned: PlannedTable, plan: TablePlan, context: ReadContext): Promise<TaskResult> {
  const [range = ALL_KEYS] = plan.ranges;
  const task = { plan, range, fingerprint: planned.fingerprint, id: `whole-${plan.table.name}` };
  try {
    return await readTask(task, context);
  } catch (thrown) {
    return readAnotherWay(planned, plan, thrown, context);
  }
}

async function readAnotherWay(
  { fingerprint }: PlannedTable,
  plan: TablePlan,
  thrown: unknown,
  context: ReadContext,
): Promise<TaskResult> {
  const fallback = fallbackPlan(plan, thrown);
  if (fallback === undefined) throw thrown;
  const { name } = plan.table;
  context.emit({ type: 'warning', table: name, message: `reading it another way: ${fallback.reason}` });
  return readTask({ plan: fallback, range: ALL_KEYS, fingerprint, id: `another-way-${name}` }, context);
}

function summed(results: readonly TaskResult[]): ReadRows {
  return {
    rows: results.reduce((sum, result) => sum + result.rows, 0),
    requests: results.reduce((sum, result) => sum + result.requests, 0),
    proofs: results.map(({ proof }) => proof),
    ascending: results.every((result) => result.ascending),
    unknownProperties: [...new Set(results.flatMap((result) => result.unknownProperties))],
  };
}

export interface LimitedSink {
  readonly sink: TaskSink;
  /** Says when no more rows are wanted; then what is held back is handed on. */
  readonly full?: () => boolean;
  readonly handOver?: () => Promise<void>;
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
): Promise<ReadRows & { readonly parts: readonly LocalPart[] }> {
  const { clock, signal, emit } = context;
  const table = choice.table.name;
  return withRetries(
    READ_RETRIES,
    {
      clock,
      signal,
      onRetry: ({ message }) => emit({ type: 'warning', table, message: `${message}; reading it again` }),
    },
    async () => {
      const limited = await open();
      try {
        const { rows, requests } = await readFirst(choice, plan, limit, context, limited);
        const parts = await limited.sink.finish();
        return { rows: Math.min(rows, limit), requests, proofs: [], ascending: true, unknownProperties: [], parts };
      } catch (thrown) {
        limited.sink.abort();
        throw thrown;
      }
    },
  );
}

async function readFirst(
  { table, columns }: ExtractChoice,
  plan: TablePlan,
  limit: number,
  { instance, signal }: ReadContext,
  { sink, full, handOver }: LimitedSink,
): Promise<{ readonly rows: number; readonly requests: number }> {
  const select = columns.map(({ name }) => name);
  let url = new URL(compileQuery({ table, select, filter: plan.filter, top: limit }), instance.tableApi).href;
  const followed = new Set<string>();
  let rows = 0;
  for (;;) {
    followed.add(url);
    const reply = await instance.transport.get(url, { purpose: 'rows', table: table.name, signal });
    try {
      sink.begin(null);
      for await (const chunk of reply.body) {
        await sink.write(chunk);
        if (full?.() !== true) continue;
        await handOver?.();
        return { rows: limit, requests: followed.size };
      }
      const page = await sink.end();
      rows += page.rows;
      if (page.nextLink === null || rows >= limit) return { rows, requests: followed.size };
      url = resolveNextLink(instance.tableApi, page.nextLink, url);
    } finally {
      reply.cancel();
    }
    if (followed.has(url)) {
      throw new TablevaultError('PAGING_LOOP', `the pages of ${table.name} do not end: a next link leads back`, {
        at: { table: table.name },
        hint: 'The instance answers with broken links; run again, and report it to the vendor if it repeats.',
      });
    }
  }
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
    path: join(context.tempDir, 'limited'),
    metadata: { 'tablevault.table': table.name, 'tablevault.schema': fingerprint },
    absentIsNull: context.capabilities.absentIsNull,
    maxRowBytes: context.maxRowBytes,
  };
}
