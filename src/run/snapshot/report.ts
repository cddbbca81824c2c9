/** The object of `snapshot --json`, and the outcome of a run. */
import {
  asTablevaultError,
  type ErrorCode,
  EXIT,
  type ExitCode,
  type TablevaultError,
  withAdvice,
} from '../../core/errors.ts';
import type { Continued } from '../../core/events.ts';
import type { Manifest, TableEntry } from '../../vault/chain/manifest.ts';

/** The object of `snapshot --json`, as the outside contract has it. */
export interface SnapshotReport {
  readonly snapshot: string | null;
  readonly sequence: number;
  readonly complete: boolean;
  /** Was it narrowed by `--tables`? Then it is not the newest complete one for anything. */
  readonly narrowed: boolean;
  readonly resumed: boolean;
  readonly tables: readonly TableReport[];
  readonly requests: number;
  /** Response bodies on the wire, before decompression. */
  readonly bytesReceived: number;
  readonly durationMs: number;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface TableReport {
  readonly name: string;
  readonly status: 'done' | 'failed' | 'skipped';
  readonly rows: number;
  readonly bytes: number;
  readonly parts: number;
  readonly strategy: string | null;
  readonly consistency: string | null;
  /** Rows that changed since the snapshot before, where only these were read; null for a table that was read whole. */
  readonly changes: null;
  readonly requests: number;
  readonly warnings: readonly string[];
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

export interface SnapshotOutcome {
  readonly report: SnapshotReport;
  readonly exitCode: ExitCode;
  /** What the run ended by, with its hint and place. */
  readonly error: TablevaultError | null;
  /** What the unfinished run had read that was continued; null for a run of its own. */
  readonly continued: Continued | null;
}

export interface FailedTable {
  readonly name: string;
  readonly error: TablevaultError;
}

export function doneTable(entry: TableEntry): TableReport {
  const { name, rows, bytes, parts, strategy, consistency, requests, warnings } = entry;
  return {
    name,
    status: 'done',
    rows,
    bytes,
    parts: parts.length,
    strategy,
    consistency,
    changes: null,
    requests,
    warnings,
    error: null,
  };
}

export function failedTable({ name, error }: FailedTable): TableReport {
  return { ...emptyTable(name), status: 'failed', error: { code: error.code, message: withAdvice(error) } };
}

/** A table that was not come to. */
export function emptyTable(name: string): TableReport {
  return {
    name,
    status: 'skipped',
    rows: 0,
    bytes: 0,
    parts: 0,
    strategy: null,
    consistency: null,
    changes: null,
    requests: 0,
    warnings: [],
    error: null,
  };
}

export interface ReportParts {
  readonly manifest: Manifest | null;
  readonly tables: readonly TableReport[];
  readonly narrowed: boolean;
  readonly continued: Continued | null;
  readonly requests: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  readonly error: unknown;
}

export function outcomeOf(parts: ReportParts): SnapshotOutcome {
  const { manifest, tables, narrowed, continued, requests, bytesReceived, durationMs } = parts;
  const error = parts.error === null ? null : asTablevaultError(parts.error);
  return {
    exitCode: error?.exitCode ?? EXIT.done,
    error,
    continued,
    report: {
      snapshot: manifest?.snapshot ?? null,
      sequence: manifest?.sequence ?? 0,
      complete: manifest?.complete ?? false,
      narrowed,
      resumed: continued !== null,
      tables,
      requests,
      bytesReceived,
      durationMs,
      error: error === null ? null : { code: error.code, message: withAdvice(error) },
    },
  };
}
