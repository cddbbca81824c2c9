/** Reads one task of a table to its proven end, into local Parquet files. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { hasCode, TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { makeFolder } from '../core/folders.ts';
import { comparator, type Key, ordersOf } from '../core/key-order.ts';
import type { ParquetSettings } from '../core/pipeline.ts';
import { withRetries } from '../core/retry.ts';
import { plural } from '../core/words.ts';
import { allOf } from '../odata/filters.ts';
import { compileQuery, type Query } from '../odata/query.ts';
import type { WriterPool } from '../parquet/pool.ts';
import type { LocalPart, NullHabits, TaskSink, TaskSpec } from '../parquet/task.ts';
import { type AnswerFacts, type Checks, keepsOrder, nextStep, type Proof, type ScanFacts } from '../scan/evidence.ts';
import { type ScanKey, scanKeyOf } from '../scan/key.ts';
import type { Capabilities, TablePlan } from '../scan/plan.ts';
import { type KeyRange, rangeFilter } from '../scan/ranges.ts';
import { type Answer, readAnswer, type Source } from './answer.ts';
import { BatchSink } from './batch-sink.ts';
import type { CountKnowledge } from './counts.ts';
import { type KeyScan, READ_RETRIES, scanKeys } from './keys.ts';
import { askSmall, isUnanswered } from './small.ts';

export interface ReadContext {
  readonly instance: Source;
  readonly pool: Pick<WriterPool, 'open'>;
  readonly parquet: ParquetSettings;
  readonly capabilities: Capabilities;
  readonly counts: CountKnowledge;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Folder for parts until they are stored. */
  readonly tempDir: string;
  readonly maxRowBytes: number;
  /** Bytes of values that a row group may hold in memory. */
  readonly groupBytes: number;
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
  /** What there is to say of the proof. */
  readonly evidence: string | null;
  readonly counts: { readonly before: number | null; readonly after: number | null };
  /** May a row have come twice unseen? Only rows that went to a stream, in no order, cannot be looked through. */
  readonly duplicatesRuledOut: boolean;
  /** Was the row that its range begins with left out, since the range before should have brought it? */
  readonly leftBoundaryOut: boolean;
  readonly requests: number;
  readonly unknownProperties: readonly string[];
  /** Columns of which nulls were written, and those of which they were left out. */
  readonly nulls: NullHabits;
  /** When its first request went out and its last answer had come, milliseconds since 1970. */
  readonly window: { readonly from: number; readonly to: number };
}

/** A read whose answers contradict each other is done again so often, and then refused: luck is no proof. */
const UNPROVEN_TRIES = 3;

/**
 * Reads one task to its proven end, into local Parquet files. What fails in a way that may pass is done again from the start, into new
 * files: a response that broke off leaves nothing behind.
 */
export function readTask(task: ReadTask, context: ReadContext): Promise<TaskResult> {
  const { clock, signal, emit } = context;
  const table = task.plan.table.name;
  let unproven = 0;
  const seen = { rows: task.plan.ranges.length === 1 ? (task.plan.seen ?? 0) : 0 };
  const onRetry = ({ message }: TablevaultError, next: number) =>
    emit({ type: 'warning', table, message: `${message}; reading it again (${next} of ${READ_RETRIES.attempts})` });
  return withRetries(READ_RETRIES, { clock, signal, onRetry }, async (tried) => {
    try {
      return await readOnce(task, context, { tried, unproven, seen });
    } catch (thrown) {
      if (hasCode(thrown, 'END_UNPROVEN') && ++unproven >= UNPROVEN_TRIES) throw forGood(thrown);
      throw thrown;
    }
  });
}

interface Try {
  /** Number of the try, from 1. */
  readonly tried: number;
  /** Tries whose answers contradicted each other: each makes the next need more proof. */
  readonly unproven: number;
  /** Rows that are known to have been there: of earlier tries, or of what was seen before. */
  readonly seen: { rows: number };
}

