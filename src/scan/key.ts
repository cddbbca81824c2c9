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
 * The key of a table, or the leading column of a composite one, when it has a type whose values `ge` and `le` can ask for. Null for tables
 * without key and for keys of other types.
 */
export function scanKeyOf({ key }: Pick<TableSchema, 'key'>, columns: readonly Column[]): ScanKey | null {
  const [column, ...further] = key;
  const type = columns.find(({ name }) => name === column)?.type;
  if (column === undefined || type === undefined || ordersOf(type).length === 0) return null;
  return { column, type, composite: further.length > 0, order: null };
}

/** Can the table be cut into ranges by this key? Not where rows share keys, nor by text, which servers order in ways of their own. */
export function cutsIntoRanges(key: ScanKey | null): key is ScanKey {
  return key !== null && !key.composite && key.type.kind !== 'text';
}
