/** Chooses the tables of a pipeline and plans how each is read. */
import pLimit from 'p-limit';
import { EXIT, TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { chooseByGlobs } from '../core/globs.ts';
import { compareGuidsAsSqlServer, type Guid, parseGuid } from '../core/guid.ts';
import type { Pipeline } from '../core/pipeline.ts';
import type { Column, TableSchema } from '../core/schema.ts';
import type { Instance } from '../instance/open.ts';
import { allOf, type Filter } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import { selectColumns, selectTables } from '../odata/select.ts';
import { cutsOf, planTable, type RowEstimate, rangeKey, type TablePlan } from '../scan/plan.ts';
import { type KeyRange, type PlacedKey, placeEvenly } from '../scan/ranges.ts';
import { type FilterGroup, findHiddenRows, groupFilter, type HiddenRows } from './default-filters.ts';
import { fingerprintOf } from './fingerprint.ts';
import { scanKeys } from './keys.ts';
import type { ProbeResult } from './probe.ts';
import { readSmall } from './small.ts';
import { isUnanswered } from './unanswered.ts';

/** A table of the pipeline with the columns that will be read of it. */
export interface ChosenTable {
  readonly table: TableSchema;
  readonly columns: readonly Column[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  readonly filter: Filter | undefined;
  /** Hash of columns, key and type profile. */
  readonly fingerprint: string;
}

const NOT_OF_PIPELINE = {
  none: 'no table of the pipeline',
  hint: '`tablevault tables` lists what the instance offers, and which of it the pipeline reads.',
} as const;

/** The pipeline's tables, narrowed to `only` where given. Throws when a pattern matches nothing. */
export function chooseTables(
  model: Instance['model'],
  pipeline: Pipeline,
  only: readonly string[] | undefined,
  sensitive: readonly string[],
  emit: Emit,
): readonly ChosenTable[] {
  const { include, exclude, overrides } = pipeline.tables;
  const chosen = selectTables(model, include, exclude, Object.keys(overrides));
  for (const message of chosen.warnings) emit({ type: 'warning', message });
  const tables = only === undefined ? chosen.tables : chooseByGlobs(chosen.tables, only, NOT_OF_PIPELINE);
  return tables.map((each) => {
    const override = overrides[each.name];
    const { table, columns, leftOut } = selectColumns(each, override, sensitive);
    return {
      table,
      columns,
      leftOut,
      filter: override?.filter === undefined ? undefined : { op: 'text', text: override.filter },
      fingerprint: fingerprintOf(columns, table.key, pipeline.parquet.types),
    };
  });
}

/** What an earlier snapshot knows of a table: entries of its manifest are hints. They spare requests and are never believed. */
export interface TableHint {
  readonly name: string;
  readonly rows: number;
  readonly parts: readonly {
    readonly rows: number;
    readonly firstKey: readonly string[] | null;
    readonly lastKey: readonly string[] | null;
  }[];
}

export interface PlanDeps {
  readonly instance: Instance;
  readonly probe: ProbeResult;
  readonly hints: readonly TableHint[];
  readonly pipeline: Pipeline;
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Keys to cut tables at in place of those that a read of the keys would give: for a plan that is only looked at. */
  readonly pretendedKeys?: readonly Guid[];
}

export interface PlannedTable extends ChosenTable {
  readonly plan: TablePlan;
  /** Columns that every read names, since an unfiltered one would hide rows; part of the plan's filter. */
  readonly groups: readonly FilterGroup[];
  /** What planning found that the manifest should say. */
  readonly warnings: readonly string[];
  /** Why the table cannot be read whole, whatever the plan. */
  readonly refusal: TablevaultError | null;
  /** Requests that planning took. */
  readonly requests: number;
}

/** Plans every table: sizes from the instance or the last snapshot, boundaries from the last snapshot or a read of the keys. */
export async function planTables(tables: readonly ChosenTable[], deps: PlanDeps): Promise<readonly PlannedTable[]> {
  const limit = pLimit(deps.pipeline.limits.concurrency);
  return Promise.all(tables.map((chosen) => limit(() => planOne(chosen, deps))));
}

async function planOne(chosen: ChosenTable, deps: PlanDeps): Promise<PlannedTable> {
  const { instance, probe, hints, pipeline, signal } = deps;
  const { table, columns } = chosen;
  const { concurrency, pageRows } = pipeline.limits;
  let estimate = await estimateOf(chosen, deps);
  let sample: readonly PlacedKey[] = [];
  const hidden = await hiddenRowsOf(chosen, deps);
  const { groups, warnings, refusal } = hidden;
  const filter = allOf(chosen.filter, groupFilter(groups));
  let { requests } = hidden;
  const key = probe.capabilities.keyFilter === false ? null : rangeKey(table);
  const cuts = estimate === null ? 0 : cutsOf(estimate.rows, concurrency).length;
  if (key !== null && cuts > 0) {
    sample = hintedKeys(hints, chosen);
    if (sample.length <= cuts && deps.pretendedKeys !== undefined) {
      sample = placeEvenly(deps.pretendedKeys);
      requests += 1;
    } else if (sample.length <= cuts) {
      try {
        const scan = await scanKeys(instance, table, key, filter, signal);
        sample = placeEvenly(scan.sample);
        requests += scan.requests;
        estimate = { rows: scan.rows, source: 'keys' };
      } catch (thrown) {
        if (!isUnanswered(thrown)) throw thrown;
        sample = [];
      }
    }
  }
  const plan = planTable({
    table,
    columns,
    filter,
    capabilities: probe.capabilities,
    estimate,
    sample,
    concurrency,
    pageRows,
  });
  return { ...chosen, plan, groups, warnings, refusal, requests };
}

/** A table whose hidden rows cannot be asked for fails by itself, when its turn comes. */
async function hiddenRowsOf(
  { table, filter }: ChosenTable,
  { instance, probe, signal }: PlanDeps,
): Promise<HiddenRows & { readonly refusal: TablevaultError | null }> {
  try {
    const found = await findHiddenRows(table, filter, { instance, capabilities: probe.capabilities, signal });
    return { ...found, refusal: null };
  } catch (thrown) {
    if (!(thrown instanceof TablevaultError) || thrown.exitCode !== EXIT.tables) throw thrown;
    return { groups: [], warnings: [], requests: 0, refusal: thrown };
  }
}

/** The table's rows, about: as the instance tells of all tables, as the last snapshot had them, or counted for this one. */
async function estimateOf(
  chosen: ChosenTable,
  { instance, probe, hints, signal }: PlanDeps,
): Promise<RowEstimate | null> {
  const { table, filter } = chosen;
  const known = filter === undefined ? probe.tableRows?.get(table.name) : undefined;
  if (known !== undefined) return { rows: known, source: 'Dmv_Table_Info' };
  const before = hints.find(({ name }) => name === table.name);
  if (before !== undefined) return { rows: before.rows, source: 'snapshot' };
  const key = rangeKey(table);
  if (probe.capabilities.count !== true || key === null) return null;
  try {
    const query = compileQuery({ table, select: [key], filter, top: 1, count: true });
    const { count } = await readSmall(instance, query, { purpose: 'count', table: table.name, signal });
    return count === null ? null : { rows: count, source: '$count' };
  } catch (thrown) {
    if (isUnanswered(thrown)) return null;
    throw thrown;
  }
}

/** First and last keys of the parts of the last snapshot: cut points that need no request. */
function hintedKeys(hints: readonly TableHint[], { table }: ChosenTable): readonly PlacedKey[] {
  const entry = hints.find(({ name }) => name === table.name);
  const parts = (entry?.parts ?? []).flatMap(({ firstKey, lastKey, rows }) => {
    const [first, last] = [parseGuid(firstKey?.[0] ?? ''), parseGuid(lastKey?.[0] ?? '')];
    return first === undefined || last === undefined ? [] : [{ first, last, rows }];
  });
  const total = parts.reduce((sum, { rows }) => sum + rows, 0);
  let before = 0;
  return parts
    .sort((a, b) => compareGuidsAsSqlServer(a.first, b.first))
    .flatMap(({ first, last, rows }) => {
      const at = before / total;
      before += rows;
      return [
        { key: first, at },
        { key: last, at: before / total },
      ];
    });
}

/** What a plan needs to be stored with a run, so that a continued run asks for the very same ranges. */
export interface StoredTablePlan {
  readonly table: string;
  readonly strategy: TablePlan['strategy'];
  readonly ranges: readonly KeyRange[];
  readonly pageRows: number | null;
  readonly keyColumn: string | null;
  readonly estimate: RowEstimate | null;
  readonly reason: string;
  /** Absent where hidden rows could not be asked for (or were not looked for): such a plan is not continued. */
  readonly groups?: readonly FilterGroup[];
  readonly warnings?: readonly string[];
}

export function storePlan({ plan, groups, warnings, refusal }: PlannedTable): StoredTablePlan {
  const { table, strategy, ranges, pageRows, keyColumn, estimate, reason } = plan;
  return {
    table: table.name,
    strategy,
    ranges,
    pageRows,
    keyColumn,
    estimate,
    reason,
    ...(refusal === null ? { groups, warnings } : {}),
  };
}

/** The stored plan of a run that is continued, on the tables as they are chosen now; the plan's hash says that they are the same. */
export function restorePlans(
  tables: readonly ChosenTable[],
  stored: readonly StoredTablePlan[],
): readonly PlannedTable[] | undefined {
  const byName = new Map(stored.map((plan) => [plan.table, plan]));
  const plans: PlannedTable[] = [];
  for (const chosen of tables) {
    const plan = byName.get(chosen.table.name);
    if (plan?.groups === undefined) return undefined;
    const { groups, warnings = [], table: _, ...rest } = plan;
    const filter = allOf(chosen.filter, groupFilter(groups));
    plans.push({
      ...chosen,
      groups,
      warnings,
      refusal: null,
      requests: 0,
      plan: { ...rest, table: chosen.table, columns: chosen.columns, filter },
    });
  }
  return plans;
}
