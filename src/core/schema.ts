/** Table schemas: what `$metadata` says of an entity set, in the words the rest of the product uses. */

/** How the values of a column are decoded and stored. `text`, `decimalText` and `json` are all text in Parquet. */
export type ColumnType =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'int8' | 'uint8' | 'int16' | 'int32' | 'int64' }
  | { readonly kind: 'float32' | 'float64' }
  /** Exact; 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  /** Edm.Decimal without precision and scale (or beyond 38 digits): the digits as they came. */
  | { readonly kind: 'decimalText' }
  | { readonly kind: 'guid' }
  | { readonly kind: 'text' }
  | { readonly kind: 'binary' }
  /** Microseconds since 1970-01-01T00:00:00Z. */
  | { readonly kind: 'timestamp' }
  /** Days since 1970-01-01. */
  | { readonly kind: 'date' }
  /** Microseconds since midnight. */
  | { readonly kind: 'time' }
  /**
   * Anything else, and columns that a pipeline keeps as text: a JSON string's content, any other JSON value's text as it came. A string that
   * UTF-8 cannot hold is kept as its JSON text (see `readJson`).
   */
  | { readonly kind: 'json' };

export interface Column {
  readonly name: string;
  /** As `$metadata` names it, e.g. `Edm.Guid` or `Erp.State`. */
  readonly edmType: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Left out of snapshots unless the pipeline names it. */
  readonly sensitive: boolean;
}

export interface Navigation {
  /** E.g. `Document_Reference`. */
  readonly name: string;
  /** Entity type it leads to, without namespace. */
  readonly target: string;
  readonly collection: boolean;
}

export interface TableSchema {
  /** The entity set's name: what requests and files are named by. */
  readonly name: string;
  readonly columns: readonly Column[];
  /** Names of the key columns in order; empty for views. */
  readonly key: readonly string[];
  readonly navigations: readonly Navigation[];
  /** What its rows may carry beside the columns, and is not read: sentences for a warning. Absent where there is nothing to say. */
  readonly notRead?: readonly string[];
}

/** Column types of the Parquet files: `portable` is read by every warehouse and by Delta, `native` keeps UUID, TIME and UINT8. */
export type TypeProfile = 'portable' | 'native';

/** Name of the `rowversion` column, where a table has one. Always read. */
export const ROW_VERSION = 'Row_Version';
