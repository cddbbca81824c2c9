/** All tables of the instance, their references, and the counter behind `Row_Version`. */
import { TablevaultError } from '../core/errors.ts';
import { planKeys, referredRow } from './keys.ts';
import {
  type ColumnLine,
  type DemoColumn,
  parseColumn,
  parseSqlType,
  readModel,
  type TableModel,
  type Value,
} from './model.ts';
import type { DemoOptions } from './options.ts';
import { NO_FACTS, type SystemFacts, systemView } from './system-views.ts';
import { BLOCK_ROWS, type RowRef, START, TableData } from './table.ts';
import { columnSalt, isNullAt, planValues, rowHash, type ValueMaker } from './values.ts';

/** A row as plain values. */
export type Row = Readonly<Record<string, Value>>;

/** A change of a table's columns. */
export type SchemaChange =
  | { readonly kind: 'add'; readonly table: string; readonly column: ColumnLine }
  | { readonly kind: 'drop'; readonly table: string; readonly column: string }
  | { readonly kind: 'widen'; readonly table: string; readonly column: string; readonly type: string };

export interface Database {
  readonly tables: ReadonlyMap<string, TableData>;
  /** The next value of the database's `rowversion` counter. */
  nextVersion(): number;
  /** Throws USAGE for a table that is not served. */
  table(name: string): TableData;
  /** Every row that exists, in key order, as plain values. */
  rows(name: string): Iterable<Row>;
  changeSchema(change: SchemaChange): void;
}

/**
 * Builds the tables of the options; nothing is generated yet. Throws CONFIG_INVALID.
 *
 * @param facts what the system views tell of.
 */
export function createDatabase(options: DemoOptions, facts: SystemFacts = NO_FACTS): Database {
  const seed = options.seed ?? 1;
  const served = options.tables === undefined ? null : new Set(options.tables);
  const models = readModel(options.modelFile).filter((model) => served === null || served.has(model.name));
  const byName = new Map(models.map((model) => [model.name, model]));
  const sizes = planSizes(models, options);
  const tables = new Map<string, TableData>();
  let version = 2000;

  const keysOf = new Map<string, ReturnType<typeof planKeys>>();
  const keysFor = (model: TableModel): ReturnType<typeof planKeys> => {
    let keys = keysOf.get(model.name);
    if (keys === undefined) {
      keys = planKeys(model, sizes.get(model.name)!, seed, (name) => {
        const referred = byName.get(name);
        const key = referred === undefined ? undefined : keysFor(referred)[0];
        return key === undefined ? null : { size: sizes.get(name)!, at: (p) => key.at(p) };
      });
      keysOf.set(model.name, keys);
    }
    return keys;
  };

  const makerOf = (model: TableModel, column: DemoColumn, position: number): ValueMaker => {
    const referred = column.references === null ? undefined : byName.get(column.references);
    const keys = referred === undefined ? [] : keysFor(referred);
    const size = referred === undefined ? 0 : sizes.get(referred.name)!;
    const key = keys[0];
    if (column.references === null || key === undefined || keys.length > 1)
      return planValues(model.name, column, position, seed);
    if (size === 0) return column.nullable ? () => null : planValues(model.name, column, position, seed);
    const salt = columnSalt(model.name, column.name, seed);
    return (ordinal, generation) => {
      const h = rowHash(salt, ordinal, generation);
      return column.nullable && isNullAt(h) ? null : key.at(referredRow(h, ordinal, size));
    };
  };

  for (const model of models) {
    const size = sizes.get(model.name)!;
    const template =
      options.template === true || (Array.isArray(options.template) && options.template.includes(model.name));
    const view = systemView(model, models, tables, facts);
    const table = new TableData({
      model,
      size: view?.size ?? size,
      keys: keysFor(model),
      makers: view?.makers ?? model.columns.map((column, i) => makerOf(model, column, i)),
      firstVersion: version,
      period: template && view === undefined ? BLOCK_ROWS : 0,
      live: view !== undefined,
    });
    version += size;
    tables.set(model.name, table);
  }
  for (const { table: name, row, column, value } of options.values ?? []) {
    const table = find(tables, name);
    if (table.period > 0)
      throw new TablevaultError('USAGE', `table ${name} has template rows: no value of one can be set`);
    const index = columnIndex(table, column);
    if (typeof value !== 'object' || value === null) table.override(row, index, value);
    else if ('repeat' in value) table.override(row, index, value.repeat.repeat(value.times));
    else table.overrideJson(row, index, value.json);
  }

  return {
    tables,
    nextVersion: () => version++,
    table: (name) => find(tables, name),
    rows: (name) => rowsOf(find(tables, name)),
    changeSchema(change) {
      const table = find(tables, change.table);
      const model = reshape(table.model, change);
      table.reshape(
        model,
        model.columns.map((column, i) => makerOf(model, column, i)),
      );
    },
  };
}

