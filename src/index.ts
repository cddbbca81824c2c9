/** What other programs may build on; docs/library.md tells how. Everything else may change without notice. */
import type { Pipeline } from './core/pipeline.ts';
import type { SnapshotDeps, SnapshotOptions, SnapshotOutcome } from './run/snapshot/snapshot.ts';

export { type Clock, systemClock } from './core/clock.ts';
export { type ErrorCode, type ErrorDetails, EXIT, type ExitCode, TablevaultError } from './core/errors.ts';
export type { Continued, Emit, EventPlace, RequestEvent, RunEvent } from './core/events.ts';
export type {
  Auth,
  Endpoints,
  Expectations,
  Limits,
  ParquetSettings,
  Pipeline,
  TableOverride,
  TableSelection,
} from './core/pipeline.ts';
export type { TypeProfile } from './core/schema.ts';
export { Secret } from './core/secret.ts';
export { type ReadPipelineOptions, readPipeline } from './pipeline/read.ts';
export type {
  SnapshotDeps,
  SnapshotOptions,
  SnapshotOutcome,
  SnapshotReport,
  TableReport,
} from './run/snapshot/snapshot.ts';
export type { SeriesSummary, SnapshotList, SnapshotSummary, UnreadableSnapshot } from './run/vault/list.ts';
export type { TablePaths } from './run/vault/paths.ts';
export {
  type ListPathsOptions,
  openVaultReader as openVault,
  type VaultReader,
  type VaultReaderOptions,
} from './run/vault/reader.ts';
export type { CallOptions } from './storage/store.ts';
export type { ColumnStatistics, Manifest, PartEntry, TableDrift, TableEntry } from './vault/chain/manifest.ts';
export type { SnapshotQuery } from './vault/snapshots.ts';

/**
 * Takes a snapshot of the pipeline's tables and publishes it in the pipeline's vault, whole or not at all.
 *
 * It does not throw for what goes wrong while it runs: `error` of the outcome is the cause, `exitCode` is what the command line would
 * exit with, and without a snapshot id in the report nothing was published.
 *
 * What a snapshot needs (HTTP, OAuth, Parquet) is loaded by the first call, so that a program that only looks at a vault starts fast.
 */
export async function runSnapshot(
  pipeline: Pipeline,
  options: SnapshotOptions = {},
  deps: SnapshotDeps = {},
): Promise<SnapshotOutcome> {
  const run = await import('./run/snapshot/snapshot.ts');
  return run.runSnapshot(pipeline, options, deps);
}