async function readOnce(task: ReadTask, context: ReadContext, { tried, unproven, seen }: Try): Promise<TaskResult> {
  const { plan, range } = task;
  const { table } = plan;
  const unknownProperties: string[] = [];
  const folder = join(context.tempDir, `${task.id}-${tried}`);
  await makeFolder(folder);
  let bytes = 0;
  const sink = await context.pool.open(specOf(task, context, join(folder, 'part')), {
    onUnknown: (property) => unknownProperties.push(property),
    onRows: (rows) => {
      context.emit({ type: 'progress', table: table.name, rows, bytes });
      bytes = 0;
    },
  });
  const from = context.clock.now();
  try {
    const scan = await scanRange(
      { task, context, sink, unproven, seen: seen.rows },
      {
        onBytes: (more) => {
          bytes += more;
        },
        onRows: (rows) => {
          seen.rows = Math.max(seen.rows, rows);
        },
      },
    );
    const parts = await sink.finish();
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    if (rows !== scan.rows) {
      throw new TablevaultError('BUG', `${scan.rows} rows of ${table.name} were decoded, ${rows} written`, {
        at: { table: table.name },
      });
    }
    const settled = await settle(task, context, parts, scan);
    const { proof, requests, facts } = scan;
    return {
      ...settled,
      proof,
      requests,
      leftBoundaryOut: range.ge !== null && (facts.answers[0]?.excluded ?? 0) > 0,
      counts: { before: facts.answers[0]?.count ?? null, after: facts.checks.recount ?? null },
      unknownProperties,
      nulls: allHabits(parts.map((part) => part.nulls)),
      window: { from, to: context.clock.now() },
    };
  } catch (thrown) {
    sink.abort();
    await rm(folder, { recursive: true, force: true });
    throw thrown;
  }
}

/** The habits of several parts or tasks together. */
export function allHabits(some: readonly NullHabits[]): NullHabits {
  return {
    written: [...new Set(some.flatMap(({ written }) => written))],
    leftOut: [...new Set(some.flatMap(({ leftOut }) => leftOut))],
  };
}

// ── The scan ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Scan {
  readonly rows: number;
  readonly proof: Proof;
  readonly evidence: string | null;
  readonly facts: ScanFacts;
  readonly requests: number;
}

interface Scanning {
  readonly task: ReadTask;
  readonly context: ReadContext;
  readonly sink: TaskSink;
  readonly unproven: number;
  /** Rows of the range that are known to have been there in this run. */
  readonly seen: number;
}

/** Counts the requests of a read of keys. */
type Asked = (scan: Promise<KeyScan>) => Promise<KeyScan>;

/** Does what the evidence asks for, step by step, until it is proven or refused. */
async function scanRange(
  scanning: Scanning,
  { onBytes, onRows }: { readonly onBytes: (bytes: number) => void; readonly onRows: (rows: number) => void },
): Promise<Scan> {
  const { context } = scanning;
  const { plan, range } = scanning.task;
  const answers: AnswerFacts[] = [];
  let checks: Checks = {};
  let { key } = plan;
  let requests = 0;
  const asked: Asked = async (scan) => {
    const result = await scan;
    requests += result.requests;
    return result;
  };
  for (;;) {
    const { countsTables, mayAsk } = context.counts;
    const { seen } = scanning;
    const { estimate } = plan;
    const counted = plan.ranges.length === 1 && estimate?.source === '$count' ? estimate.rows : null;
    const facts: ScanFacts = {
      seen,
      mustCount: plan.mustCount === true,
      counted,
      range,
      key,
      answers,
      checks,
      countsTables,
      countAsked: mayAsk || answers[0]?.count != null,
    };
    const step = nextStep(facts);
    switch (step.do) {
      case 'read':
        try {
          const answer = await readRows(scanning, step, answers.length, onBytes);
          requests += answer.requests;
          answers.push(answer);
          if (answer.rows > 0) checks = {};
          onRows(answers.reduce((sum, { rows }) => sum + rows, 0));
        } catch (thrown) {
          // Filters on this key are refused: what came is whole as far as the answer says, and only counts can tell more.
          if (!hasCode(thrown, 'REQUEST_REFUSED') || answers.length === 0 || answers.at(-1)?.more) throw thrown;
          requests++;
          key = null;
        }
        break;
      case 'beyond':
        checks = {
          ...checks,
          beyond: { ...checks.beyond, [step.order]: await beyond(scanning, key, step.range, asked) },
        };
        break;
      case 'again':
        checks = { ...checks, again: await again(scanning, key, step, asked) };
        break;
      case 'before': {
        // In an order that is not the server's, the only one itself may lie before its own predecessor.
        const { rows, wanted } = await asked(keysOf(scanning, key, step.range, step.only));
        checks = { ...checks, before: { ...checks.before, [step.order]: rows - wanted } };
        break;
      }
      case 'last':
        checks = { ...checks, last: await last(scanning, key, step, asked) };
        break;
      case 'between': {
        const { rows } = await asked(keysOf(scanning, key, step.range));
        checks = { ...checks, between: { ...checks.between, [step.order]: rows } };
        break;
      }
      case 'neighbours': {
        const { rows } = await asked(keysOf(scanning, key, step.range));
        checks = { ...checks, neighbours: [...(checks.neighbours ?? []), rows] };
        break;
      }
      case 'longer':
        checks = { ...checks, longer: await readAway(scanning, step.range) };
        requests++;
        break;
      case 'recount':
        requests++;
        checks = { ...checks, recount: await recount(plan, range, answers[0]?.count ?? null, context) };
        break;
      case 'split':
        checks = { ...checks, split: await halves(scanning, key, step.range, asked) };
        break;
      case 'refuse':
        throw unprovenError(plan, step.why);
      case 'disproved':
        throw disproved(plan, step.why);
      case 'proven': {
        const rows = answers.reduce((sum, answer) => sum + answer.rows, 0);
        return { rows, proof: step.by, evidence: step.why, facts, requests };
      }
    }
  }
}

