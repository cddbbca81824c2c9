/** Reads one task of a table to its proven end, into local Parquet files. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { ParquetSettings } from '../core/pipeline.ts';
import { type RetryPolicy, withRetries } from '../core/retry.ts';
import { plural } from '../core/words.ts';
import type { Instance } from '../instance/open.ts';
import { allOf } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import type { WriterPool } from '../parquet/pool.ts';
import type { LocalPart, TaskSink, TaskSpec } from '../parquet/task.ts';
import { type Confirmation, judgeByCount, judgeEnd, type Proof } from '../scan/end.ts';
import type { Capabilities, TablePlan } from '../scan/plan.ts';
import { type KeyRange, rangeFilter } from '../scan/ranges.ts';
import { scanKeys } from './keys.ts';
import { type ReadAnswer, readAnswer } from './pages.ts';
import { readSmall } from './small.ts';

export interface ReadContext {
  readonly instance: Instance;
  readonly pool: Pick<WriterPool, 'open'>;
  readonly parquet: ParquetSettings;
  readonly capabilities: Capabilities;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Folder for parts until they are stored. */
  readonly tempDir: string;
  readonly maxRowBytes: number;
}

/** One task of a table's plan. */
export interface ReadTask {
  readonly plan: TablePlan;
  readonly range: KeyRange;
  /** Names its files; unique in the process. */
  readonly id: string;
  /** Hash of the schema that all parts of the table share. */
  readonly fingerprint: string;
}

export interface TaskResult {
  readonly parts: readonly LocalPart[];
  readonly rows: number;
  readonly proof: Proof;
  /** What the proof says, where it is not by key. */
  readonly evidence: string | null;
  readonly counts: { readonly before: number | null; readonly after: number | null };
  /** Did the keys come in order, so that none can have come twice? */
  readonly ascending: boolean;
  readonly requests: number;
  readonly unknownProperties: readonly string[];
}

/** How often a read is begun again before its error stands. */
export const READ_RETRIES: RetryPolicy = { attempts: 4, firstPauseMs: 500, lastPauseMs: 5_000 };

/**
 * Reads one task to its proven end, into local Parquet files. What fails in a way that may pass is done again from the start, into new
 * files: a response that broke off leaves nothing behind.
 */
export function readTask(task: ReadTask, context: ReadContext): Promise<TaskResult> {
  const { clock, signal, emit } = context;
  const table = task.plan.table.name;
  return withRetries(
    READ_RETRIES,
    {
      clock,
      signal,
      onRetry: ({ message }, next) =>
        emit({
          type: 'warning',
          table,
          message: `${message}; reading it again (${next} of ${READ_RETRIES.attempts})`,
        }),
    },
    (tried) => readOnce(task, context, tried),
  );
}

async function readOnce(task: ReadTask, context: ReadContext, tried: number): Promise<TaskResult> {
  const { table } = task.plan;
  const unknownProperties: string[] = [];
  const folder = join(context.tempDir, `${task.id}-${tried}`);
  await mkdir(folder, { recursive: true });
  let bytes = 0;
  const sink = await context.pool.open(specOf(task, context, join(folder, 'part')), {
    onUnknown: (property) => unknownProperties.push(property),
    onRows: (rows) => {
      context.emit({ type: 'progress', table: table.name, rows, bytes });
      bytes = 0;
    },
  });
  try {
    const onBytes = (more: number) => {
      bytes += more;
    };
    const read = await readToEnd(task, context, sink, onBytes);
    const parts = await sink.finish();
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    if (rows !== read.rows) {
      throw new TablevaultError('BUG', `${read.rows} rows of ${table.name} were decoded, ${rows} written`, {
        at: { table: table.name },
      });
    }
    const settled = await settle(task, context, parts, read);
    return { ...read, unknownProperties, ...settled };
  } catch (thrown) {
    sink.abort();
    await rm(folder, { recursive: true, force: true });
    throw thrown;
  }
}

