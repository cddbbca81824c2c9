/** Reads one table by its plan, stores its parts and checkpoints, and makes its entry of the manifest. */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LimitFunction } from 'p-limit';
import { count as number, plural } from '../../core/words.ts';
import { compileQuery } from '../../odata/query.ts';
import { referencesOf } from '../../odata/references.ts';
import type { LocalPart } from '../../parquet/task.ts';
import { parquetTypeName } from '../../parquet/types.ts';
import type { PlannedTable } from '../../read/plan.ts';
import { askSmall } from '../../read/small.ts';
import { readTable as readByPlan, type TableRead, type TaskOutcome } from '../../read/table.ts';
import { type ReadContext, readTask, type TaskResult } from '../../read/task.ts';
import type { Proof } from '../../scan/facts.ts';
import type { TablePlan } from '../../scan/plan.ts';
import type { KeyRange } from '../../scan/ranges.ts';
import type { PartEntry, TableEntry } from '../../vault/chain/manifest.ts';
import { type Checkpoint, writeCheckpoint } from '../../vault/commit/checkpoints.ts';
import { putPart } from '../../vault/parts.ts';
import type { Vault } from '../../vault/vault.ts';

export interface TableContext extends ReadContext {
  readonly vault: Vault;
  readonly run: string;
  /** One for all tables: as many tasks at once as requests are allowed. */
  readonly limit: LimitFunction;
  /** Finished tasks of a run that is continued, by `Table/task`. */
  readonly finished: ReadonlyMap<string, Checkpoint>;
  /** Numbers for parts and checkpoints of a table, from the first free one on. */
  readonly nextNumber: (table: string) => number;
  /** Told of each task that is read and stored: the next run need not read it. */
  readonly onStored: () => void;
}

/** A task whose parts are stored. Of it a checkpoint keeps the parts, and in `detail` all else. */
interface StoredTask extends TaskOutcome {
  readonly parts: readonly PartEntry[];
  /** Was it read by an earlier process of this run? */
  readonly kept: boolean;
}

type TaskDetail = Omit<StoredTask, 'parts' | 'kept'>;

export interface TableResult {
  readonly entry: TableEntry;
  /** Was it read as it was planned? Otherwise what is known of the instance may be out of date. */
  readonly asPlanned: boolean;
}

/** Reads one table by its plan, stores its parts, and says what the manifest says of it. */
export async function readTable(planned: PlannedTable, context: TableContext): Promise<TableResult> {
  const { emit, clock } = context;
  const { name } = planned.table;
  const begun = clock.now();
  const rows = rowsKept(name, context);
  emit({ type: 'tableStarted', table: name, rows, rowsExpected: planned.plan.estimate?.rows ?? null });
  if (planned.refusal !== null) throw planned.refusal;
  const read = await readOrContinue(planned, context);
  const warnings = [...planned.warnings, ...read.warnings, ...columnWarnings(planned, read.tasks, context)];
  const entry = entryOf(planned, read, warnings, context);
  emit({ type: 'tableDone', table: name, rows: entry.rows, bytes: entry.bytes, ms: clock.now() - begun });
  for (const message of warnings) emit({ type: 'warning', table: name, message });
  const byKey = read.tasks.every(({ proof }) => proof !== 'count' && proof !== 'none');
  return { asPlanned: read.plan === planned.plan && (byKey || planned.plan.key === null), entry };
}

/** Rows that an earlier process of this run has read of a table. */
function rowsKept(table: string, { finished }: TableContext): number {
  const checkpoints = [...finished.values()].filter((checkpoint) => checkpoint.table === table);
  return checkpoints.reduce((sum, { rows }) => sum + rows, 0);
}

/**
 * With what an earlier process has read of it, unless the instance now counts more rows than those and these together: then some were not to
 * be seen, or came since, and the whole table is read anew.
 */
