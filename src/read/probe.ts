/** Asks an instance what its documentation leaves open: filters on keys, next links, `$top`, counts. */
import { compareGuidsAsSqlServer, parseGuid } from '../core/guid.ts';
import type { TableSchema } from '../core/schema.ts';
import type { Instance } from '../instance/open.ts';
import { compileQuery } from '../odata/query.ts';
import { type Capabilities, UNKNOWN_CAPABILITIES } from '../scan/plan.ts';
import { rangeFilter } from '../scan/ranges.ts';
import type { Source } from './answer.ts';
import { type ProbedTable, provesAbsentIsNull } from './probe-nulls.ts';
import { askSmall, type SmallAnswer } from './small.ts';

export interface ProbeResult {
  readonly capabilities: Capabilities;
  /** Table that the answers are from; null when none was fit. */
  readonly table: string | null;
  /** Rows of each table by `Dmv_Table_Info`; null where it cannot be read. */
  readonly tableRows: ReadonlyMap<string, number> | null;
  /** Rows that questions brought, by table: so many there are at least. */
  readonly seen: ReadonlyMap<string, number>;
  readonly requests: number;
}

/** Answers of an earlier run that need not be asked for again. */
export interface CachedProbe {
  readonly table: string | null;
  /** Whether nulls are left out is not among them: a wrong answer to that would hide columns, so it is asked each time. */
  readonly capabilities: Omit<Capabilities, 'absentIsNull'>;
}

/** Tables tried until one has rows enough to tell something. */
const MAX_CANDIDATES = 5;
/** What one table takes is its own: so many have to refuse filters on their keys before that is believed of all. */
const MIN_REFUSALS = 2;
const TABLE_INFO = 'Dmv_Table_Info';

/**
 * Asks the instance what its documentation leaves open. A refusal is an answer; only failures that would fail any read are thrown.
 *
 * @param cached answers of an earlier run that need not be asked for again
 */
export async function probeInstance(
  instance: Source & Pick<Instance, 'model'>,
  chosen: readonly ProbedTable[],
  signal: AbortSignal,
  cached?: CachedProbe,
): Promise<ProbeResult> {
  const tables = chosen.map(({ table }) => table);
  let requests = 0;
  const seen = new Map<string, number>();
  const ask: Ask = async (table, query) => {
    requests++;
    const answer = await askSmall(instance, query, { purpose: 'probe', table: table.name, signal });
    if (answer !== null) seen.set(table.name, Math.max(answer.rows.length, seen.get(table.name) ?? 0));
    return answer;
  };
  const info = await readTableRows(instance, signal);
  requests += info.requests;
  if (cached?.capabilities.keyFilter === true && cached.capabilities.count === true) {
    const absentIsNull = await provesAbsentIsNull(chosen, info.rows, ask);
    const { table, capabilities } = cached;
    return { table, tableRows: info.rows, seen, requests, capabilities: { ...capabilities, absentIsNull } };
  }
  const [absentIsNull, asked] = await Promise.all([
    provesAbsentIsNull(chosen, info.rows, ask),
    askCapabilities(tables, info.rows, ask),
  ]);
  const { table, capabilities } = asked ?? {
    table: null,
    capabilities: { ...UNKNOWN_CAPABILITIES, count: await askCount(tables, info.rows, ask) },
  };
  return { table, tableRows: info.rows, seen, requests, capabilities: { ...capabilities, absentIsNull } };
}

type Ask = (table: TableSchema, query: string) => Promise<SmallAnswer | null>;