/** Rows that did not come in key order may have come twice: a row that was updated meanwhile, or one that moved between pages. */
async function settle(
  task: ReadTask,
  context: ReadContext,
  parts: readonly LocalPart[],
  read: ReadToEnd,
): Promise<Pick<TaskResult, 'parts' | 'rows' | 'proof' | 'evidence'>> {
  const { proof, evidence } = read;
  const { table } = task.plan;
  // Rows that went to a stream are in no file, and gone: whoever took them is told that they came in no order.
  const inFiles = parts.every(({ path }) => path !== '');
  if (read.ascending || table.key.length === 0 || !inFiles) return { parts, rows: read.rows, proof, evidence };
  // Brings DuckDB into this thread, which nothing else here needs.
  const { settleDuplicates } = await import('../parquet/duplicates.ts');
  const settled = await settleDuplicates(parts, specOf(task, context, ''), context.signal);
  // A proof that counts rows with rows proves nothing once some of them were the same.
  if (!settled.ok || (settled.dropped > 0 && proof === 'split-count')) {
    throw new TablevaultError('DUPLICATE_KEY', `the instance sent two rows of ${table.name} with the same key`, {
      at: { table: table.name, ...(settled.ok ? {} : { key: settled.key }) },
      retryable: true,
      hint: 'Rows may have moved between pages while they were read: run again, at a quieter time.',
    });
  }
  const rows = read.rows - settled.dropped;
  if (settled.dropped === 0) return { parts, rows, proof, evidence };
  const verdict = judgeByCount({ rows, ...read.counts });
  if (!verdict.ok) throw unproven(task.plan, verdict.why);
  const note = `dropped ${plural(settled.dropped, 'earlier version')} of rows that came twice`;
  return { parts: settled.parts, rows, proof: verdict.proof, evidence: `${verdict.why}; ${note}` };
}

type ReadToEnd = Omit<TaskResult, 'parts' | 'unknownProperties'>;

async function readToEnd(
  task: ReadTask,
  context: ReadContext,
  sink: TaskSink,
  onBytes: (bytes: number) => void,
): Promise<ReadToEnd> {
  const { plan, range } = task;
  const answers: ReadAnswer[] = [];
  const read = async (asked: KeyRange, purpose: string) => {
    const answer = await readAnswer(
      {
        table: plan.table.name,
        root: context.instance.tableApi,
        query: queryOf(plan, asked),
        range: asked,
        exclude: asked.ge,
        purpose,
        signal: context.signal,
        onBytes,
      },
      context.instance.transport,
      sink,
    );
    answers.push(answer);
  };
  const result = (proof: Proof, evidence: string | null, more: Partial<ReadToEnd> = {}): ReadToEnd => ({
    rows: answers.reduce((sum, answer) => sum + answer.rows, 0),
    proof,
    evidence,
    counts: { before: null, after: null },
    ascending: answers.every((answer) => answer.ascendingSql || answer.ascendingText),
    requests: answers.reduce((sum, answer) => sum + answer.requests, 0),
    ...more,
  });
  if (plan.keyColumn === null) return readByCount(task, context, () => read(range, 'rows'), answers, result);
  for (;;) {
    const next = judgeEnd(range, answers);
    switch (next.do) {
      case 'read':
        await read(next.range, answers.length === 0 ? 'rows' : 'closing read');
        break;
      case 'proven':
        await holdAgainstCount(task, context, answers);
        if (next.confirm !== undefined) await confirm(task, context, next.confirm);
        return result(next.by, null);
      case 'unproven':
        throw unproven(plan, next.why);
      case 'disproved':
      case 'unordered':
        // What proves an answer without order needs the whole table.
        if (plan.strategy === 'ranges') throw disproved(plan, next.why);
        return proveBySplit(plan, context, result('split-count', next.why, { ascending: false }), next.why);
    }
  }
}

/** Reads some known keys again, up to the greatest: an answer that lacks it was cut, and so may the closing read have been. */
async function confirm({ plan, range }: ReadTask, context: ReadContext, { ge, holds }: Confirmation): Promise<void> {
  const key = plan.keyColumn;
  if (key === null) return;
  const filter = allOf(plan.filter, rangeFilter(key, { ge, le: range.le }));
  const { found } = await scanKeys(context.instance, plan.table, key, filter, context.signal, holds);
  if (!found) throw unproven(plan, `a second read of its last keys did not bring ${holds}, which came before`);
}

/** Of no row or one, there is no second row whose absence would show: where the instance counts, its count must not say more. */
async function holdAgainstCount(
  { plan, range }: ReadTask,
  context: ReadContext,
  answers: readonly ReadAnswer[],
): Promise<void> {
  const rows = answers.reduce((sum, answer) => sum + answer.rows, 0);
  if (rows > 1 || range.ge !== null || range.le !== null) return;
  const count = await countRows(plan, context);
  if (count !== null && count > rows)
    throw unproven(plan, `${plural(rows, 'row')} came, but the instance counts ${count}`);
}

