/** From a table's plan to its rows and a verdict: tasks side by side, another way where the instance does not bear the plan. */
import { hasCode, TablevaultError } from '../core/errors.ts';
import { anySignal } from '../core/signals.ts';
import { count as number, plural } from '../core/words.ts';
import { allOf } from '../odata/filters.ts';
import type { ColumnStats } from '../parquet/task.ts';
import { type ScanKey, scanKeyOf } from '../scan/key.ts';
import type { TablePlan } from '../scan/plan.ts';
import { ALL_KEYS, type KeyRange } from '../scan/ranges.ts';
import { type Verdict, verdictOf } from '../scan/verdict.ts';
import { UnprovableError } from './accept.ts';
import { groupFilter, type HidingValue, openQuestionText } from './hidden-rows.ts';
import { scanKeys } from './keys.ts';
import { type ChosenTable, countQuery, type PlannedTable } from './plan.ts';
import { NO_KEY_FILTERS } from './scan.ts';
import { askSmall } from './small.ts';
import { allHabits, type ReadContext, type TaskResult } from './task.ts';

/** What is said of a task that was read, now or in an earlier process. */
export type TaskOutcome = Omit<TaskResult, 'parts'> & {
  readonly parts: readonly {
    readonly rows: number;
    readonly columns: Readonly<Record<string, { readonly [Name in keyof ColumnStats]: ColumnStats[Name] | undefined }>>;
  }[];
};

/**
 * Reads one task, or finds it read already. It ends when `signal` aborts: then no further range is worth reading. `onSeen` is told how many rows
 * are known to be there, whatever becomes of the task.
 */
export type RunTask<T> = (
  plan: TablePlan,
  range: KeyRange,
  signal: AbortSignal,
  onSeen: (rows: number) => void,
) => Promise<T>;

export interface TableRead<T> {
  /** The one that it was read by in the end. */
  readonly plan: TablePlan;
  readonly tasks: readonly T[];
  readonly verdict: Verdict;
  /** What became of the plan, and why the table is not exact. */
  readonly warnings: readonly string[];
  readonly requests: number;
}

/**
 * Reads a table by its plan. Where an answer shows that the instance does not bear it, once more in the way that is left.
 *
 * @throws END_UNPROVEN when it can be neither proven nor counted and the pipeline does not accept that; what tasks throw
 */
export async function readTable<T extends TaskOutcome>(
  planned: PlannedTable,
  context: ReadContext,
  run: RunTask<T>,
): Promise<TableRead<T>> {
  const warnings: string[] = [];
  let { plan } = planned;
  let tasks: readonly T[];
  /** Did answers to reads by key contradict each other, so that it was read another way? */
  let contradicted = false;
  let countRequests = 0;
  for (;;) {
    const brought: T[] = [];
    /** The most that one task saw, also one that failed. */
    let seen = 0;
    try {
      tasks = await readTasks(plan, context, async (task, range, signal) => {
        const outcome = await run(task, range, signal, (rows) => {
          seen = Math.max(seen, rows);
        });
        brought.push(outcome);
        return outcome;
      });
      checkSeams(plan, tasks);
      countRequests += await holdAgainstCount(plan, tasks, context);
      break;
    } catch (thrown) {
      const fallback = fallbackPlan(plan, thrown, context.counts.countsTables);
      if (fallback === undefined || context.mayRepeat?.() === false) throw thrown;
      const { name: table } = plan.table;
      const why = fallback.reason.replace(`${table}: `, '');
      context.emit({ type: 'warning', table, message: `${why}; reading it another way` });
      warnings.push(`read another way than planned: ${why}`);
      contradicted ||= !hasCode(thrown, 'REQUEST_REFUSED');
      // What came by the plan before is there: another way may not bring less.
      plan = { ...fallback, seen: Math.max(plan.seen ?? 0, rowsOf(brought), seen), ...withoutKey(planned, thrown) };
    }
  }
  checkNulls(plan, tasks);
  const keyRequests = await holdAgainstKeys(plan, tasks, context);
  const keyed = planned.table.key.length > 0;
  const keyProblem = keyProblemOf(planned, plan.key, contradicted);
  const open = stillOpen(planned, tasks);
  const verdict = verdictOf({ keyed, keyProblem, tasks, open });
  const why = verdict.reasons.join('; ');
  if (mustBeRefused(planned, tasks)) throw new UnprovableError(planned.table.name, why);
  const advice = open.length > 0 ? '; only a look into the ERP tells whether such rows are missing' : '';
  if (verdict.consistency !== 'exact') warnings.push(`${verdict.consistency}, not exact: ${why}${advice}`);
  const requests = tasks.reduce((sum, task) => sum + task.requests, keyRequests + countRequests);
  return { plan, tasks, verdict, warnings, requests };
}

