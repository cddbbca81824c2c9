/** What the identity may see, and how many requests the instance bears: tried on a sample of the tables. */
import pLimit from 'p-limit';
import { asTablevaultError, TablevaultError } from '../../core/errors.ts';
import { count, plural, shareOf } from '../../core/words.ts';
import type { Instance } from '../../instance/open.ts';
import { compileQuery } from '../../odata/query.ts';
import { scanKeys } from '../../read/keys.ts';
import type { ChosenTable } from '../../read/plan.ts';
import type { ProbeResult } from '../../read/probe.ts';
import { askSmall, isUnanswered, readSmall } from '../../read/small.ts';
import { scanKeyOf } from '../../scan/key.ts';
import { decodeFirstRow, type Looked } from './row.ts';
import type { StepFinding } from './steps.ts';

/** Tables of which a row is read. */
const ROWS_TRIED = 50;
/** Tables whose keys are held against the rows that the instance tells of, and how large they may be. */
const COUNTS_TRIED = 6;
const COUNTED_ROWS = 5_000;

export interface RightsOptions {
  readonly instance: Instance;
  readonly chosen: readonly ChosenTable[];
  readonly probe: ProbeResult;
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** As many small reads at once as the pipeline allows. */
export async function tryLimits(options: RightsOptions): Promise<StepFinding> {
  const { instance, chosen, concurrency, signal } = options;
  const before = instance.transport.stats().byStatus['429'] ?? 0;
  const tables = Array.from({ length: concurrency }, (_, n) => chosen[n % chosen.length]!);
  await Promise.all(
    tables.map(({ table, columns }) => firstRow(instance, { table, columns }, signal).catch(ignoreTable)),
  );
  const { byStatus, maxInFlight } = instance.transport.stats();
  const refused = (byStatus['429'] ?? 0) - before;
  if (refused === 0)
    return {
      found: `${plural(maxInFlight, 'request')} at once ${maxInFlight === 1 ? 'was' : 'were'} answered${
        maxInFlight < concurrency
          ? `; a run sends up to limits.concurrency (${concurrency}) at once while answers come as fast`
          : ` (limits.concurrency ${concurrency})`
      }`,
      value: undefined,
    };
  return {
    found: `${refused} of ${plural(concurrency, 'request')} at once ${refused === 1 ? 'was' : 'were'} refused for now (429)`,
    fix: 'The instance serves fewer requests at once, or other clients use it too. Runs slow down by themselves; a lower limits.concurrency avoids the refusals.',
    value: undefined,
  };
}

/** Reads and decodes a row of many tables with all columns: of those that have rows, where they are too many. */
export function lookAtRows(options: RightsOptions): Promise<readonly Looked[]> {
  const { chosen, concurrency, probe } = options;
  const filled = chosen.filter(({ table }) => probe.tableRows?.get(table.name) !== 0);
  const sample = spread(chosen.length <= ROWS_TRIED || filled.length === 0 ? chosen : filled, ROWS_TRIED);
  const limit = pLimit(concurrency);
  return Promise.all(sample.map((each) => limit(() => lookAt(each, options))));
}

/** What the identity does not see, by a row of many tables, and by counts of small ones. */
export async function tryRights(options: RightsOptions, looked: readonly Looked[]): Promise<StepFinding> {
  const forbidden = looked.filter(({ error }) => error !== null);
  const [first] = forbidden;
  if (first?.error != null) {
    throw new TablevaultError(
      first.error.code,
      `${shareOf(forbidden.length, looked.length, 'table')} tried cannot be read: ${forbidden
        .map(({ name }) => name)
        .slice(0, 10)
        .join(', ')}; the first: ${first.error.message}`,
      {
        at: first.error.at,
        cause: first.error,
        hint: first.error.hint ?? 'Leave these tables out with tables.exclude, or ask for the right to read them.',
      },
    );
  }
  const hidden = looked.filter(({ hiddenColumns }) => hiddenColumns.length > 0);
  if (hidden.length > 0) {
    const names = hidden.flatMap(({ name, hiddenColumns }) => hiddenColumns.map((column) => `${name}.${column}`));
    throw new TablevaultError(
      'BODY_INVALID',
      `this identity may not read these columns: ${names.slice(0, 10).join(', ')}`,
      {
        hint: 'Give the System User the right to read them, or leave them out: tables: overrides: <Table>: columns: ["*", "-<Column>"].',
      },
    );
  }
  return countRows(options, looked.length);
}

async function lookAt({ table, columns }: ChosenTable, { instance, probe, signal }: RightsOptions): Promise<Looked> {
  const { absentIsNull } = probe.capabilities;
  const nothing = { name: table.name, columns: columns.length, rows: 0, error: null, hiddenColumns: [], misfit: null };
  try {
    return { ...nothing, rows: await decodeFirstRow(instance, { table, columns }, { absentIsNull, signal }) };
  } catch (thrown) {
    const error = asTablevaultError(thrown);
    if (error.code === 'VALUE_MISFIT') return { ...nothing, misfit: error };
    if (!isUnanswered(error)) throw thrown;
    const hiddenColumns = absentIsNull ? [] : await columnsLeftOut({ table, columns }, instance, signal);
    return hiddenColumns.length > 0 ? { ...nothing, hiddenColumns } : { ...nothing, error };
  }
}

/** Every column that a row lacks: decoding ends at the first. */
async function columnsLeftOut(
  { table, columns }: Pick<ChosenTable, 'table' | 'columns'>,
  instance: Instance,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const query = compileQuery({ table, select: columns.map(({ name }) => name), top: 1 });
  const answer = await askSmall(instance, query, { purpose: 'first row', table: table.name, signal });
  const [row] = answer?.rows ?? [];
  return row === undefined ? [] : columns.map(({ name }) => name).filter((name) => !(name in row));
}

async function firstRow(
  instance: Instance,
  { table, columns }: Pick<ChosenTable, 'table' | 'columns'>,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const query = compileQuery({ table, select: columns.map(({ name }) => name), top: 1 });
  const { rows } = await readSmall(instance, query, { purpose: 'first row', table: table.name, signal });
  return rows[0];
}

/** Keys that come in one answer against the rows that `Dmv_Table_Info` tells of. Where they are fewer, the instance is asked to count. */
async function countRows(options: RightsOptions, tried: number): Promise<StepFinding> {
  const { instance, chosen, probe, signal } = options;
  const found = `a row of ${shareOf(tried, chosen.length, 'table')} was read`;
  const { tableRows } = probe;
  if (tableRows === null)
    return {
      found,
      details: ['Dmv_Table_Info cannot be read, so it is unknown whether rows are hidden'],
      value: undefined,
    };
  const fit = chosen
    .filter(({ table, filter }) => filter === undefined && scanKeyOf(table, table.columns) !== null)
    .map((each) => ({ ...each, rows: tableRows.get(each.table.name) ?? 0 }))
    .filter(({ rows }) => rows > 0 && rows <= COUNTED_ROWS)
    .sort((a, b) => b.rows - a.rows)
    .slice(0, COUNTS_TRIED);
  const details: string[] = [];
  const seen = { cut: 0, agreed: 0, open: 0 };
  for (const { table, rows } of fit) {
    const key = scanKeyOf(table, table.columns);
    if (key === null) continue;
    const came = (await scanKeys({ table, key, filter: undefined, signal }, instance)).rows;
    if (came >= rows) continue;
    const counted = await countOf(options, table);
    seen[counted === null ? 'open' : counted > came ? 'cut' : 'agreed']++;
    details.push(
      `${table.name}: ${plural(came, 'row')} came, but Dmv_Table_Info counts ${count(rows)}${counted === null ? '' : `, and $count ${count(counted)}`}`,
    );
  }
  const compared = `${found}; the keys of ${plural(fit.length, 'table')} were held against Dmv_Table_Info`;
  if (details.length === 0) return { found: compared, value: undefined };
  const fixes = [
    seen.cut === 0
      ? ''
      : `The instance cuts its answers: ${plural(seen.cut, 'table')} sent fewer rows than it counts ("Show more than … rows" permissions). A snapshot reads on where an answer ends, and fails the tables of which the rest does not come.`,
    seen.agreed === 0
      ? ''
      : 'The identity may not see every row (access keys), or default filters hide some: a snapshot holds only the rows that it may see.',
    seen.open === 0
      ? ''
      : `Of ${plural(seen.open, 'table')} one answer brought fewer rows than Dmv_Table_Info counts. Whether the answer was cut, rows are hidden from the identity, or Dmv_Table_Info is out of date was not seen, since the instance does not count all rows of a table. A snapshot reads on where an answer ends, and says so where it gets fewer rows.`,
  ];
  return {
    found: `${compared}, and ${plural(details.length, 'table')} sent fewer rows`,
    details,
    fix: fixes.filter((text) => text !== '').join(' '),
    value: undefined,
  };
}

/** Null where the instance does not count, or counts no more than the rows of its answer. */
async function countOf(
  { instance, probe, signal }: RightsOptions,
  table: ChosenTable['table'],
): Promise<number | null> {
  const query = compileQuery({ table, select: [table.key[0]!], top: 1, count: true });
  const answer = await askSmall(instance, query, { purpose: 'count', table: table.name, signal });
  if (answer?.count == null) return null;
  return probe.capabilities.count === true || answer.count > answer.rows.length ? answer.count : null;
}

/** Evenly over the list, so that every group of names is met. */
function spread<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, n) => all[Math.floor((n * all.length) / most)]!);
}

function ignoreTable(thrown: unknown): void {
  if (!isUnanswered(thrown)) throw thrown;
}