async function readOrContinue(planned: PlannedTable, context: TableContext): Promise<TableRead<StoredTask>> {
  const read = await readByPlan(planned, context, (plan, range, signal, onSeen) =>
    context.limit(() => readAndStore(planned, plan, range, onSeen, { ...context, signal })),
  );
  if (!read.tasks.some(({ kept }) => kept)) return read;
  const rows = read.tasks.reduce((sum, task) => sum + task.rows, 0);
  const counted = await context.limit(() => countNow(planned, read.plan, context));
  if (counted === null || counted <= rows) return read;
  context.emit({
    type: 'warning',
    table: planned.table.name,
    message: `${plural(rows, 'row')} came, in part before the run was continued, and the instance counts ${number(counted)} now: reading it anew`,
  });
  return readByPlan(planned, context, (plan, range, signal, onSeen) =>
    context.limit(() => readAndStore(planned, plan, range, onSeen, { ...context, signal, finished: new Map() })),
  );
}

async function countNow(
  { table }: PlannedTable,
  { filter, columns }: TablePlan,
  { instance, counts, signal }: TableContext,
): Promise<number | null> {
  const column = table.key[0] ?? columns[0]?.name;
  if (!counts.mayAsk || column === undefined) return null;
  const query = compileQuery({ table, select: [column], filter, top: 1, count: true });
  return (await askSmall(instance, query, { purpose: 'count', table: table.name, signal }))?.count ?? null;
}

function entryOf(
  planned: PlannedTable,
  { plan, tasks, verdict, requests }: TableRead<StoredTask>,
  warnings: readonly string[],
  context: TableContext,
): TableEntry {
  const parts = tasks.flatMap((task) => task.parts);
  const sum = (pick: (part: PartEntry) => number) => parts.reduce((total, part) => total + pick(part), 0);
  return {
    name: planned.table.name,
    schema: schemaEntry(planned, context),
    fingerprint: planned.fingerprint,
    typesProfile: context.parquet.types,
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes }) => bytes),
    parts,
    strategy: plan.strategy,
    consistency: verdict.consistency,
    proof: proofOf(tasks, verdict.reasons),
    window: windowOf(tasks),
    counts: countsOf(plan, tasks),
    columnsLeftOut: planned.leftOut.map(({ name: column, reason }) => ({ name: column, reason })),
    warnings: [...warnings],
    requests: planned.requests + requests,
    ...(planned.filter?.op === 'text' ? { filter: planned.filter.text } : {}),
  };
}

/** What was counted with the rows, or else what the plan was made with: never one number beside the source of another. */
function countsOf({ estimate }: TablePlan, tasks: readonly StoredTask[]): TableEntry['counts'] {
  const { before = null, after = null } = tasks.length === 1 ? (tasks[0]?.counts ?? {}) : {};
  if (before !== null || after !== null) return { before, after, source: '$count' };
  return { before: estimate?.rows ?? null, after: null, source: estimate?.source ?? null };
}

/** From the first request for a row to the last answer, over all tasks, those of an earlier process too. */
function windowOf(tasks: readonly StoredTask[]): TableEntry['window'] {
  const instant = (ms: number) => new Date(ms).toISOString();
  return {
    from: instant(Math.min(...tasks.map(({ window }) => window.from))),
    to: instant(Math.max(...tasks.map(({ window }) => window.to))),
  };
}

function columnWarnings(
  { columns }: PlannedTable,
  tasks: readonly StoredTask[],
  { capabilities }: TableContext,
): readonly string[] {
  const unknown = new Set(tasks.flatMap(({ unknownProperties }) => unknownProperties));
  const unseen = capabilities.absentIsNull ? nullEverywhere(columns, tasks) : [];
  return [
    ...(unknown.size === 0
      ? []
      : [`properties that $metadata does not name were left out: ${[...unknown].join(', ')}`]),
    ...(unseen.length === 0
      ? []
      : [
          `these columns are null in every row or hidden from this identity, which looks the same: ${unseen.join(', ')}`,
        ]),
  ];
}

