/** How the keys of a table are made: one maker a key column, such that base rows 0, 1, 2 … are in key order. */
import { type GuidSequence, randomGuids, sequentialGuids } from './guids.ts';
import { mix } from './hash.ts';
import type { DemoColumn, TableModel, Value } from './model.ts';

export interface KeyMaker {
  readonly column: number;
  /** The key's component of a row; ordinals from the table's size on are rows inserted later. */
  at(ordinal: number): Value;
  /** Set where the column is the whole key and a GUID. */
  readonly guids: GuidSequence | null;
}

/** Rows that share all but the last component of a composite key. */
const GROUP = 5;

/**
 * The makers of a table's key columns in key order; none for views and tables without a key.
 *
 * @param target keys of the table that a key column refers to, with its size; null where that table is not served.
 */
export function planKeys(
  table: TableModel,
  size: number,
  seed: number,
  target: (table: string) => { size: number; at(p: number): Value } | null,
): readonly KeyMaker[] {
  const indexes = table.columns.map((_, i) => i).filter((i) => table.columns[i]!.pk > 0);
  indexes.sort((a, b) => table.columns[a]!.pk - table.columns[b]!.pk);
  return indexes.map((index, position) => {
    const column = table.columns[index]!;
    const last = position === indexes.length - 1;
    const divisor = last ? 1 : GROUP;
    const groups = Math.ceil(size / divisor);
    const referred = column.references === null || column.references === table.name ? null : target(column.references);
    if (referred !== null && referred.size > 0) {
      const ratio = Math.min(1, referred.size / Math.max(1, groups));
      const at = (ordinal: number) => referred.at(Math.floor(Math.floor(ordinal / divisor) * ratio));
      return { column: index, at, guids: null };
    }
    if (column.type.kind === 'guid') {
      const make = table.keys === 'random' ? randomGuids : sequentialGuids;
      const guids = make(`${table.name}.${column.name}`, seed, groups);
      const whole = indexes.length === 1 ? guids : null;
      return { column: index, at: (ordinal) => guids.at(Math.floor(ordinal / divisor)), guids: whole };
    }
    const make = plainMaker(column);
    return { column: index, at: (ordinal) => make(Math.floor(ordinal / divisor)), guids: null };
  });
}

/** Values that grow with n in any collation. */
function plainMaker(column: DemoColumn): (n: number) => Value {
  const type = column.type;
  switch (type.kind) {
    case 'bigint':
      return (n) => BigInt(n + 1);
    case 'datetime':
      return (n) => `${new Date(Date.UTC(2008, 0, 1) + n * 86_400_000).toISOString().slice(0, 10)}T00:00:00.000000Z`;
    case 'date':
      return (n) => new Date(Date.UTC(2008, 0, 1) + n * 86_400_000).toISOString().slice(0, 10);
    case 'text': {
      const width = Math.min(type.length ?? 20, 10);
      return (n) => (width < 7 ? String(n).padStart(width, '0') : `K-${String(n).padStart(width - 2, '0')}`);
    }
    case 'decimal':
      return (n) => (type.scale === 0 ? String(n) : `${n}.${'0'.repeat(type.scale)}`);
    default:
      return (n) => n + 1;
  }
}

/** The row of another table that a reference of this row points at; pure, and any row of `size` is reached. */
export function referredRow(columnSalt: number, ordinal: number, size: number): number {
  return mix(columnSalt, ordinal) % size;
}
