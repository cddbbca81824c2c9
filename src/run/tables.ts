/** What an instance offers to an identity: tables, columns, types and keys, and what the pipeline takes of them. */
import type { Clock } from '../core/clock.ts';
import type { Emit } from '../core/events.ts';
import type { Pipeline } from '../core/pipeline.ts';
import type { TableSchema } from '../core/schema.ts';
import { openInstance } from '../instance/open.ts';
import { readSensitiveColumns } from '../instance/sensitive.ts';
import { selectColumns, selectTables } from '../odata/select.ts';

export interface ColumnInfo {
  readonly name: string;
  /** As `$metadata` names it. */
  readonly type: string;
  readonly nullable: boolean;
  /** Is it read by this pipeline, and if not, why? */
  readonly read: 'yes' | 'sensitive' | 'not selected';
}

export interface TableInfo {
  readonly name: string;
  /** Is it one of the pipeline's tables? */
  readonly selected: boolean;
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

/** @throws TablevaultError everything that opening the instance may end with; TABLE_UNKNOWN */
export async function listTables(pipeline: Pipeline, options: TablesOptions, deps: TablesDeps): Promise<TablesReport> {
  const instance = await openInstance(pipeline, deps);
  try {
    const { model } = instance;
    const { include, exclude, overrides } = pipeline.tables;
    const chosen = new Set(selectTables(model, include, exclude, Object.keys(overrides)).tables);
    const shown = options.only === undefined ? model.tables : selectTables(model, options.only, []).tables;
    const sensitive = readSensitiveColumns();
    return {
      instance: instance.url,
      tableApi: instance.tableApi,
      version: instance.version,
      tables: shown.map((table) => tableInfo(table, chosen.has(table), pipeline, sensitive)),
    };
  } finally {
    await instance.close();
  }
}

function tableInfo(table: TableSchema, selected: boolean, pipeline: Pipeline, sensitive: readonly string[]): TableInfo {
  const { leftOut } = selectColumns(table, pipeline.tables.overrides[table.name], sensitive);
  const reasons = new Map(leftOut.map(({ name, reason }) => [name, reason]));
  return {
    name: table.name,
    selected,
    key: table.key,
    columns: table.columns.map(({ name, edmType, nullable }) => ({
      name,
      type: edmType,
      nullable,
      read: reasons.get(name) ?? 'yes',
    })),
  };
}
