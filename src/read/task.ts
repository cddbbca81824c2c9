/** Reads one task of a table to its proven end, into local Parquet files. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { hasCode, isRetryable, TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { makeFolder } from '../core/folders.ts';
import type { ParquetSettings } from '../core/pipeline.ts';
import { withRetries } from '../core/retry.ts';
import { count, plural } from '../core/words.ts';
import type { WriterPool } from '../parquet/pool.ts';
import type { LocalPart, NullHabits, TaskSpec } from '../parquet/task.ts';
import type { Proof, ScanFacts } from '../scan/facts.ts';
import { keepsOrder } from '../scan/held.ts';
import type { Capabilities, TablePlan } from '../scan/plan.ts';
import type { KeyRange } from '../scan/ranges.ts';
import type { Source } from './answer.ts';
import type { CountKnowledge } from './counts.ts';
import { READ_RETRIES } from './keys.ts';
import { type Scan, scanRange } from './scan.ts';

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
  /** Can what came be taken back, so that a read may begin again? Default yes. */
  readonly mayRepeat?: () => boolean;
  /** Told of a table of which rows came after an answer that looked whole. */
  readonly onCut?: (table: string) => void;
}

/** One task of a table's plan. */
export interface ReadTask {
  readonly plan: TablePlan;
  readonly range: KeyRange;
  /** Names its files; unique in the process. */
  readonly id: string;
  /** Hash of the schema that all parts of the table share. */
  readonly fingerprint: string;
  /** Told how many rows are known to be there, whatever becomes of the task. */
  readonly onSeen?: (rows: number) => void;
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
  const isWhole = task.plan.ranges.length === 1;
  const seen: Seen = {
    rows: isWhole ? (task.plan.seen ?? 0) : 0,
    counted: isWhole ? (task.plan.counted ?? null) : null,
  };
  const onRetry = ({ code, message }: TablevaultError, next: number) => {
    const tries =
      code === 'END_UNPROVEN' ? `${unproven + 1} of ${UNPROVEN_TRIES}` : `${next} of ${READ_RETRIES.attempts}`;
    emit({ type: 'warning', table, message: `${message}; reading ${partOf(task)} again (${tries})` });
  };
  return withRetries(READ_RETRIES, { clock, signal, onRetry }, async (tried) => {
    try {
      return await readOnce(task, context, { tried, unproven, seen });
    } catch (thrown) {
      if (hasCode(thrown, 'END_UNPROVEN') && ++unproven >= UNPROVEN_TRIES) throw forGood(thrown);
      if (isRetryable(thrown) && context.mayRepeat?.() === false) throw forGood(thrown);
      throw thrown;
    }
  });
}

/** Which part of the table a task reads: several fail in the same words. */
function partOf({ plan: { ranges }, range }: ReadTask): string {
  return ranges.length === 1 ? 'it' : `part ${count(ranges.indexOf(range) + 1)} of ${count(ranges.length)}`;
}

interface Try {
  /** Number of the try, from 1. */
  readonly tried: number;
  /** Tries whose answers contradicted each other: each makes the next need more proof. */
  readonly unproven: number;
  /** Rows that are known to have been there: of earlier tries, or of what was seen before. */
  readonly seen: Seen;
}

interface Seen {
  rows: number;
  /** By the instance, before this try. */
  counted: number | null;
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
    const request = {
      plan,
      range,
      sink,
      unproven,
      seen: seen.rows,
      counted: seen.counted,
      onCounted: (rows: number) => {
        seen.counted = Math.max(seen.counted ?? 0, rows);
      },
      onBytes: (more: number) => {
        bytes += more;
      },
      onRows: (rows: number) => {
        seen.rows = Math.max(seen.rows, rows);
        task.onSeen?.(rows);
      },
    };
    const scan = await scanRange(request, context);
    const parts = await sink.finish();
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    const { held, checks } = scan.facts;
    if (rows !== held.rows) {
      throw new TablevaultError(
        'BUG',
        `${plural(held.rows, 'row')} of ${table.name} were decoded, ${count(rows)} written`,
        {
          at: { table: table.name },
        },
      );
    }
    const settled = await settle(task, context, parts, scan);
    const { proof, requests } = scan;
    return {
      ...settled,
      proof,
      requests,
      leftBoundaryOut: range.ge !== null && (held.first?.excluded ?? 0) > 0,
      counts: { before: held.first?.count ?? null, after: checks.recount ?? null },
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

// ── Rows that came twice ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Rows that did not come in key order may have come twice: a row that was updated meanwhile, or one that moved between pages. */
async function settle(
  task: ReadTask,
  context: ReadContext,
  parts: readonly LocalPart[],
  { facts, proof, evidence }: Scan,
): Promise<Pick<TaskResult, 'parts' | 'rows' | 'evidence' | 'duplicatesRuledOut'>> {
  const { table } = task.plan;
  const { rows } = facts.held;
  const asRead = { parts, rows, evidence };
  if (table.key.length === 0 || keepsOrder(facts.held)) return { ...asRead, duplicatesRuledOut: true };
  // Rows that went to a stream are in no file, and gone: unless their keys were remembered, whoever took them is told of it.
  if (parts.some(({ path }) => path === ''))
    return { ...asRead, duplicatesRuledOut: parts.every(({ keysDiffer }) => keysDiffer === true) };
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
function holdsStill({ held, checks }: ScanFacts, rows: number): boolean {
  const counts = [held.first?.count, checks.recount].filter((count) => count != null);
  return counts.length === 0 || rows >= Math.min(...counts);
}

// ── What is written ─────────────────────────────────────────────────────────────────────────────────────────────────────────

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

/** The error as one that no further try follows. */
export function forGood(error: TablevaultError): TablevaultError {
  const { code, message, at, hint } = error;
  return new TablevaultError(code, message, { at, cause: error.cause, ...(hint === undefined ? {} : { hint }) });
}