/** Without a key to close with: one answer, whole, held against what the instance counts. */
async function readByCount(
  { plan }: ReadTask,
  context: ReadContext,
  read: () => Promise<void>,
  answers: readonly ReadAnswer[],
  result: (proof: Proof, evidence: string | null, more: Partial<ReadToEnd>) => ReadToEnd,
): Promise<ReadToEnd> {
  const before = await countRows(plan, context);
  await read();
  const [answer] = answers;
  const rows = answer?.rows ?? 0;
  const after = await countRows(plan, context);
  const estimated = plan.filter === undefined && plan.estimate?.source === 'Dmv_Table_Info' ? plan.estimate.rows : null;
  const verdict = judgeByCount({ rows, before: before ?? estimated, after });
  if (!verdict.ok) throw unproven(plan, verdict.why);
  if (verdict.proof !== 'count' && plan.pageRows !== null && answer?.lastPageRows === plan.pageRows) {
    throw new TablevaultError('END_UNPROVEN', `the last page of ${plan.table.name} was full and had no next link`, {
      at: { table: plan.table.name, rows },
    });
  }
  const counts = { before: before ?? estimated, after };
  const requests = (answer?.requests ?? 0) + (before === null ? 0 : 1) + (after === null ? 0 : 1);
  const shortPage = plan.strategy === 'chain' && verdict.proof === 'none';
  return result(shortPage ? 'short-page' : verdict.proof, verdict.why, { counts, requests, ascending: false });
}

async function countRows(plan: TablePlan, context: ReadContext): Promise<number | null> {
  if (context.capabilities.count !== true) return null;
  const [column] = plan.columns;
  if (column === undefined) return null;
  const query = compileQuery({ table: plan.table, select: [column.name], filter: plan.filter, top: 1, count: true });
  const { count } = await readSmall(context.instance, query, {
    purpose: 'count',
    table: plan.table.name,
    signal: context.signal,
  });
  return count;
}

/**
 * The proof that needs no order: for any key b, `le b` and `ge b` together hold every row, in whatever total order the server compares.
 * Read as keys alone, their counts less one must be the rows that came, or the answer was short.
 */
async function proveBySplit(plan: TablePlan, context: ReadContext, read: ReadToEnd, why: string): Promise<ReadToEnd> {
  const key = plan.keyColumn;
  if (key === null) throw unproven(plan, why);
  const { instance, signal } = context;
  const whole = await scanKeys(instance, plan.table, key, plan.filter, signal);
  const middle = whole.sample[Math.floor(whole.sample.length / 2)];
  if (middle === undefined) {
    if (read.rows === 0) return { ...read, requests: read.requests + 1 };
    throw unproven(plan, `${plural(read.rows, 'row')} came, but a second read of the keys found none`);
  }
  const part = (range: KeyRange) =>
    scanKeys(instance, plan.table, key, allOf(plan.filter, rangeFilter(key, range)), signal);
  const below = await part({ ge: null, le: middle });
  const above = await part({ ge: middle, le: null });
  const rows = below.rows + above.rows - 1;
  const requests = read.requests + whole.requests + below.requests + above.requests;
  if (rows === read.rows && whole.rows === read.rows) {
    return { ...read, requests, evidence: `${why}; its keys up to and from ${middle} are as many as its rows` };
  }
  throw unproven(plan, `${why}, and ${plural(read.rows, 'row')} came, but its keys, read in two halves, are ${rows}`);
}

function queryOf(plan: TablePlan, range: KeyRange): string {
  return compileQuery({
    table: plan.table,
    select: plan.columns.map((column) => column.name),
    filter: allOf(plan.filter, plan.keyColumn === null ? undefined : rangeFilter(plan.keyColumn, range)),
    ...(plan.pageRows === null ? {} : { top: plan.pageRows }),
  });
}

function specOf({ plan, range, fingerprint }: ReadTask, context: ReadContext, path: string): TaskSpec {
  return {
    table: plan.table.name,
    columns: plan.columns,
    key: plan.table.key,
    profile: context.parquet.types,
    compression: context.parquet.compression,
    partRows: context.parquet.partRows,
    path,
    metadata: {
      'tablevault.table': plan.table.name,
      'tablevault.range': JSON.stringify(range),
      'tablevault.schema': fingerprint,
    },
    absentIsNull: context.capabilities.absentIsNull,
    maxRowBytes: context.maxRowBytes,
  };
}

function disproved(plan: TablePlan, why: string): TablevaultError {
  return new TablevaultError('ORDER_DISPROVED', `${plan.table.name}: ${why}`, {
    at: { table: plan.table.name },
    hint: 'The instance does not compare keys as SQL Server does; the table is read as one stream instead.',
  });
}

function unproven(plan: TablePlan, why: string): TablevaultError {
  return new TablevaultError('END_UNPROVEN', `the read of ${plan.table.name} may be short: ${why}`, {
    at: { table: plan.table.name },
    retryable: true,
    hint: 'Rows may have changed meanwhile, or the rights of the identity cut its answers: check its "Show more than … rows" permissions.',
  });
}