function find(tables: ReadonlyMap<string, TableData>, name: string): TableData {
  const table = tables.get(name);
  if (table === undefined) throw new TablevaultError('USAGE', `the demo instance has no table ${name}`);
  return table;
}

function columnIndex(table: TableData, name: string): number {
  const index = table.columns.findIndex((column) => column.name === name);
  if (index < 0) throw new TablevaultError('USAGE', `table ${table.name} of the demo instance has no column ${name}`);
  return index;
}

function* rowsOf(table: TableData): Iterable<Row> {
  let place = START;
  for (;;) {
    const found = table.next(place, table.size, 'sql');
    if (found === undefined) return;
    if (found.step.kind === 'row') yield plainRow(table, found.step.row);
    else {
      for (let position = found.step.from; position < found.step.to; position++) {
        const row = table.rowAt(position, 'sql');
        if (row !== undefined) yield plainRow(table, row);
      }
    }
    place = found.rest;
  }
}

/** One row as plain values. */
function plainRow(table: TableData, row: RowRef): Row {
  return Object.fromEntries(
    table.columns.flatMap((column, i) => (column.name === '' ? [] : [[column.name, table.value(row, i)]])),
  );
}

function planSizes(models: readonly TableModel[], options: DemoOptions): ReadonlyMap<string, number> {
  const factor = options.rows ?? 1;
  const sizes = new Map<string, number>();
  for (const model of models) {
    const own = options.tableRows?.[model.name];
    const stated = model.rows ?? options.modelRows ?? 40;
    sizes.set(model.name, own ?? Math.round(stated === 0 ? 0 : Math.max(1, stated * factor)));
  }
  // A table whose key is another table's key has no more rows than that one.
  for (const model of models) {
    const keys = model.columns.filter((column) => column.pk > 0);
    const target = keys.length === 1 ? keys[0]!.references : null;
    const limit = target === null || target === model.name ? undefined : sizes.get(target);
    if (limit !== undefined) sizes.set(model.name, Math.min(sizes.get(model.name)!, limit));
  }
  return sizes;
}

function reshape(model: TableModel, change: SchemaChange): TableModel {
  const index = change.kind === 'add' ? -1 : model.columns.findIndex((column) => column.name === change.column);
  if (change.kind !== 'add' && index < 0) {
    throw new TablevaultError('USAGE', `table ${model.name} of the demo instance has no column ${change.column}`);
  }
  switch (change.kind) {
    case 'add':
      return { ...model, columns: [...model.columns, parseColumn(change.column)] };
    case 'drop':
      if (model.columns[index]!.pk > 0)
        throw new TablevaultError('USAGE', 'a key column of the demo instance cannot be dropped');
      // The place stays, unnamed: positions of the other columns (and of the key makers) must not move.
      return { ...model, columns: model.columns.map((column, i) => (i === index ? { ...column, name: '' } : column)) };
    case 'widen': {
      const type = parseSqlType(change.type);
      const columns = model.columns.map((column, i) =>
        i === index ? { ...column, type, sqlType: change.type } : column,
      );
      return { ...model, columns };
    }
  }
}
