/** One table, ad hoc, to a file or a stream. */

import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { createClosers } from '../../core/closers.ts';
import { EXIT, TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { makeFolder } from '../../core/folders.ts';
import { maxRowBytesOf, type Pipeline } from '../../core/pipeline.ts';
import { sentence } from '../../core/words.ts';
import { type Instance, openInstance } from '../../instance/open.ts';
import { readSensitiveColumns } from '../../instance/sensitive.ts';
import { groupBytesOf } from '../../parquet/group-bytes.ts';
import { WriterPool } from '../../parquet/pool.ts';
import type { LocalPart, SinkHooks, TaskSpec } from '../../parquet/task.ts';
import { BatchSink } from '../../read/batch-sink.ts';
import { CountKnowledge } from '../../read/counts.ts';
import { type PlannedTable, planTables } from '../../read/plan.ts';
import { probeInstance, readTableRows } from '../../read/probe.ts';
import type { ReadContext } from '../../read/task.ts';
import { fewerThanTold } from '../../read/told-rows.ts';
import type { Consistency } from '../../scan/verdict.ts';
import { makeTemporaryFolder } from '../../storage/temporary-folder.ts';
import { chooseExtract, type ExtractChoice } from './choice.ts';
import type { ExtractFormat, FormatOptions, RowFormat } from './format.ts';
import type { ExtractOutput } from './output.ts';
import { inOnePiece, limitedSpec, type ReadRows, readAll, readLimited } from './read.ts';
import { createRowWriter } from './row-writer.ts';
import { csvFormat, ndjsonFormat } from './text.ts';

export interface ExtractOptions {
  readonly table: string;
  /** Exact names, in the order of the output. Default: what a snapshot would hold. */
  readonly select?: readonly string[];
  /** Rows at most, asked for as `$top`. Default all, with the end proven. */
  readonly limit?: number;
  readonly format: ExtractFormat;
  readonly output: ExtractOutput;
}

export interface ExtractDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface ExtractReport {
  readonly table: string;
  readonly format: ExtractFormat;
  readonly output: string;
  readonly rows: number;
  readonly columns: number;
  readonly bytes: number;
  /** Is the whole table there, its end proven? Null where only some rows were asked for. */
  readonly consistency: Consistency | null;
  readonly requests: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  readonly warnings: readonly string[];
}

/** No limit on the rows of a file. */
const ONE_FILE = 2 ** 40;

/**
 * Reads the table with the pipeline's credential and writes it. The output is committed when all rows are there and the end is proven; the
 * caller discards it when this throws.
 *
 * @throws TABLE_UNKNOWN, USAGE; what opening and reading throw; DESTINATION_* of the output
 */
export async function extractTable(
  pipeline: Pipeline,
  options: ExtractOptions,
  deps: ExtractDeps,
): Promise<ExtractReport> {
  const { clock, signal } = deps;
  const { format, output, limit } = options;
  const begun = clock.now();
  const warnings: string[] = [];
  const emit: Emit = (event) => {
    if (event.type === 'warning') warnings.push(event.message);
    deps.emit(event);
  };
  const closers = createClosers();
  try {
    const temporary = await makeTemporaryFolder('extract');
    closers.add(temporary.remove);
    const tempDir = temporary.path;
    const instance = await openInstance(pipeline, { ...deps, emit });
    closers.add(() => instance.close());
    const choice = chooseExtract(instance.model, pipeline, options.table, options.select, readSensitiveColumns());
    const { name } = choice.table;
    for (const message of choice.table.notRead ?? []) emit({ type: 'warning', table: name, message });
    if (choice.filter?.op === 'text')
      emit({
        type: 'warning',
        table: name,
        message: `only rows that match the pipeline's filter are read: ${choice.filter.text}`,
      });
    const run: ExtractRun = { pipeline, options, deps: { clock, signal, emit }, instance, tempDir, choice };
    emit({ type: 'doing', what: 'asking the instance what it can do' });
    const { planned, context, told } = await prepare(run);
    const rowsExpected = limit ?? planned.plan.estimate?.rows ?? null;
    emit({ type: 'planned', tables: 1, rowsExpected });
    emit({ type: 'tableStarted', table: name, rows: 0, rowsExpected });
    const read =
      format === 'parquet' ? await toParquet(run, planned, context) : await toBatches(run, planned, context, format);
    if (read.unknownProperties.length > 0)
      emit({
        type: 'warning',
        table: name,
        message: `properties that $metadata does not name were left out: ${read.unknownProperties.join(', ')}`,
      });
    const fewer = limit === undefined ? await fewerRows(run, told, read.rows) : undefined;
    if (fewer !== undefined) emit({ type: 'warning', table: name, message: fewer });
    await output.commit();
    const durationMs = clock.now() - begun;
    emit({ type: 'tableDone', table: name, rows: read.rows, bytes: output.bytes, ms: durationMs });
    const stats = instance.transport.stats();
    return {
      table: name,
      format,
      output: output.name,
      rows: read.rows,
      columns: choice.output.length,
      bytes: output.bytes,
      consistency: read.consistency,
      requests: stats.requests,
      bytesReceived: stats.wireBytes,
      durationMs,
      warnings,
    };
  } finally {
    await closers.close();
  }
}

/** What to say where `Dmv_Table_Info` tells of more rows, before the read and after it. */
async function fewerRows(
  { choice, instance, deps }: ExtractRun,
  before: number | undefined,
  rows: number,
): Promise<string | undefined> {
  if (choice.filter !== undefined || before === undefined || rows >= before) return undefined;
  const after = (await readTableRows(instance, deps.signal)).rows?.get(choice.table.name);
  return fewerThanTold(rows, { before, after });
}

interface ExtractRun {
  readonly pipeline: Pipeline;
  readonly options: ExtractOptions;
  readonly deps: ExtractDeps;
  readonly instance: Instance;
  readonly tempDir: string;
  readonly choice: ExtractChoice;
}

/** The plan of the one table, and all that its reading needs but a pool. */
async function prepare({ pipeline, options, deps, instance, tempDir, choice }: ExtractRun): Promise<{
  readonly planned: PlannedTable;
  readonly context: Omit<ReadContext, 'pool'>;
  /** Rows by `Dmv_Table_Info`. */
  readonly told: number | undefined;
}> {
  const { clock, emit, signal } = deps;
  const probe = await probeInstance(instance, [choice], signal);
  // Ranges need a scan of the keys first and give their rows side by side: for files alone, where nobody waits for the first row.
  const whole = options.limit !== undefined || options.format !== 'parquet';
  const counts = new CountKnowledge(probe.capabilities.count);
  const pretendedKeys = whole ? { pretendedKeys: () => [] } : {};
  const planDeps = { instance, probe, counts, hints: [], pipeline, signal, emit, ...pretendedKeys };
  const [planned] = await planTables([choice], planDeps);
  if (planned === undefined) throw new TablevaultError('BUG', `no plan was made for ${choice.table.name}`);
  if (planned.refusal !== null) throw planned.refusal;
  for (const message of planned.warnings) emit({ type: 'warning', table: choice.table.name, message });
  const maxRowBytes = maxRowBytesOf(pipeline.limits);
  const parquet = { ...pipeline.parquet, partRows: ONE_FILE };
  const { capabilities } = probe;
  const groupBytes = groupBytesOf(pipeline.limits.memoryMb, pipeline.limits.concurrency);
  return {
    planned,
    told: probe.tableRows?.get(choice.table.name),
    context: { instance, parquet, groupBytes, capabilities, counts, clock, emit, signal, tempDir, maxRowBytes },
  };
}

/** Rows decoded here and written as they come. */
async function toBatches(
  { options, choice, deps }: ExtractRun,
  planned: PlannedTable,
  context: Omit<ReadContext, 'pool'>,
  form: Exclude<ExtractFormat, 'parquet'>,
): Promise<ReadRows> {
  const { output, limit } = options;
  const { table, columns } = choice;
  const settings: FormatOptions = {
    columns,
    output: choice.output.map((name) => columns.findIndex((column) => column.name === name)),
    profile: context.parquet.types,
    toFile: output.isFile && !output.name.endsWith('.arrows'),
  };
  const format = await formatOf(form);
  const writer = createRowWriter({
    output,
    createFormat: () => format(settings),
    cannotTakeBack: () =>
      new TablevaultError('BUG', `the read of ${table.name} began again after its rows were written`),
    signal: deps.signal,
  });
  const open = async (spec: TaskSpec, hooks: SinkHooks = {}) => {
    await writer.begin();
    const maxRows = limit === undefined ? {} : { maxRows: limit };
    return new BatchSink({ spec, hooks, eager: writer.eager, take: (batch) => writer.write(batch), ...maxRows });
  };
  const mayRepeat = () => output.isFile || output.bytes === 0;
  const reading: ReadContext = { ...context, mayRepeat, pool: { open } };
  try {
    const read =
      limit === undefined
        ? await readAll(inOnePiece(planned), reading, 1)
        : await readLimited(choice, planned.plan, limit, reading, async () => {
            const sink = await open(limitedSpec(choice, reading, limit));
            return { sink, full: () => sink.full, handOver: () => sink.handOver() };
          });
    await writer.end();
    return read;
  } catch (thrown) {
    throw mayRepeat() ? thrown : afterRows(table.name, thrown);
  }
}

/** Arrow's library is large: it is loaded when it is wanted. */
async function formatOf(form: Exclude<ExtractFormat, 'parquet'>): Promise<(options: FormatOptions) => RowFormat> {
  switch (form) {
    case 'csv':
      return csvFormat;
    case 'ndjson':
      return ndjsonFormat;
    case 'arrow':
      return (await import('./arrow.ts')).arrowFormat;
  }
}

/** Parquet by the writers of snapshots, put together into one file. */
async function toParquet(
  { options, choice, tempDir, pipeline, deps }: ExtractRun,
  planned: PlannedTable,
  context: Omit<ReadContext, 'pool'>,
): Promise<ReadRows> {
  const { output, limit } = options;
  const { concurrency } = pipeline.limits;
  const pool = new WriterPool(limit === undefined ? Math.min(concurrency, planned.plan.ranges.length) : 1);
  try {
    const reading: ReadContext = { ...context, pool };
    const read =
      limit === undefined
        ? await readAll(planned, reading, concurrency)
        : await readLimited(choice, planned.plan, limit, reading, async () => ({
            sink: await pool.open(limitedSpec(choice, reading, limit)),
          }));
    const parts = limit === undefined ? read.parts : read.parts.slice(0, 1);
    await output.adopt(await oneFile(choice, parts, pipeline, tempDir, deps.signal));
    return { ...read, rows: parts.reduce((sum, part) => sum + part.rows, 0) };
  } finally {
    await pool.close();
  }
}

async function oneFile(
  choice: ExtractChoice,
  parts: readonly LocalPart[],
  pipeline: Pipeline,
  tempDir: string,
  signal: AbortSignal,
): Promise<string> {
  const [only] = parts;
  const asRead = choice.output.every((name, index) => choice.columns[index]?.name === name);
  if (only !== undefined && parts.length === 1 && asRead && choice.output.length === choice.columns.length)
    return only.path;
  const spill = join(tempDir, 'spill');
  await makeFolder(spill, 0o700);
  const to = join(tempDir, 'whole.parquet');
  const { combineParts } = await import('../../parquet/combine.ts');
  const output = choice.output.flatMap((name) => choice.columns.filter((column) => column.name === name));
  await combineParts({ parts, output, compression: pipeline.parquet.compression, spill, to, signal });
  return to;
}

/** What fails once rows are out leaves a part of the table there. */
function afterRows(table: string, thrown: unknown): unknown {
  if (!(thrown instanceof TablevaultError)) return thrown;
  if (thrown.exitCode !== EXIT.tables && thrown.exitCode !== EXIT.instance) return thrown;
  const { code, message, at, hint } = thrown;
  return new TablevaultError(
    code,
    `the read of ${table} failed after rows were written, which cannot be taken back: ${message}`,
    {
      at,
      cause: thrown,
      hint: `${hint === undefined ? '' : `${sentence(hint)} `}The output does not hold the whole table: discard it. With -o FILE, a read that fails is tried again, and a file appears only when one succeeds.`,
    },
  );
}
