/** What a snapshot would do, table by table. Reads a little of the instance and of the vault, writes nothing. */
import type { Clock } from '../../core/clock.ts';
import { sha256Hex } from '../../core/digest.ts';
import { TablevaultError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { parseGuid } from '../../core/guid.ts';
import type { Key } from '../../core/key-order.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import { plural } from '../../core/words.ts';
import { openInstance } from '../../instance/open.ts';
import { readSensitiveColumns } from '../../instance/sensitive.ts';
import { acceptHint } from '../../read/accept.ts';
import { CountKnowledge } from '../../read/counts.ts';
import { openAfterSome } from '../../read/open-questions.ts';
import { chooseTables, type PlannedTable, planTables } from '../../read/plan.ts';
import { probeInstance } from '../../read/probe.ts';
import { type Foreseen, type Prospect, prospectsOf } from '../../read/provable.ts';
import { readTableSizes } from '../../read/sizes.ts';
import type { ScanKey } from '../../scan/key.ts';
import type { Consistency } from '../../scan/verdict.ts';
import { openStore } from '../../storage/open.ts';
import { readCatalog } from '../../vault/chain/catalog.ts';
import type { Manifest } from '../../vault/chain/manifest.ts';
import { type Series, seriesOf } from '../../vault/chain/series.ts';
import { openVault } from '../../vault/open.ts';
import { readNewestComplete } from '../../vault/snapshots.ts';
import { forecast, type Rates, ratesOf, requestsOf, seatMinutes, type TableForecast } from './rates.ts';

/** Ranges of a table at most, as far as a plan that is only looked at goes; of 200,000 rows each. */
const MADE_UP_KEYS = 4096;

export interface PlanOptions {
  /** Globs that narrow the pipeline's tables. */
  readonly tables?: readonly string[];
}

export interface PlanReportDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export interface PlanLine extends TableForecast {
  readonly name: string;
  readonly strategy: 'stream' | 'chain' | 'ranges';
  readonly tasks: number;
  readonly requests: number | null;
  readonly rows: number | null;
  /** Where the number of rows is from. */
  readonly rowsFrom: 'Dmv_Table_Info' | '$count' | 'snapshot' | 'keys' | null;
  /** In the instance's database, by `Dmv_Table_Info`. */
  readonly databaseBytes: number | null;
  /** What the manifest will say, if all goes well. */
  readonly consistency: Consistency;
  /** What keeps it from being exact; empty where nothing does. */
  readonly whyNotExact: readonly string[];
  /** Why it is read so. */
  readonly reason: string;
  /** Why it will fail as things are, for want of a proof too; null when nothing speaks against it. */
  readonly refusal: string | null;
  readonly warnings: readonly string[];
}

export interface PlanReport {
  readonly pipeline: string;
  readonly instance: string;
  readonly destination: string;
  /** In the order of the instance. */
  readonly tables: readonly PlanLine[];
  readonly totals: {
    readonly tables: number;
    readonly tasks: number;
    /** At least, where the length of a chain is unknown. */
    readonly requests: number;
    /** Of the tables whose rows are known. */
    readonly rows: number;
    readonly tablesOfUnknownRows: number;
    readonly parquetBytes: number | null;
    readonly bytesReceived: number | null;
    readonly durationMs: number | null;
    readonly seatMinutes: number | null;
    /** Tables that the estimates of bytes and time leave out. */
    readonly tablesNotEstimated: number;
  };
  /** What to do about tables that will fail; a sentence or more each. */
  readonly advice: readonly string[];
  /** Measured by the last complete snapshot; null where there is none. */
  readonly rates: Rates | null;
  /** Requests that making this plan took. */
  readonly requestsSent: number;
}

/** @throws TablevaultError what opening the instance throws; TABLE_UNKNOWN; VAULT_CORRUPT when the last manifest cannot be read */
export async function reportPlan(pipeline: Pipeline, options: PlanOptions, deps: PlanReportDeps): Promise<PlanReport> {
  const { emit, signal } = deps;
  const instance = await openInstance(pipeline, deps);
  try {
    const chosen = chooseTables(instance.model, pipeline, options.tables, readSensitiveColumns(), emit);
    emit({ type: 'doing', what: 'looking at the last snapshot' });
    const previous = await lastSnapshot(
      pipeline,
      seriesOf({ pipeline, instance: { url: instance.url, database: instance.discovery.databaseName } }),
      deps,
    );
    emit({ type: 'doing', what: 'asking the instance what it can do' });
    const probe = await probeInstance(instance, chosen, signal);
    const sizes = await readTableSizes(instance, signal);
    const counts = new CountKnowledge(probe.capabilities.count);
    emit({ type: 'doing', what: `planning ${plural(chosen.length, 'table')}` });
    const planned = await planTables(chosen, {
      instance,
      probe,
      hints: previous?.tables ?? [],
      pipeline,
      signal,
      emit,
      counts,
      pretendedKeys: madeUpKeys,
    });
    const rates = ratesOf(previous);
    const countable = probe.capabilities.count === true;
    const asked = { instance, capabilities: probe.capabilities, signal };
    const foreseen: Foreseen[] = [];
    for (const table of planned) foreseen.push({ ...table, open: await openAfterSome(table, table, asked) });
    const prospects = await prospectsOf(foreseen, asked);
    const tables = planned.map((table) => lineOf(table, { rates, previous, countable, sizes, prospects }));
    return {
      pipeline: pipeline.name,
      instance: instance.url,
      destination: pipeline.destination,
      tables,
      totals: totalsOf(tables),
      advice: adviceFor(planned, prospects),
      rates,
      requestsSent: instance.transport.stats().requests,
    };
  } finally {
    await instance.close();
  }
}

/** Of the destination, where it can be read: a plan is worth having without it. */
async function lastSnapshot(
  { destination }: Pipeline,
  series: Series,
  { emit, signal }: PlanReportDeps,
): Promise<Manifest | undefined> {
  const store = await openStore(destination, { signal });
  try {
    const vault = await openVault(store, { signal });
    const onFault = ({ message }: TablevaultError) => emit({ type: 'warning', message });
    const catalog = await readCatalog(vault, { signal });
    return (await readNewestComplete(vault, catalog, series, { signal, onFault }))?.manifest;
  } catch (thrown) {
    if (!(thrown instanceof TablevaultError)) throw thrown;
    if (thrown.code === 'VAULT_NOT_FOUND') return undefined;
    if (!thrown.code.startsWith('DESTINATION_')) throw thrown;
    emit({ type: 'warning', message: `no rates, as the destination cannot be read: ${thrown.message}` });
    return undefined;
  } finally {
    await store.close();
  }
}

/**
 * In the place of the keys that a snapshot would read: reading those of the largest tables takes minutes, and how many ranges there will be
 * is known without.
 */
function madeUpKeys({ type }: ScanKey): readonly Key[] {
  if (type.kind !== 'guid') return Array.from({ length: MADE_UP_KEYS }, (_, n) => String(n + 1));
  const keys = Array.from({ length: MADE_UP_KEYS }, (_, n) => {
    const hex = sha256Hex(Buffer.from(String(n)));
    return parseGuid(
      `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`,
    );
  });
  return keys.filter((key) => key !== undefined);
}

interface LineContext {
  readonly rates: Rates | null;
  readonly previous: Manifest | undefined;
  readonly countable: boolean;
  readonly sizes: ReadonlyMap<string, number> | null;
  readonly prospects: ReadonlyMap<string, Prospect>;
}

function lineOf(planned: PlannedTable, context: LineContext): PlanLine {
  const { plan, table } = planned;
  const { rates, previous, countable, sizes, prospects } = context;
  const { consistency = 'best-effort', reasons = [], refusal = null } = prospects.get(table.name) ?? {};
  const rows = plan.estimate?.rows ?? null;
  const requests = requestsOf(plan, countable);
  return {
    name: table.name,
    strategy: plan.strategy,
    tasks: plan.ranges.length,
    requests: requests === null ? null : requests + planned.requests,
    rows,
    rowsFrom: plan.estimate?.source ?? null,
    databaseBytes: sizes?.get(table.name) ?? null,
    consistency,
    whyNotExact: reasons,
    reason: plan.reason,
    refusal: planned.refusal?.message ?? refusal,
    warnings: planned.warnings,
    ...forecast(table.name, rows, rates, previous),
  };
}

/** One line accepts all tables that only want a proof; what else a table fails for has advice of its own. */
function adviceFor(planned: readonly PlannedTable[], prospects: LineContext['prospects']): readonly string[] {
  const hints = planned.flatMap(({ refusal }) => refusal?.hint ?? []);
  const wanting = planned
    .filter(({ table, refusal }) => refusal === null && prospects.get(table.name)?.refusal != null)
    .map(({ table }) => table.name);
  return [...new Set(hints), ...(wanting.length === 0 ? [] : [acceptHint(wanting)])];
}

function totalsOf(tables: readonly PlanLine[]): PlanReport['totals'] {
  const sum = (pick: (line: PlanLine) => number | null) => tables.reduce((total, line) => total + (pick(line) ?? 0), 0);
  const estimated = tables.filter(({ durationMs }) => durationMs !== null);
  const known = <T>(value: T): T | null => (estimated.length === 0 ? null : value);
  const durationMs = sum((line) => line.durationMs);
  return {
    tables: tables.length,
    tasks: sum((line) => line.tasks),
    requests: sum((line) => line.requests),
    rows: sum((line) => line.rows),
    tablesOfUnknownRows: tables.filter(({ rows }) => rows === null).length,
    parquetBytes: known(sum((line) => line.parquetBytes)),
    bytesReceived: known(sum((line) => line.bytesReceived)),
    durationMs: known(durationMs),
    seatMinutes: known(seatMinutes(durationMs)),
    tablesNotEstimated: tables.length - estimated.length,
  };
}
