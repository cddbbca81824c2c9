/** The column that a table's rows are asked for by. Pure. */
import { type KeyOrder, ordersOf } from '../core/key-order.ts';
import type { Column, ColumnType, TableSchema } from '../core/schema.ts';

export interface ScanKey {
  readonly column: string;
  readonly type: ColumnType;
  /** Are there further key columns, so that rows may share its values? */
  readonly composite: boolean;
  /** Is it the first of the key's columns, so that rows in order of the key are in its order? */
  readonly leads: boolean;
  /** The order that ranges were cut in; null where any order will do. */
  readonly order: KeyOrder | null;
}

/**
 * The key of a table, or of a composite one its first column, whose type has values that `ge` and `le` can ask for. Null for tables without
 * key and for keys of other types.
 */
export function scanKeyOf({ key }: Pick<TableSchema, 'key'>, columns: readonly Column[]): ScanKey | null {
  const found = key
    .map((part) => columns.find(({ name }) => name === part))
    .find((column) => column !== undefined && ordersOf(column.type).length > 0);
  if (found === undefined) return null;
  const { name: column, type } = found;
  return { column, type, composite: key.length > 1, leads: column === key[0], order: null };
}

/** Can the table be cut into ranges by this key? Not where rows share keys, nor by text, which servers order in ways of their own. */
export function cutsIntoRanges(key: ScanKey | null): key is ScanKey {
  return key !== null && !key.composite && key.type.kind !== 'text';
}