/** Where filters on the key are refused, no read can name it; then all are without. */
function withoutKey({ filter, groups, namesKey }: PlannedTable, thrown: unknown): Partial<TablePlan> {
  return namesKey && hasCode(thrown, 'REQUEST_REFUSED') ? { filter: allOf(filter, groupFilter(groups)) } : {};
}

/** Booleans in the statistics of parts: DuckDB's, and those of values. */
const BOOLEANS: Readonly<Record<string, boolean>> = { '0': false, '1': true, false: false, true: true };

/**
 * Questions on hidden rows that the rows themselves did not answer: a row with the value in question came, so it is not hidden. And the other
 * way round: a question brought a row with a value, but the read brought none.
 */
function stillOpen({ open, found }: PlannedTable, tasks: readonly TaskOutcome[]): readonly string[] {
  const parts = tasks.flatMap((task) => task.parts).filter(({ rows }) => rows > 0);
  const came = ({ column, value }: HidingValue) =>
    parts.some(({ columns: { [column]: stats } }) =>
      value === null
        ? (stats?.nulls ?? 0) > 0
        : [stats?.min, stats?.max].some((bound) => bound !== undefined && BOOLEANS[bound] === value),
    );
  // Rows that went to a stream have no statistics, and a column that is not read has none.
  const told = ({ column }: HidingValue) => parts.some(({ columns }) => Object.hasOwn(columns, column));
  const lost = found.filter((each) => told(each) && !came(each));
  return [
    ...open.filter((each) => !each.rowsTell || !came(each)).map(openQuestionText),
    ...lost.map(({ column, value }) => `a question brought a row with ${column} ${value}, but the read brought none`),
  ];
}

/** Why only counts can tell of the table; null where its key is asked by. */
export function keyProblemOf(
  { table, columns }: Pick<ChosenTable, 'table' | 'columns'>,
  key: ScanKey | null,
  contradicted: boolean,
): string | null {
  if (table.key.length === 0) return 'it has no key';
  if (scanKeyOf(table, columns) === null) {
    const isText = columns.some(({ name, type }) => table.key.includes(name) && type.kind === 'json');
    return isText ? 'its key is kept as text' : 'its key is of a type that cannot be asked for';
  }
  if (key !== null) return null;
  return contradicted ? 'its reads by key contradicted each other' : NO_KEY_FILTERS;
}

function rowsOf(tasks: readonly TaskOutcome[]): number {
  return tasks.reduce((sum, task) => sum + task.rows, 0);
}

/**
 * The count of the whole table that the plan was made with is not ignored because its ranges were counted, or its keys read, by themselves: what
 * limits those may not limit it. Where it was larger than what came, it is asked again, for rows may have been deleted.
 */
async function holdAgainstCount(
  plan: TablePlan,
  tasks: readonly TaskOutcome[],
  { instance, signal }: ReadContext,
): Promise<number> {
  const { table, counted, ranges } = plan;
  const rows = rowsOf(tasks);
  // Of a table that is read in one piece, the read itself is held against it.
  if (counted == null || ranges.length === 1 || rows >= counted) return 0;
  const again = await askSmall(instance, countQuery(plan), { purpose: 'count', table: table.name, signal });
  if (again !== null && again.count !== null && again.count <= rows && rows >= counted * FEWER) return 1;
  throw new TablevaultError(
    'END_UNPROVEN',
    `${table.name}: its read cannot be trusted: ${plural(rows, 'row')} came, but the instance counts ${again === null || again.count === null || again.count === counted ? number(counted) : `${number(counted)} before the read and ${number(again.count)} after it`}`,
    {
      at: { table: table.name },
      hint: 'Rows may have changed meanwhile, or the rights of the identity cut its answers: check its "Show more than … rows" permissions.',
    },
  );
}

/** A table with a key should be provable: where it is not, whoever runs the pipeline has to know, and to agree. */
export function mustBeRefused(
  { table, accept }: Pick<ChosenTable, 'table' | 'accept'>,
  tasks: readonly Pick<TaskOutcome, 'proof'>[],
): boolean {
  return table.key.length > 0 && accept !== 'best-effort' && tasks.some(({ proof }) => proof === 'none');
}

async function readTasks<T>(
  plan: TablePlan,
  { signal: outer, counts }: ReadContext,
  run: (plan: TablePlan, range: KeyRange, signal: AbortSignal) => Promise<T>,
): Promise<readonly T[]> {
  const enough = new AbortController();
  const signal = plan.ranges.length === 1 ? outer : anySignal([outer, enough.signal]);
  let first: { readonly thrown: unknown } | undefined;
  const results = await Promise.allSettled(
    plan.ranges.map((range) =>
      run(plan, range, signal).catch((thrown) => {
        first ??= { thrown };
        // Another plan is to be tried: what other ranges of this one would bring is not wanted any more.
        if (fallbackPlan(plan, thrown, counts.countsTables) !== undefined) enough.abort(thrown);
        throw thrown;
      }),
    ),
  );
  if (first !== undefined) throw first.thrown;
  return results.map((result) => (result as PromiseFulfilledResult<T>).value);
}

