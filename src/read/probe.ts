/** Asks an instance what its documentation leaves open: filters on keys, next links, `$top`, counts. */
import { compareGuidsAsSqlServer, parseGuid } from '../core/guid.ts';
import type { TableSchema } from '../core/schema.ts';
import type { Instance } from '../instance/open.ts';
import { compileQuery } from '../odata/query.ts';
import { type Capabilities, rangeKey, UNKNOWN_CAPABILITIES } from '../scan/plan.ts';
import { type ProbedTable, provesAbsentIsNull } from './probe-nulls.ts';
import { readSmall, type SmallAnswer } from './small.ts';
import { isUnanswered } from './unanswered.ts';

export interface ProbeResult {
  readonly capabilities: Capabilities;
  /** Table that the answers are from; null when none was fit. */
  readonly table: string | null;
  /** Rows of each table by `Dmv_Table_Info`; null where it cannot be read. */
  readonly tableRows: ReadonlyMap<string, number> | null;
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
const TABLE_INFO = 'Dmv_Table_Info';

/**
 * Asks the instance what its documentation leaves open. A refusal is an answer; only failures that would fail any read are thrown.
 *
 * @param cached answers of an earlier run that need not be asked for again
 */
export async function probeInstance(
  instance: Instance,
  chosen: readonly ProbedTable[],
  signal: AbortSignal,
  cached?: CachedProbe,
): Promise<ProbeResult> {
  const tables = chosen.map(({ table }) => table);
  let requests = 0;
  const ask = async (table: TableSchema, query: string): Promise<SmallAnswer | null> => {
    requests++;
    try {
      return await readSmall(instance, query, { purpose: 'probe', table: table.name, signal });
    } catch (thrown) {
      if (isUnanswered(thrown)) return null;
      throw thrown;
    }
  };
  const info = await readTableRows(instance, signal);
  requests += info.requests;
  if (cached !== undefined) {
    const absentIsNull = await provesAbsentIsNull(chosen, info.rows, ask);
    const { table, capabilities } = cached;
    return { table, tableRows: info.rows, requests, capabilities: { ...capabilities, absentIsNull } };
  }
  const [absentIsNull, asked] = await Promise.all([
    provesAbsentIsNull(chosen, info.rows, ask),
    askCapabilities(tables, info.rows, ask),
  ]);
  const { table, capabilities } = asked ?? { table: null, capabilities: UNKNOWN_CAPABILITIES };
  return { table, tableRows: info.rows, requests, capabilities: { ...capabilities, absentIsNull } };
}

type Ask = (table: TableSchema, query: string) => Promise<SmallAnswer | null>;

/** What the smallest table that has enough rows tells of the instance; null when none was fit. */
async function askCapabilities(
  tables: readonly TableSchema[],
  tableRows: ProbeResult['tableRows'],
  ask: Ask,
): Promise<{ readonly table: string; readonly capabilities: Omit<Capabilities, 'absentIsNull'> } | null> {
  const ranked = tables
    .filter((table) => rangeKey(table) !== null)
    .map((table) => ({ table, rows: tableRows?.get(table.name) ?? null }))
    .filter(({ rows }) => rows === null || rows > 3)
    .sort((a, b) => (a.rows ?? 0) - (b.rows ?? 0));
  for (const { table, rows } of ranked.slice(0, MAX_CANDIDATES)) {
    const key = rangeKey(table)!;
    const first = await ask(table, compileQuery({ table, select: [key], top: 3 }));
    if (first === null || first.rows.length < 3) continue;
    const keys = first.rows.slice(0, 3).map((row) => parseGuid(String(row[key])));
    const [, middle] = keys.filter((each) => each !== undefined).sort(compareGuidsAsSqlServer);
    if (middle === undefined) continue;
    const filter = {
      op: 'and',
      terms: [
        { op: 'ge', column: key, value: middle },
        { op: 'le', column: key, value: middle },
      ],
    } as const;
    const onlyMiddle = async () => {
      const answer = await ask(table, compileQuery({ table, select: [key], filter }));
      return answer?.rows.length === 1 && parseGuid(String(answer.rows[0]?.[key])) === middle;
    };
    const [keyFilter, counted] = await Promise.all([
      // Asked twice before it is believed that they are not taken: one bad answer would make every table's reading worse.
      onlyMiddle().then((taken) => taken || onlyMiddle()),
      ask(table, compileQuery({ table, select: [key], top: 1, count: true })),
    ]);
    return {
      table: table.name,
      capabilities: {
        top: first.rows.length === 3,
        // Without a link there may be no more rows, unless the instance counts more.
        nextLink: first.hasNextLink ? true : first.rows.length === 3 && rows !== null ? false : null,
        keyFilter,
        count: counted !== null && counted.count !== null,
      },
    };
  }
  return null;
}

/** Row counts that the instance keeps of its tables, where the identity may read them. */
export async function readTableRows(
  instance: Instance,
  signal: AbortSignal,
): Promise<{ readonly rows: ReadonlyMap<string, number> | null; readonly requests: number }> {
  const table = instance.model.tables.find(({ name }) => name === TABLE_INFO);
  const columns = new Set(table?.columns.map(({ name }) => name));
  if (table === undefined || !columns.has('Table_Name') || !columns.has('Row_Count'))
    return { rows: null, requests: 0 };
  try {
    const query = compileQuery({ table, select: ['Table_Name', 'Row_Count'] });
    const { rows } = await readSmall(instance, query, {
      purpose: 'row counts',
      table: TABLE_INFO,
      signal,
      follow: true,
    });
    const counts = new Map<string, number>();
    for (const row of rows) {
      const count = Number(row['Row_Count']);
      if (typeof row['Table_Name'] === 'string' && Number.isSafeInteger(count)) counts.set(row['Table_Name'], count);
    }
    return { rows: counts, requests: 1 };
  } catch (thrown) {
    if (isUnanswered(thrown)) return { rows: null, requests: 1 };
    throw thrown;
  }
}