/** Columns without a value in any row. */
function nullEverywhere(columns: PlannedTable['columns'], tasks: readonly StoredTask[]): readonly string[] {
  const parts = tasks.flatMap((task) => task.parts);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const nulls = (name: string) => parts.reduce((sum, part) => sum + (part.columns[name]?.nulls ?? 0), 0);
  return rows === 0 ? [] : columns.map(({ name }) => name).filter((name) => nulls(name) === rows);
}

async function readAndStore(
  planned: PlannedTable,
  plan: TablePlan,
  range: KeyRange,
  onSeen: (rows: number) => void,
  context: TableContext,
): Promise<StoredTask> {
  const { vault, run, signal } = context;
  const table = planned.table.name;
  const task = taskName(plan, range);
  const done = context.finished.get(`${table}/${task}`);
  if (done !== undefined) return { ...(done.detail as TaskDetail), parts: done.parts, kept: true };
  signal.throwIfAborted();
  const number = context.nextNumber(table);
  const { fingerprint } = planned;
  const result = await readTask({ plan, range, fingerprint, id: `${number}-${table}`, onSeen }, context);
  const parts: PartEntry[] = [];
  for (const [n, part] of result.parts.entries()) {
    signal.throwIfAborted();
    parts.push(await store(planned, part, { vault, run, n: number * 1000 + n, range, signal }));
  }
  const [first] = result.parts;
  if (first !== undefined) await rm(dirname(first.path), { recursive: true, force: true });
  const detail = detailOf(result);
  const { rows, proof } = result;
  const checkpoint: Checkpoint = { table, task, range: bounds(range), rows, parts, proof, detail };
  await writeCheckpoint(vault, run, number, checkpoint, { signal });
  context.onStored();
  return { ...detail, parts, kept: false };
}

function detailOf({ parts: _, ...detail }: TaskResult): TaskDetail {
  return detail;
}

async function store(
  { table, columns }: PlannedTable,
  part: LocalPart,
  to: { vault: Vault; run: string; n: number; range: KeyRange; signal: AbortSignal },
): Promise<PartEntry> {
  const { vault, run, n, range, signal } = to;
  const { path: file, rows, bytes, sha256 } = part;
  const key = await putPart(vault, { table: table.name, run, n, file, bytes, sha256 }, { signal });
  const statistics = Object.fromEntries(columns.map(({ name }) => [name, part.columns[name] ?? { nulls: 0 }]));
  return {
    key,
    run,
    rows,
    bytes,
    sha256,
    range: bounds(range),
    firstKey: part.firstKey === null ? null : [part.firstKey],
    lastKey: part.lastKey === null ? null : [part.lastKey],
    columns: statistics,
  };
}

/** What a checkpoint calls a task. */
export function taskName(plan: TablePlan, range: KeyRange): string {
  return `${plan.strategy}:${range.ge ?? ''}..${range.le ?? ''}`;
}

function bounds(range: KeyRange): { ge?: string; le?: string } | null {
  if (range.ge === null && range.le === null) return null;
  return { ...(range.ge === null ? {} : { ge: range.ge }), ...(range.le === null ? {} : { le: range.le }) };
}

function schemaEntry({ columns, table }: PlannedTable, { parquet }: TableContext): TableEntry['schema'] {
  const references = referencesOf({ columns, navigations: table.navigations });
  return {
    columns: columns.map(({ name, edmType, type, nullable }) => ({
      name,
      edmType,
      type,
      nullable,
      parquetType: parquetTypeName(type, parquet.types),
    })),
    key: [...table.key],
    ...(references.length === 0 ? {} : { references: [...references] }),
  };
}

/** How often each proof was given, what there is to say beyond, and what keeps the table from being exact. */
function proofOf(tasks: readonly StoredTask[], reasons: readonly string[]): Record<string, unknown> {
  const proofs: Partial<Record<Proof, number>> = {};
  for (const { proof } of tasks) proofs[proof] = (proofs[proof] ?? 0) + 1;
  const evidence = tasks.map((task) => task.evidence).filter((text) => text !== null);
  return {
    tasks: proofs,
    ...(evidence.length === 0 ? {} : { evidence }),
    ...(reasons.length === 0 ? {} : { reasons: [...reasons] }),
  };
}
