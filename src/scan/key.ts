/** The column that a table's rows are asked for by. Pure. */
import { type KeyOrder, ordersOf } from '../core/key-order.ts';
import type { Column, ColumnType, TableSchema } from '../core/schema.ts';

export interface ScanKey {
  readonly column: string;
  readonly type: ColumnType;
  /** Are there further key columns, so that rows may share its values? */
  readonly composite: boolean;
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
  return found === undefined ? null : { column: found.name, type: found.type, composite: key.length > 1, order: null };
}

/** Can the table be cut into ranges by this key? Not where rows share keys, nor by text, which servers order in ways of their own. */
export function cutsIntoRanges(key: ScanKey | null): key is ScanKey {
  return key !== null && !key.composite && key.type.kind !== 'text';
}
