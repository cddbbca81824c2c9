/** What an instance offers to an identity: tables, columns, types, keys and sizes, and what the pipeline takes of them. */
import pLimit from 'p-limit';
import type { Clock } from '../../core/clock.ts';
import type { Emit } from '../../core/events.ts';
import { chooseByGlobs } from '../../core/globs.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { TableSchema } from '../../core/schema.ts';
import { type Instance, openInstance } from '../../instance/open.ts';
import { readSensitiveColumns } from '../../instance/sensitive.ts';
import { selectColumns, selectTables } from '../../odata/select.ts';
import { documentedFilter, type FilterKnowledge, probeKeyFilter } from '../../read/filter-knowledge.ts';
import { readTableRows } from '../../read/probe.ts';
import { readTableSizes } from '../../read/sizes.ts';

export interface ColumnInfo {
  readonly name: string;
  /** As `$metadata` names it. */
  readonly type: string;
  readonly nullable: boolean;
  /** Is it read by this pipeline, and if not, why? */
  readonly read: 'yes' | 'sensitive' | 'not selected';
  /** Does the pipeline keep it as the text that comes? */
  readonly keptAsText: boolean;
  /** Keys are probed where single tables are asked for. */
  readonly filter: FilterKnowledge;
}

export interface TableInfo {
  readonly name: string;
  /** Is it one of the pipeline's tables? */
  readonly selected: boolean;
  /** By `Dmv_Table_Info`; null where it cannot be read or does not hold the table. */
  readonly rows: number | null;
  /** In the database, indexes included; from the same place. */
  readonly databaseBytes: number | null;
  readonly key: readonly string[];
  readonly columns: readonly ColumnInfo[];
}

export interface TablesReport {
  readonly instance: string;
  readonly tableApi: string;
  readonly version: string | null;
  /** In the order of the instance. */
  readonly tables: readonly TableInfo[];
}

export interface TablesOptions {
  /** Only these tables (globs); a glob that matches nothing is an error that names near ones. */
  readonly only?: readonly string[];
}

export interface TablesDeps {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

const NOT_OFFERED = {
  none: 'no table of the instance',
  hint: '`tablevault tables` lists what the instance offers to this identity.',
} as const;

/** @throws TablevaultError everything that opening the instance may end with; TABLE_UNKNOWN */
export async function listTables(pipeline: Pipeline, options: TablesOptions, deps: TablesDeps): Promise<TablesReport> {
  const instance = await openInstance(pipeline, deps);
  try {
    const { model } = instance;
    const { include, exclude, overrides } = pipeline.tables;
    const chosen = new Set(selectTables(model, include, exclude, Object.keys(overrides)).tables);
    const shown = options.only === undefined ? model.tables : chooseByGlobs(model.tables, options.only, NOT_OFFERED);
    const sensitive = readSensitiveColumns();
    deps.emit({ type: 'doing', what: 'asking how many rows the tables have' });
    const { rows } = await readTableRows(instance, deps.signal);
    const sizes = rows === null ? null : await readTableSizes(instance, deps.signal);
    if (options.only !== undefined) deps.emit({ type: 'doing', what: 'trying filters on keys' });
    const filters: Awaited<ReturnType<typeof probeKeys>> =
      options.only === undefined ? new Map() : await probeKeys(instance, shown, pipeline, deps.signal);
    return {
      instance: instance.url,
      tableApi: instance.tableApi,
      version: instance.version,
      tables: shown.map((table) => {
        const info = tableInfo(table, chosen.has(table), pipeline, sensitive, filters.get(table.name));
        return { ...info, rows: rows?.get(table.name) ?? null, databaseBytes: sizes?.get(table.name) ?? null };
      }),
    };
  } finally {
    await instance.close();
  }
}

/** The filter on the key of each table, as far as it could be tried. */
async function probeKeys(instance: Instance, tables: readonly TableSchema[], pipeline: Pipeline, signal: AbortSignal) {
  const limit = pLimit(pipeline.limits.concurrency);
  const probed = await Promise.all(tables.map((table) => limit(() => probeKeyFilter(instance, table, signal))));
  return new Map(tables.map((table, index) => [table.name, probed[index] ?? null]));
}

function tableInfo(
  table: TableSchema,
  selected: boolean,
  pipeline: Pipeline,
  sensitive: readonly string[],
  probed: Awaited<ReturnType<typeof probeKeyFilter>> | undefined,
): Omit<TableInfo, 'rows' | 'databaseBytes'> {
  const override = pipeline.tables.overrides[table.name];
  const { leftOut } = selectColumns(table, override, sensitive);
  const reasons = new Map(leftOut.map(({ name, reason }) => [name, reason]));
  return {
    name: table.name,
    selected,
    key: table.key,
    columns: table.columns.map((column) => ({
      name: column.name,
      type: column.edmType,
      nullable: column.nullable,
      read: reasons.get(column.name) ?? 'yes',
      keptAsText: Object.hasOwn(override?.types ?? {}, column.name),
      filter: probed?.column === column.name ? probed.filter : documentedFilter(column),
    })),
  };
}