/**
 * Ranges share their boundaries: a range leaves out the row that it begins with, for the one before ends in that very row. Where that one did
 * not, the server does not find the row by both filters, and it is in neither. Nor is a range empty that begins with a row that came.
 */
function checkSeams({ table, ranges }: TablePlan, tasks: readonly TaskOutcome[]): void {
  const before = (n: number) => tasks[n - 1]?.proof;
  const open = tasks.findIndex(({ leftBoundaryOut }, n) => leftBoundaryOut && before(n) !== 'boundary');
  // Deleted meanwhile, or an empty answer in the place of rows.
  const empty = tasks.findIndex(({ proof }, n) => proof === 'empty' && before(n) === 'boundary');
  if (open < 0 && empty < 0) return;
  const [came, wanting] = open < 0 ? ['le', 'ge'] : ['ge', 'le'];
  throw new TablevaultError(
    'ORDER_DISPROVED',
    `${table.name}: the row with the key ${ranges[open < 0 ? empty : open]?.ge} came by \`${came}\`, but not by \`${wanting}\``,
    {
      at: { table: table.name },
      hint: 'The instance does not compare or filter keys as was thought; the table is read another way.',
    },
  );
}

/** A column that is null in some rows and left out of others, over all tasks: what is left out may be hidden. */
function checkNulls({ table }: TablePlan, tasks: readonly TaskOutcome[]): void {
  const { written, leftOut } = allHabits(tasks.map(({ nulls }) => nulls));
  const mixed = leftOut.filter((name) => written.includes(name));
  if (mixed.length === 0) return;
  throw new TablevaultError(
    'BODY_INVALID',
    `${mixed.join(', ')} is null in some rows of ${table.name} and left out of others`,
    {
      at: { table: table.name, column: mixed[0] ?? '' },
      hint: 'What is left out may be null, or hidden from this identity, and nothing tells which: leave the column out, or ask the administrator.',
    },
  );
}

/** How a table is read when the instance turned out not to bear its plan. Undefined when the error leaves no other way. */
function fallbackPlan(plan: TablePlan, thrown: unknown, counted: boolean): TablePlan | undefined {
  if (!(thrown instanceof TablevaultError)) return undefined;
  const whole: TablePlan = { ...plan, strategy: 'stream', ranges: [ALL_KEYS], pageRows: null, reason: thrown.message };
  const anyOrder = plan.key === null ? null : { ...plan.key, order: null };
  if (plan.strategy === 'ranges') {
    if (thrown.code === 'ORDER_DISPROVED') return { ...whole, key: anyOrder };
    // The counts of ranges may be those of the table: as one stream it has one, which must agree with what comes.
    if (thrown.code === 'END_UNPROVEN') return { ...whole, key: anyOrder, mustCount: counted };
    return thrown.code === 'REQUEST_REFUSED' ? { ...whole, key: null } : undefined;
  }
  if (hasCode(thrown, 'ORDER_DISPROVED', 'REQUEST_REFUSED') && plan.key !== null) return { ...whole, key: null };
  // What the key does not prove, all pages and a count may still tell.
  if (thrown.code === 'END_UNPROVEN' && plan.key !== null && counted) return { ...whole, key: null };
  return thrown.code === 'END_UNPROVEN' && plan.strategy === 'chain' ? whole : undefined;
}

/** Rows may be deleted while a table is read, but not in masses. */
const FEWER = 0.9;

/**
 * The keys that the plan was made with are a count as well, whatever else was counted. More of them than rows came: they are read again, and
 * believed where they agree with the rows, and with what came before.
 */
async function holdAgainstKeys(
  plan: TablePlan,
  tasks: readonly TaskOutcome[],
  { instance, signal, clock }: ReadContext,
): Promise<number> {
  const { table, key, filter, estimate } = plan;
  const rows = rowsOf(tasks);
  if (key === null || estimate?.source !== 'keys' || rows >= estimate.rows) return 0;
  const again = await scanKeys({ table, key, filter, signal, clock }, instance);
  if (rows >= again.rows && again.rows >= rows * FEWER && rows >= estimate.rows * FEWER) return again.requests;
  throw new TablevaultError(
    'END_UNPROVEN',
    `${table.name}: its read cannot be trusted: ${plural(rows, 'row')} came, but its keys were ${number(estimate.rows)} before and ${number(again.rows)} after the read`,
    {
      at: { table: table.name },
      hint: 'Rows may have changed meanwhile: run again, at a quieter time.',
    },
  );
}
