/** Chooses the tables of a pipeline and plans how each is read. */
import pLimit from 'p-limit';
import { EXIT, TablevaultError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { chooseByGlobs } from '../core/globs.ts';
import { comparator, type Key, ordersOf } from '../core/key-order.ts';
import type { Pipeline } from '../core/pipeline.ts';
import type { Column, TableSchema } from '../core/schema.ts';
import type { Instance } from '../instance/open.ts';
import { allOf, type Filter } from '../odata/filters.ts';
import { compileQuery } from '../odata/query.ts';
import { selectColumns, selectTables } from '../odata/select.ts';
import { cutsIntoRanges, type ScanKey, scanKeyOf } from '../scan/key.ts';
import { cutsOf, planTable, type RowEstimate, type TablePlan, usableKey } from '../scan/plan.ts';
import { type KeyRange, type PlacedKey, placeEvenly } from '../scan/ranges.ts';
import type { CountKnowledge } from './counts.ts';
import { fingerprintOf } from './fingerprint.ts';
import {
  everyKey,
  type FilterGroup,
  findHiddenRows,
  groupFilter,
  type HiddenRows,
  type HidingValue,
  type OpenQuestion,
} from './hidden-rows.ts';
import { scanKeys } from './keys.ts';
import type { ProbeResult } from './probe.ts';
import { askSmall, isUnanswered } from './small.ts';

/** A table of the pipeline with the columns that will be read of it. */
export interface ChosenTable {
  readonly table: TableSchema;
  readonly columns: readonly Column[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  readonly filter: Filter | undefined;
  /** What the pipeline takes where a table can be neither proven nor counted; undefined is to fail. */
  readonly accept: 'best-effort' | undefined;
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
      accept: override?.accept,
      fingerprint: fingerprintOf(columns, table.key, pipeline.parquet.types),
    };
  });
}

/** What an earlier snapshot knows of a table: entries of its manifest are hints. They spare requests and are never believed. */
export interface TableHint {
  readonly name: string;
  /** Of the schema that its parts share. */
  readonly fingerprint: string;
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
  readonly counts: CountKnowledge;
  /** Keys to cut tables at in place of those that a read of the keys would give: for a plan that is only looked at. */
  readonly pretendedKeys?: (key: ScanKey) => readonly Key[];
}

export interface PlannedTable extends ChosenTable {
  readonly plan: TablePlan;
  /** Columns that every read names, since an unfiltered one would hide rows; part of the plan's filter. */
  readonly groups: readonly FilterGroup[];
  /** Does every read name the key, since one without any filter might hide rows? */
  readonly namesKey: boolean;
  /** What planning found that the manifest should say. */
  readonly warnings: readonly string[];
  /** Values of which a question brought a row: the read has to bring such rows too. */
  readonly found: readonly HidingValue[];
  /** Questions without an answer that could show that rows are hidden. */
  readonly open: readonly OpenQuestion[];
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
  const { probe, pipeline } = deps;
  const { table, columns } = chosen;
  const { concurrency, pageRows } = pipeline.limits;
  const estimate = await estimateOf(chosen, deps);
  const { groups, warnings, open, found, refusal, requests, namesKey } = await hiddenRowsOf(chosen, deps);
  const key = usableKey(table, columns, probe.capabilities);
  const filter = allOf(chosen.filter, groupFilter(groups), namesKey ? everyKey(key) : undefined);
  const known = await keysOf({ ...chosen, filter }, key, estimate, deps);
  const plan = planTable({
    table,
    columns,
    filter,
    capabilities: probe.capabilities,
    estimate: known.estimate,
    key: known.key,
    sample: known.sample,
    concurrency,
    pageRows,
  });
  return {
    ...chosen,
    plan: {
      ...plan,
      counted: estimate?.source === '$count' ? estimate.rows : null,
      seen: seenOf(chosen, probe, found),
    },
    groups,
    namesKey,
    open,
    found,
    refusal,
    warnings: [...warnings, ...known.warnings],
    requests: requests + known.requests,
  };
}

/** Rows that questions brought of a table. */
function seenOf({ table, filter }: ChosenTable, { seen }: ProbeResult, found: readonly HidingValue[]): number {
  const probed = filter === undefined ? (seen.get(table.name) ?? 0) : 0;
  return Math.max(probed, found.length > 0 ? 1 : 0);
}

interface KnownKeys {
  readonly key: ScanKey | null;
  readonly sample: readonly PlacedKey[];
  readonly estimate: RowEstimate | null;
  readonly warnings: readonly string[];
  readonly requests: number;
}

