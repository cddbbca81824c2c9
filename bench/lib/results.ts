/** The figures of one run of all benchmarks, as they stand in `bench/results/*.json`. */
import type { Machine } from './machine.ts';
import type { Spread } from './stats.ts';

export interface Results {
  /** ISO date and time of the beginning, UTC. */
  readonly startedAt: string;
  readonly durationSeconds: number;
  readonly smoke: boolean;
  readonly machine: Machine;
  readonly decode: DecodeResult;
  readonly parquet: ParquetResult;
  readonly http: HttpResult;
  readonly instanceBound: InstanceBoundResult;
  readonly growth: GrowthResult;
  /** Results from before 2026-11-25 have none. */
  readonly start?: StartResult;
}

/** Milliseconds from the start of a process. */
export interface StartResult {
  readonly rounds: number;
  /** Node that does nothing. */
  readonly node: Spread;
  readonly version: Spread;
  readonly help: Spread;
  /** Until the first request of a snapshot reaches the server. */
  readonly firstRequest: Spread;
}

export interface DecodeResult {
  readonly rows: number;
  readonly bytes: number;
  readonly rounds: number;
  readonly chunkBytes: number;
  /** Which way was the faster one for `JSON.parse`. */
  readonly bytesToString: string;
  readonly decoderRowsPerSecond: Spread;
  /** With the step from bytes to a string. */
  readonly jsonParseRowsPerSecond: Spread;
  /** Without it. */
  readonly jsonParseOfTextRowsPerSecond: Spread;
  readonly ratio: Spread;
  readonly ratioToParseOfText: Spread;
}

export type Profile = 'portable' | 'native';

export interface ParquetResult {
  readonly rows: number;
  readonly bytes: number;
  readonly rounds: number;
  readonly profiles: Readonly<Record<Profile, ProfileResult>>;
  /** Each setting of DuckDB that was tried, one time each; the best of each input goes into the rounds. */
  readonly duckdbSettings: readonly DuckdbTrial[];
  readonly plain: readonly PlainResult[];
}

/** `pages`: `read_json` on the pages as they come; `lines`: `read_json` on one row a line; `text`: `read_text` and `from_json_strict`. */
export type DuckdbInput = 'pages' | 'lines' | 'text';

export interface ProfileResult {
  readonly tablevault: ContestantResult;
  readonly duckdb: Readonly<Record<DuckdbInput, OpponentResult>>;
  /** To the fastest of the plain pipelines. */
  readonly ratioToPlain: Spread;
  readonly size: {
    readonly tablevaultBytes: number;
    /** DuckDB's own COPY zstd of the same rows in key order, one thread, one file. */
    readonly duckdbBytes: number;
    readonly ratio: number;
  };
}

export interface OpponentResult extends ContestantResult {
  readonly setting: string;
  /** Rows per second of the product over those of this opponent, round by round. */
  readonly ratio: Spread;
}

export interface ContestantResult {
  readonly rowsPerSecond: Spread;
  /** Bytes of its Parquet files. */
  readonly parquetBytes: number;
}

export interface DuckdbTrial {
  readonly setting: string;
  readonly input: DuckdbInput;
  readonly rowsPerSecond: number;
}

export interface PlainResult {
  readonly compression: string;
  /** Rows of the sample. */
  readonly rows: number;
  readonly rowsPerSecond: Spread;
  readonly parquetBytesPerRow: number;
}

/** One snapshot by the command line, in a process of its own. */
export interface SnapshotFigures {
  readonly rows: number;
  readonly requests: number;
  /** From the beginning of the run to its commit. */
  readonly durationMs: number;
  readonly bytesReceived: number;
  /** Greatest resident memory of the process. */
  readonly peakRssBytes: number;
  /** Processor time of the process, user and system. */
  readonly cpuSeconds: number;
}

export interface HttpResult {
  readonly rows: number;
  readonly bytes: number;
  readonly profiles: Readonly<Record<Profile, HttpProfile>>;
}

export interface HttpProfile {
  readonly rowsPerSecond: Spread;
  readonly megabytesPerSecond: Spread;
  /** Processor seconds of the server for each one of the product. */
  readonly serverShare: number;
  readonly snapshots: readonly SnapshotFigures[];
}

export interface InstanceBoundResult {
  readonly slots: number;
  readonly latencyMs: number;
  readonly bytesPerSecondOfSlot: number;
  /** The first snapshot reads keys to cut the table; the next one cuts it where the parts of the one before end. */
  readonly first: BusyFigures;
  readonly next: BusyFigures;
  readonly refusals: readonly RefusalFigures[];
}

export interface BusyFigures extends SnapshotFigures {
  /** From the first request of a table to the end of the last, ms. */
  readonly windowMs: number;
  /** Share of that window in which the slots were held by requests. */
  readonly busyShare: number;
  /** The same from the first request for rows on: without probes and the read of keys. */
  readonly rowsWindowMs: number;
  readonly rowsBusyShare: number;
}

export interface RefusalFigures {
  /** Other clients hold the slots so long, then leave them so long. */
  readonly halfPeriodMs: number;
  readonly snapshots: number;
  readonly requests: number;
  readonly refused: number;
  readonly share: number;
  readonly seconds: number;
}

export interface GrowthResult {
  /** A snapshot of so few rows that its time is that of starting. */
  readonly base: SnapshotFigures;
  readonly sizes: readonly GrowthStep[];
  /** Time per row without start-up: greatest size / half a million (or what stands for it). */
  readonly ratio: number;
  readonly ratioOf: readonly [greatest: number, compared: number];
  readonly singleResponse: SnapshotFigures;
}

export interface GrowthStep extends SnapshotFigures {
  /** Snapshots taken; the figures are of the one with the median duration, memory is the greatest. */
  readonly taken: number;
  readonly microsecondsPerRow: number;
}
