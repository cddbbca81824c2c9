/** What every target of a restore does. */
import type { TableEntry } from '../../vault/chain/manifest.ts';

/** A target being filled. Nothing of it can be seen before `finish`. */
export interface RestoreWriter {
  readonly shown: string;
  /** One table from verified local Parquet files; returns the rows it has now. */
  table(entry: TableEntry, files: readonly string[]): Promise<number>;
  /** Makes all tables visible at once; returns warnings. */
  finish(): Promise<readonly string[]>;
  /** Leaves no trace, if that can be; never throws. */
  abort(): Promise<void>;
}
