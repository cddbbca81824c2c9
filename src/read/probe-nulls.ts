/** Asks whether the instance leaves nulls out of rows. */
import type { Column, TableSchema } from '../core/schema.ts';
import { compileQuery } from '../odata/query.ts';
import { nullHabitOf } from '../scan/nulls.ts';
import type { SmallAnswer } from './small.ts';

/** What the probes are made with: the tables of the pipeline, and the columns that will be read of each. */
export interface ProbedTable {
  readonly table: TableSchema;
  readonly columns: readonly Column[];
}

/** Tables asked until one tells; most servers tell with the first. */
const MAX_TABLES = 5;
const ROWS = 50;
/** So short that no server refuses the URL. */
const MAX_COLUMNS = 40;

/** Reads some rows of tables with many nullable columns until a null is seen, or seen to be left out. Without a proof absence is an error. */
export async function provesAbsentIsNull(
  tables: readonly ProbedTable[],
  counts: ReadonlyMap<string, number> | null,
  ask: (table: TableSchema, query: string) => Promise<SmallAnswer | null>,
): Promise<boolean> {
  const ranked = tables
    .map(({ table, columns }) => ({ table, columns: columns.slice(0, MAX_COLUMNS) }))
    .filter(({ table, columns }) => columns.some(({ nullable }) => nullable) && (counts?.get(table.name) ?? 2) > 1)
    .sort((a, b) => nullables(b).length - nullables(a).length);
  for (const { table, columns } of ranked.slice(0, MAX_TABLES)) {
    const select = columns.map(({ name }) => name);
    const answer = await ask(table, compileQuery({ table, select, top: ROWS }));
    if (answer === null) continue;
    const required = columns.filter(({ nullable }) => !nullable).map(({ name }) => name);
    const habit = nullHabitOf(answer.rows, nullables({ columns }), required);
    if (habit !== 'unknown') return habit === 'omitted';
  }
  return false;
}

function nullables({ columns }: Pick<ProbedTable, 'columns'>): readonly string[] {
  return columns.filter(({ nullable }) => nullable).map(({ name }) => name);
}
