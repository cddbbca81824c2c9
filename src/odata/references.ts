/** References between tables, as navigation properties tell them. */
import type { TableSchema } from '../core/schema.ts';

/** A column that holds the key of a row of another table. */
export interface ColumnReference {
  readonly column: string;
  readonly table: string;
}

const SUFFIX = '_Reference';

/**
 * The references of a table as its navigation properties tell: `Document_Reference` to `Gen_Documents` stands for the column `Document_Id`
 * (the Table API's naming). A navigation without such a column is left out.
 */
export function referencesOf(table: Pick<TableSchema, 'columns' | 'navigations'>): readonly ColumnReference[] {
  const columns = new Set(table.columns.map(({ name }) => name));
  return table.navigations.flatMap(({ name, target, collection }) => {
    const column = name.endsWith(SUFFIX) ? `${name.slice(0, -SUFFIX.length)}_Id` : '';
    return !collection && columns.has(column) ? [{ column, table: target }] : [];
  });
}
