/** The pipeline, as the program sees it. */
import type { TypeProfile } from './schema.ts';
import type { Secret } from './secret.ts';

/** A pipeline file after reading: defaults filled in, secrets resolved, paths absolute, durations in milliseconds. */
export interface Pipeline {
  /** Absolute path of the file. */
  readonly file: string;
  /** File name without extension; names the lock in the vault. */
  readonly name: string;
  /** Origin (and path, if any) without a trailing slash, e.g. `https://demodb.my.erp.net`. */
  readonly instance: string;
  readonly auth: Auth;
  readonly endpoints: Endpoints;
  readonly tables: TableSelection;
  /** Absolute folder path or `s3://bucket/prefix`. */
  readonly destination: string;
  readonly limits: Limits;
  readonly parquet: ParquetSettings;
  readonly expect: Expectations;
  /** Ed25519 private key that manifests are signed with: PEM, or PKCS #8 in base64. */
  readonly signingKey?: Secret;
}

export type Auth =
  | { readonly kind: 'service'; readonly clientId: string; readonly clientSecret: Secret }
  | { readonly kind: 'reference-token'; readonly token: Secret; readonly header: 'authorization' | 'x-api-key' };

export interface Endpoints {
  /** Site of the Table API, with or without `/odata/` at its end. */
  readonly tableApi?: string;
  /** Identity authority, e.g. `https://demodb.my.erp.net/id`. */
  readonly identity?: string;
}

export interface TableSelection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly overrides: Readonly<Record<string, TableOverride>>;
}

export interface TableOverride {
  /** Column globs in order; a leading `-` takes away. Key and Row_Version are always read. */
  readonly columns?: readonly string[];
  /** An OData filter, sent as it is. */
  readonly filter?: string;
  /** Take the table also where it can be neither proven nor counted. */
  readonly accept?: 'best-effort';
  /** Columns whose values are kept as the text that comes, whatever their declared type. */
  readonly types?: Readonly<Record<string, 'text'>>;
}

export interface Limits {
  /** Requests in flight at most, 1 to 10. */
  readonly concurrency: number;
  /** `$top` of a page. */
  readonly pageRows: number;
  readonly memoryMb: number;
  readonly resumeWithinMs: number;
  readonly deadlineMs: number;
}

/** A row may take this share of the memory that the pipeline allows. */
const ROW_SHARE = 10;

/** Bytes that one row may take as JSON before its table fails. */
export function maxRowBytesOf({ memoryMb }: Pick<Limits, 'memoryMb'>): number {
  return Math.floor((memoryMb * 1024 * 1024) / ROW_SHARE);
}

export interface ParquetSettings {
  readonly types: TypeProfile;
  readonly compression: 'zstd' | 'snappy' | 'gzip' | 'uncompressed';
  /** Rows of a part at most. */
  readonly partRows: number;
}

export interface Expectations {
  /** Fail when a table has lost more than this share of its rows since the last complete snapshot. */
  readonly maxRowDropPercent?: number;
  /** Table name to the rows it must have at least. */
  readonly minRows?: Readonly<Record<string, number>>;
}