/** What the smallest table that has enough rows tells of the instance; null when none was fit. */
async function askCapabilities(
  tables: readonly TableSchema[],
  tableRows: ProbeResult['tableRows'],
  ask: Ask,
): Promise<{ readonly table: string; readonly capabilities: Omit<Capabilities, 'absentIsNull'> } | null> {
  const ranked = tables
    .filter((table) => guidKey(table) !== null)
    .map((table) => ({ table, rows: tableRows?.get(table.name) ?? null }))
    .filter(({ rows }) => rows === null || rows > 3)
    .sort((a, b) => (a.rows ?? 0) - (b.rows ?? 0));
  let refusing: Awaited<ReturnType<typeof askCapabilities>> = null;
  let refusals = 0;
  for (const { table, rows } of ranked.slice(0, MAX_CANDIDATES)) {
    const key = guidKey(table)!;
    const first = await ask(table, compileQuery({ table, select: [key], top: 3 }));
    if (first === null || first.rows.length < 3) continue;
    const keys = first.rows.slice(0, 3).map((row) => parseGuid(String(row[key])));
    const [, middle] = keys.filter((each) => each !== undefined).sort(compareGuidsAsSqlServer);
    if (middle === undefined) continue;
    const filter = rangeFilter(key, { ge: middle, le: middle });
    const onlyMiddle = async () => {
      const answer = await ask(table, compileQuery({ table, select: [key], filter }));
      return answer?.rows.length === 1 && parseGuid(String(answer.rows[0]?.[key])) === middle;
    };
    const isThere = async () => {
      const answer = await ask(table, compileQuery({ table, select: [key], top: 3 }));
      return answer?.rows.some((row) => parseGuid(String(row[key])) === middle) === true;
    };
    const [keyFilter, counted] = await Promise.all([
      // Asked twice before it is believed that they are not taken: one bad answer would make every table's reading worse.
      onlyMiddle().then((taken) => taken || onlyMiddle()),
      ask(table, compileQuery({ table, select: [key], top: 1, count: true })),
    ]);
    // A row that was deleted meanwhile comes by no filter.
    if (!keyFilter && !(await isThere())) continue;
    const found = {
      table: table.name,
      capabilities: {
        top: first.rows.length === 3,
        // Without a link there may be no more rows, unless the instance counts more.
        nextLink: first.hasNextLink ? true : first.rows.length === 3 && rows !== null ? false : null,
        keyFilter,
        // At least three rows are there: a smaller count is of the answer, not of the table.
        count: counted !== null && (counted.count ?? 0) >= 3,
      },
    };
    if (keyFilter) return found;
    refusing ??= found;
    if (++refusals >= MIN_REFUSALS) break;
  }
  return refusing;
}

/** Does the instance count more rows than it sends? Asked of tables of any kind; null where none of those tried has two rows. */
async function askCount(
  tables: readonly TableSchema[],
  tableRows: ProbeResult['tableRows'],
  ask: Ask,
): Promise<boolean | null> {
  const fit = tables.filter(({ name, columns }) => columns.length > 0 && (tableRows?.get(name) ?? 2) > 1);
  for (const table of fit.slice(0, MAX_CANDIDATES)) {
    const column = table.key[0] ?? table.columns[0]!.name;
    const answer = await ask(table, compileQuery({ table, select: [column], top: 1, count: true }));
    if (answer !== null && (answer.count ?? 0) > answer.rows.length) return true;
  }
  return null;
}

/** The key column, when it is a single GUID: what all large tables of ERP.net have. */
function guidKey({ key: [only, ...further], columns }: TableSchema): string | null {
  if (only === undefined || further.length > 0) return null;
  return columns.find(({ name }) => name === only)?.type.kind === 'guid' ? only : null;
}

/** Row counts that the instance keeps of its tables, where the identity may read them. */
export async function readTableRows(
  instance: Source & Pick<Instance, 'model'>,
  signal: AbortSignal,
): Promise<{ readonly rows: ReadonlyMap<string, number> | null; readonly requests: number }> {
  const table = instance.model.tables.find(({ name }) => name === TABLE_INFO);
  const columns = new Set(table?.columns.map(({ name }) => name));
  if (table === undefined || !columns.has('Table_Name') || !columns.has('Row_Count'))
    return { rows: null, requests: 0 };
  const query = compileQuery({ table, select: ['Table_Name', 'Row_Count'] });
  const answer = await askSmall(instance, query, { purpose: 'row counts', table: TABLE_INFO, signal, follow: true });
  if (answer === null) return { rows: null, requests: 1 };
  const counts = new Map<string, number>();
  for (const row of answer.rows) {
    const { Table_Name: name, Row_Count: rows } = row;
    // A count that is null is none, which is not 0.
    const count = typeof rows === 'string' && /^\d+$/.test(rows) ? Number(rows) : rows;
    if (typeof name === 'string' && typeof count === 'number' && Number.isSafeInteger(count) && count >= 0)
      counts.set(name, count);
  }
  return { rows: counts, requests: 1 };
}