/** Keys to cut a large table at: those of the last snapshot, or of a read of the keys, which shows as well in what order they come. */
async function keysOf(
  chosen: ChosenTable,
  key: ScanKey | null,
  estimate: RowEstimate | null,
  { hints, instance, pipeline, pretendedKeys, counts, signal }: PlanDeps,
): Promise<KnownKeys> {
  const none: KnownKeys = { key, sample: [], estimate, warnings: [], requests: 0 };
  const cuts = estimate === null ? 0 : cutsOf(estimate.rows, pipeline.limits.concurrency).length;
  if (!cutsIntoRanges(key) || cuts === 0) return none;
  const [usual = 'value'] = ordersOf(key.type);
  // Where nothing is counted, the keys are read anew: they are the only count.
  const hinted = counts.countsTables ? hintedKeys(hints, chosen, key) : [];
  if (hinted.length > cuts) return { ...none, sample: hinted };
  if (pretendedKeys !== undefined) {
    const sample = placeEvenly(pretendedKeys(key), comparator(key.type, usual));
    return { ...none, sample, requests: 1 };
  }
  const { table, filter } = chosen;
  try {
    const scan = await scanKeys({ table, key, filter, signal }, instance);
    const [order] = scan.orders;
    // Keys in no order tell of rows in none: where to cut them nobody knows.
    if (order === undefined) return { ...none, estimate: { rows: scan.rows, source: 'keys' }, requests: scan.requests };
    return {
      key: { ...key, order },
      sample: placeEvenly(scan.sample, comparator(key.type, order)),
      estimate: { rows: scan.rows, source: 'keys' },
      warnings: [],
      requests: scan.requests,
    };
  } catch (thrown) {
    if (!isUnanswered(thrown)) throw thrown;
    const why = (thrown as Error).message;
    return { ...none, warnings: [`it is read in one piece, since its keys could not be read: ${why}`], requests: 1 };
  }
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
    return { groups: [], namesKey: false, warnings: [], open: [], found: [], requests: 0, refusal: thrown };
  }
}

/** The table's rows, about: as the instance tells of all tables, as the last snapshot had them, or counted for this one. */
async function estimateOf(
  chosen: ChosenTable,
  { instance, probe, hints, counts, signal }: PlanDeps,
): Promise<RowEstimate | null> {
  const { table, columns, filter } = chosen;
  const known = filter === undefined ? probe.tableRows?.get(table.name) : undefined;
  if (known !== undefined) return { rows: known, source: 'Dmv_Table_Info' };
  const before = hints.find(({ name }) => name === table.name);
  if (before !== undefined) return { rows: before.rows, source: 'snapshot' };
  // Others are read in one piece whatever their size, and counted then.
  if (!counts.mayAsk || !cutsIntoRanges(scanKeyOf(table, columns))) return null;
  const answer = await askSmall(instance, countQuery({ table, filter }), {
    purpose: 'count',
    table: table.name,
    signal,
  });
  if (answer === null) counts.refused();
  return answer?.count == null ? null : { rows: answer.count, source: '$count' };
}

/** One row of a table with a key, and the count of all. */
export function countQuery({ table, filter }: Pick<TablePlan, 'table' | 'filter'>): string {
  return compileQuery({ table, select: [table.key[0]!], filter, top: 1, count: true });
}

/** First and last keys of the parts of the last snapshot: cut points that need no request. */
function hintedKeys(
  hints: readonly TableHint[],
  { table, fingerprint }: ChosenTable,
  key: ScanKey,
): readonly PlacedKey[] {
  const entry = hints.find((hint) => hint.name === table.name && hint.fingerprint === fingerprint);
  const [order = 'value'] = ordersOf(key.type);
  const compare = comparator(key.type, order);
  const parts = (entry?.parts ?? []).flatMap(({ firstKey, lastKey, rows }) => {
    const [first, last] = [firstKey?.[0], lastKey?.[0]];
    return first === undefined || last === undefined ? [] : [{ first, last, rows }];
  });
  const total = parts.reduce((sum, { rows }) => sum + rows, 0);
  let before = 0;
  return parts
    .sort((a, b) => compare(a.first, b.first))
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
  readonly key: ScanKey | null;
  readonly estimate: RowEstimate | null;
  readonly counted?: number | null | undefined;
  readonly reason: string;
  /** Absent where hidden rows could not be asked for (or were not looked for): such a plan is not continued. */
  readonly groups?: readonly FilterGroup[];
  readonly namesKey?: boolean;
  readonly warnings?: readonly string[];
  readonly open?: readonly OpenQuestion[];
  readonly found?: readonly HidingValue[];
}

export function storePlan({ plan, groups, namesKey, warnings, open, found, refusal }: PlannedTable): StoredTablePlan {
  const { table, strategy, ranges, pageRows, key, estimate, counted, reason } = plan;
  return {
    table: table.name,
    strategy,
    ranges,
    pageRows,
    key,
    estimate,
    counted,
    reason,
    ...(refusal === null ? { groups, namesKey, warnings, open, found } : {}),
  };
}

/** The stored plan of a run that is continued, on the tables as they are chosen now; the plan's hash says that they are the same. */
export function restorePlans(
  tables: readonly ChosenTable[],
  stored: readonly StoredTablePlan[],
  probe: ProbeResult,
): readonly PlannedTable[] | undefined {
  const byName = new Map(stored.map((plan) => [plan.table, plan]));
  const plans: PlannedTable[] = [];
  for (const chosen of tables) {
    const plan = byName.get(chosen.table.name);
    if (plan?.groups === undefined) return undefined;
    const { groups, namesKey = false, warnings = [], open = [], found = [], table: _, ...rest } = plan;
    const filter = allOf(chosen.filter, groupFilter(groups), namesKey ? everyKey(rest.key) : undefined);
    plans.push({
      ...chosen,
      groups,
      namesKey,
      warnings,
      open,
      found,
      refusal: null,
      requests: 0,
      plan: {
        ...rest,
        // What could not be asked then is asked anew.
        key:
          rest.key ?? (rest.strategy === 'chain' ? null : usableKey(chosen.table, chosen.columns, probe.capabilities)),
        table: chosen.table,
        columns: chosen.columns,
        filter,
        seen: seenOf(chosen, probe, found),
      },
    });
  }
  return plans;
}
