/** How the keys of a table are made: one maker a key column, such that base rows 0, 1, 2 … are in key order. */
import { endGuid, type GuidSequence, randomGuids, sequentialGuids } from './guids.ts';
import { hashText, mix } from './hash.ts';
import type { DemoColumn, TableModel, Value } from './model.ts';
import { decimalText } from './values.ts';

export interface KeyMaker {
  readonly column: number;
  /**
   * The key's component of a row. Ordinals from the table's size on are rows inserted later; those from `END_ORDINAL` on come after all
   * others in key order.
   */
  at(ordinal: number): Value;
  /** Set where the column is the whole key and a GUID. */
  readonly guids: GuidSequence | null;
}

/** Ordinals of rows that were put at the end of their table. */
export const END_ORDINAL = 2 ** 30;

/** Keys without GUIDs grow with the ordinal: rows at the end leave room for this many inserted before them. */
const END_GAP = 100_000;

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
      const at = (ordinal: number) => {
        const base = ordinal >= END_ORDINAL ? Math.max(0, size - 1) : ordinal;
        return referred.at(Math.floor(Math.floor(base / divisor) * ratio));
      };
      return { column: index, at, guids: null };
    }
    if (column.type.kind === 'guid') {
      const make = table.keys === 'random' ? randomGuids : sequentialGuids;
      const guids = make(`${table.name}.${column.name}`, seed, groups);
      const at = (ordinal: number) =>
        ordinal >= END_ORDINAL
          ? endGuid(Math.floor((ordinal - END_ORDINAL) / divisor))
          : guids.at(Math.floor(ordinal / divisor));
      return { column: index, at, guids: indexes.length === 1 ? guids : null };
    }
    const salt = hashText(`${table.name}.${column.name}`, seed);
    const make = (table.keys === 'random' ? scatteredMaker(column, groups, salt) : null) ?? plainMaker(column, groups);
    const at = (ordinal: number) => {
      const n = ordinal >= END_ORDINAL ? size + END_GAP + (ordinal - END_ORDINAL) : ordinal;
      return make(Math.floor(n / divisor));
    };
    return { column: index, at, guids: null };
  });
}

const DAY_MS = 86_400_000;
const FIRST_DAY = Date.UTC(2008, 0, 1);

/** Values that grow with n in any collation. */
function plainMaker(column: DemoColumn, groups: number): (n: number) => Value {
  const type = column.type;
  switch (type.kind) {
    case 'bit':
      return (n) => n * 2 >= groups;
    case 'bigint':
      return (n) => BigInt(n + 1);
    case 'datetime':
      return (n) => instantText(n * DAY_MS);
    case 'date':
      return (n) => instantText(n * DAY_MS).slice(0, 10);
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

/**
 * Values that grow with n and are awkward otherwise: negative ones, gaps, 64-bit integers beyond 2^53, texts in mixed case with a quote in
 * them. Null for types that have none.
 */
function scatteredMaker(column: DemoColumn, groups: number, salt: number): ((n: number) => Value) | null {
  const type = column.type;
  const half = Math.floor(groups / 2);
  const spread = (n: number, step: number) => (n - half) * step + (mix(salt, n) % step);
  switch (type.kind) {
    case 'int':
      return (n) => spread(n, 7);
    case 'bigint': {
      const step = 2n ** 61n / BigInt(groups + 2 * END_GAP);
      return (n) => -(2n ** 62n) + BigInt(n) * step + BigInt(mix(salt, n) % 1000);
    }
    case 'decimal':
      return (n) => {
        const value = spread(n, 13);
        return decimalText(String(Math.abs(value)), type.scale, value < 0);
      };
    case 'datetime':
      return (n) => instantText(spread(n, 90_000) * 1000);
    case 'date':
      return (n) => instantText(spread(n, 3) * DAY_MS).slice(0, 10);
    case 'text':
      return (type.length ?? 20) < 7 ? null : (n) => mixedText(n, mix(salt, n));
    default:
      return null;
  }
}

/** Six letters that grow with n where case does not count, in a case of their own, with a quote among them. */
function mixedText(n: number, h: number): string {
  let letters = '';
  for (let i = 0, rest = n; i < 6; i++, rest = Math.floor(rest / 26)) {
    const letter = String.fromCharCode(97 + (rest % 26));
    letters = (((h >>> i) & 1) === 0 ? letter : letter.toUpperCase()) + letters;
  }
  return `${letters.slice(0, 3)}'${letters.slice(3)}`;
}

/** The instant so many milliseconds after 2008 began. */
function instantText(ms: number): string {
  return `${new Date(FIRST_DAY + ms).toISOString().slice(0, 19)}.000000Z`;
}

/** The row of another table that a reference of this row points at; pure, and any row of `size` is reached. */
export function referredRow(columnSalt: number, ordinal: number, size: number): number {
  return mix(columnSalt, ordinal) % size;
}