function readRows(
  { task: { plan }, context, sink }: Scanning,
  { range, exclude }: { readonly range: KeyRange; readonly exclude: Key | null },
  before: number,
  onBytes: (bytes: number) => void,
): Promise<Answer> {
  const purpose = before === 0 ? 'rows' : 'closing read';
  const query = queryOf(plan, range);
  const { counts, signal, instance } = context;
  const key = scanKeyOf(plan.table, plan.columns);
  return readAnswer(
    { query, range, exclude, key, goesOn: plan.key !== null, purpose, signal, counts, onBytes },
    instance,
    sink,
  );
}

function keysOf(
  { task, context }: Scanning,
  key: ScanKey | null,
  range: KeyRange,
  wanted?: Key,
  whole = false,
): Promise<KeyScan> {
  const { plan } = task;
  if (key === null) throw new TablevaultError('BUG', `${plan.table.name} is asked by a key that it does not have`);
  const { table, filter } = plan;
  const { signal, clock, instance } = context;
  const request = { table, key, filter, range, whole, signal, clock };
  return scanKeys(wanted === undefined ? request : { ...request, wanted }, instance);
}

/** Reads rows that are there already: what counts is how many come. */
async function readAway({ task: { plan }, context }: Scanning, range: KeyRange) {
  const { capabilities, maxRowBytes, signal, instance } = context;
  const { table, columns } = plan;
  const spec = { table: table.name, columns, key: [], absentIsNull: capabilities.absentIsNull, maxRowBytes };
  const sink = new BatchSink({ spec, hooks: {}, eager: false, take: async () => {} });
  const query = queryOf(plan, range);
  const { rows, bytes } = await readAnswer(
    { query, range, exclude: null, key: null, goesOn: false, purpose: 'known rows', signal },
    instance,
    sink,
  );
  return { rows, bytes };
}

async function beyond(scanning: Scanning, key: ScanKey | null, range: KeyRange, asked: Asked) {
  try {
    const { rows, sample } = await asked(keysOf(scanning, key, range));
    return { rows, first: sample[0] ?? null };
  } catch (thrown) {
    // The next key may be one that the server does not take, such as an instant in microseconds: then the question stays open.
    if (isUnanswered(thrown)) return null;
    throw thrown;
  }
}

async function again(
  scanning: Scanning,
  key: ScanKey | null,
  { range, holds }: { readonly range: KeyRange; readonly holds: Key },
  asked: Asked,
) {
  const { wanted } = await asked(keysOf(scanning, key, range, holds));
  return { found: wanted > 0 };
}

async function last(
  scanning: Scanning,
  key: ScanKey | null,
  { range, last: greatest }: { readonly range: KeyRange; readonly last: Key },
  asked: Asked,
) {
  const { rows, sample } = await asked(keysOf(scanning, key, range));
  return { rows, next: sample.find((each) => each !== greatest) ?? null };
}

async function recount(
  plan: TablePlan,
  range: KeyRange,
  before: number | null,
  { instance, signal }: ReadContext,
): Promise<number | null> {
  const { select, ...query } = queryOf(plan, range);
  const column = plan.table.key[0] ?? select[0];
  if (column === undefined) return null;
  const url = compileQuery({ ...query, select: [column], top: 1, count: true });
  const answer = await askSmall(instance, url, { purpose: 'count', table: plan.table.name, signal });
  if (answer?.count == null) return null;
  // As many as were asked for, where more were counted before: it is the answer that was counted.
  return answer.count <= answer.rows.length && (before ?? 0) > answer.count ? null : answer.count;
}

/**
 * The proof that needs no order: for any key b, `le b` and `ge b` together hold every row, in whatever total order the server compares. The
 * first b is the median, where a cut would be seen soonest; a read that failed before is split at more places.
 */
