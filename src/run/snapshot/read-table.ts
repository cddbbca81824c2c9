/** Reads one table by its plan, stores its parts and checkpoints, and makes its entry of the manifest. */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LimitFunction } from 'p-limit';
import { referencesOf } from '../../odata/references.ts';
import type { LocalPart } from '../../parquet/task.ts';
import { parquetTypeName } from '../../parquet/types.ts';
import { fallbackPlan } from '../../read/fallback.ts';
import type { PlannedTable } from '../../read/plan.ts';
import { type ReadContext, readTask, type TaskResult } from '../../read/task.ts';
import { consistencyOf } from '../../scan/consistency.ts';
import type { Proof } from '../../scan/end.ts';
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
}

/** What a finished task leaves in its checkpoint, beside its parts. */
interface TaskDetail {
  readonly proof: Proof;
  readonly evidence: string | null;
  readonly counts: TaskResult['counts'];
  readonly requests: number;
  readonly unknownProperties: readonly string[];
}

export interface TableResult {
  readonly entry: TableEntry;
  /** Was it read as it was planned? Otherwise what is known of the instance may be out of date. */
  readonly asPlanned: boolean;
}

/** Reads one table by its plan, stores its parts, and says what the manifest says of it. */
export async function readTable(planned: PlannedTable, context: TableContext): Promise<TableResult> {
  const { emit, clock } = context;
  const { name } = planned.table;
  const from = clock.now();
  emit({ type: 'tableStarted', table: name, rowsExpected: planned.plan.estimate?.rows ?? null });
  if (planned.refusal !== null) throw planned.refusal;
  const { plan, checkpoints, warnings } = await readByPlan(planned, context);
  const parts = checkpoints.flatMap((checkpoint) => checkpoint.parts);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  const details = checkpoints.map(({ detail }) => detail as TaskDetail);
  const unknown = new Set(details.flatMap((detail) => detail.unknownProperties));
  if (unknown.size > 0)
    warnings.push(`properties that $metadata does not name were left out: ${[...unknown].join(', ')}`);
  const unseen = context.capabilities.absentIsNull ? nullEverywhere(planned, parts) : [];
  if (unseen.length > 0)
    warnings.push(
      `these columns are null in every row or hidden from this identity, which looks the same: ${unseen.join(', ')}`,
    );
  const counts = {
    before: details[0]?.counts.before ?? plan.estimate?.rows ?? null,
    after: details[0]?.counts.after ?? null,
    source: details[0]?.counts.before == null ? (plan.estimate?.source ?? null) : '$count',
  };
  emit({ type: 'tableDone', table: name, rows, bytes, ms: clock.now() - from });
  for (const message of warnings) emit({ type: 'warning', table: name, message });
  return {
    asPlanned: plan === planned.plan,
    entry: {
      name,
      schema: schemaEntry(planned, context),
      fingerprint: planned.fingerprint,
      typesProfile: context.parquet.types,
      rows,
      bytes,
      parts,
      strategy: plan.strategy,
      consistency: consistencyOf({ keyed: planned.table.key.length > 0, proofs: details.map(({ proof }) => proof) }),
      proof: proofOf(details),
      window: { from: new Date(from).toISOString(), to: new Date(clock.now()).toISOString() },
      counts,
      columnsLeftOut: planned.leftOut.map(({ name: column, reason }) => ({ name: column, reason })),
      warnings,
      requests: planned.requests + details.reduce((sum, detail) => sum + detail.requests, 0),
      ...(planned.filter?.op === 'text' ? { filter: planned.filter.text } : {}),
    },
  };
}

/** Columns without a value in any row. */
function nullEverywhere({ columns }: PlannedTable, parts: readonly PartEntry[]): readonly string[] {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const nulls = (name: string) => parts.reduce((sum, part) => sum + (part.columns[name]?.nulls ?? 0), 0);
  return rows === 0 ? [] : columns.map(({ name }) => name).filter((name) => nulls(name) === rows);
}

/** By the plan as it is; when the instance turns out not to bear it, once more as one stream. */
async function readByPlan(
  planned: PlannedTable,
  context: TableContext,
): Promise<{ plan: TablePlan; checkpoints: readonly Checkpoint[]; warnings: string[] }> {
  const { plan } = planned;
  const warnings = [...planned.warnings];
  try {
    return { plan, warnings, checkpoints: await readTasks(planned, plan, context) };
  } catch (thrown) {
    const fallback = fallbackPlan(plan, thrown);
    if (fallback === undefined) throw thrown;
    warnings.push(`read as one stream: ${fallback.reason}`);
    return { plan: fallback, warnings, checkpoints: await readTasks(planned, fallback, context) };
  }
}

async function readTasks(
  planned: PlannedTable,
  plan: TablePlan,
  context: TableContext,
): Promise<readonly Checkpoint[]> {
  const results = await Promise.allSettled(
    plan.ranges.map((range) => context.limit(() => readAndStore(planned, plan, range, context))),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results.map((result) => (result as PromiseFulfilledResult<Checkpoint>).value);
}

async function readAndStore(
  planned: PlannedTable,
  plan: TablePlan,
  range: KeyRange,
  context: TableContext,
): Promise<Checkpoint> {
  const { vault, run, signal } = context;
  const table = planned.table.name;
  const task = taskName(plan, range);
  const done = context.finished.get(`${table}/${task}`);
  if (done !== undefined) return done;
  signal.throwIfAborted();
  const number = context.nextNumber(table);
  const result = await readTask({ plan, range, fingerprint: planned.fingerprint, id: `${number}-${table}` }, context);
  const parts: PartEntry[] = [];
  for (const [n, part] of result.parts.entries()) {
    signal.throwIfAborted();
    parts.push(await store(planned, part, { vault, run, n: number * 1000 + n, range, signal }));
  }
  const [first] = result.parts;
  if (first !== undefined) await rm(dirname(first.path), { recursive: true, force: true });
  const { proof, evidence, counts, requests, unknownProperties, rows } = result;
  const detail: TaskDetail = { proof, evidence, counts, requests, unknownProperties };
  const checkpoint: Checkpoint = { table, task, range: bounds(range), rows, parts, proof, detail };
  await writeCheckpoint(vault, run, number, checkpoint, { signal });
  return checkpoint;
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

function taskName(plan: TablePlan, range: KeyRange): string {
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

/** How often each proof was given, and what there is to say beyond. */
function proofOf(details: readonly TaskDetail[]): Record<string, unknown> {
  const tasks: Partial<Record<Proof, number>> = {};
  for (const { proof } of details) tasks[proof] = (tasks[proof] ?? 0) + 1;
  const evidence = details.map((detail) => detail.evidence).filter((text) => text !== null);
  return evidence.length === 0 ? { tasks } : { tasks, evidence };
}