async function halves(
  scanning: Scanning,
  key: ScanKey | null,
  range: KeyRange,
  asked: Asked,
): Promise<NonNullable<Checks['split']> | null> {
  if (key === null) return null;
  const whole = await asked(keysOf(scanning, key, range, undefined, true));
  const order = ordersOf(key.type)[0];
  const sorted = order === undefined ? [] : whole.sample.toSorted(comparator(key.type, order));
  const { sum } = whole;
  if (sorted.length === 0) return { whole: whole.rows, sum, halves: whole.rows };
  const cuts = scanning.unproven + 1;
  for (let n = 1; ; n++) {
    const middle = sorted[Math.floor((sorted.length * n) / (cuts + 1))] ?? sorted[0]!;
    const below = await asked(keysOf(scanning, key, { ge: range.ge, le: middle }));
    const above = await asked(keysOf(scanning, key, { ge: middle, le: range.le }, middle));
    // Halves that share most of their rows would tell nothing of either.
    if (above.wanted * 2 > whole.rows && whole.rows > 1) return null;
    const rows = below.rows + above.rows - above.wanted;
    if (rows !== whole.rows || n === cuts) return { whole: whole.rows, sum, halves: rows };
  }
}

// ── Rows that came twice ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Rows that did not come in key order may have come twice: a row that was updated meanwhile, or one that moved between pages. */
async function settle(
  task: ReadTask,
  context: ReadContext,
  parts: readonly LocalPart[],
  { facts, rows, proof, evidence }: Scan,
): Promise<Pick<TaskResult, 'parts' | 'rows' | 'evidence' | 'duplicatesRuledOut'>> {
  const { table } = task.plan;
  const asRead = { parts, rows, evidence };
  if (table.key.length === 0 || keepsOrder({ ...facts, key: scanKeyOf(table, task.plan.columns) }))
    return { ...asRead, duplicatesRuledOut: true };
  // Rows that went to a stream are in no file, and gone: whoever took them is told that they came in no order.
  if (parts.some(({ path }) => path === '')) return { ...asRead, duplicatesRuledOut: false };
  // Brings DuckDB into this thread, which nothing else here needs.
  const { settleDuplicates } = await import('../parquet/duplicates.ts');
  const settled = await settleDuplicates(parts, specOf(task, context, ''), context.signal);
  // What counts rows proves nothing once some of them were the same.
  const stillProven =
    settled.ok && (settled.dropped === 0 || (proof !== 'split' && holdsStill(facts, rows - settled.dropped)));
  if (!settled.ok || !stillProven) {
    throw new TablevaultError('DUPLICATE_KEY', `the instance sent two rows of ${table.name} with the same key`, {
      at: { table: table.name, ...(settled.ok ? {} : { key: settled.key }) },
      retryable: true,
      hint: 'Rows may have moved between pages while they were read: run again, at a quieter time.',
    });
  }
  if (settled.dropped === 0) return { ...asRead, duplicatesRuledOut: true };
  const note = `dropped ${plural(settled.dropped, 'earlier version')} of rows that came twice`;
  return {
    parts: settled.parts,
    rows: rows - settled.dropped,
    evidence: evidence === null ? note : `${evidence}; ${note}`,
    duplicatesRuledOut: true,
  };
}

/** Are there still as many rows as the instance counts? */
function holdsStill({ answers, checks }: ScanFacts, rows: number): boolean {
  const counts = [answers[0]?.count, checks.recount].filter((count) => count != null);
  return counts.length === 0 || rows >= Math.min(...counts);
}

// ── What is asked and written ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function queryOf(plan: TablePlan, range: KeyRange): Query {
  const column = plan.key?.column;
  return {
    table: plan.table,
    select: plan.columns.map(({ name }) => name),
    filter: allOf(plan.filter, column === undefined ? undefined : rangeFilter(column, range)),
    ...(plan.pageRows === null ? {} : { top: plan.pageRows }),
  };
}

function specOf({ plan, range, fingerprint }: ReadTask, context: ReadContext, path: string): TaskSpec {
  return {
    table: plan.table.name,
    columns: plan.columns,
    key: plan.table.key,
    profile: context.parquet.types,
    compression: context.parquet.compression,
    partRows: context.parquet.partRows,
    groupBytes: context.groupBytes,
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
    hint: 'The instance does not compare or filter keys as was thought; the table is read another way.',
  });
}

function unprovenError(plan: TablePlan, why: string): TablevaultError {
  return new TablevaultError('END_UNPROVEN', `the read of ${plan.table.name} may be short: ${why}`, {
    at: { table: plan.table.name },
    retryable: true,
    hint: 'Rows may have changed meanwhile, or the rights of the identity cut its answers: check its "Show more than … rows" permissions.',
  });
}

function forGood(error: TablevaultError): TablevaultError {
  const { code, message, at, hint } = error;
  return new TablevaultError(code, message, { at, cause: error.cause, ...(hint === undefined ? {} : { hint }) });
}
