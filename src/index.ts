/** What other programs may build on. Everything else may change without notice. */
export { type Clock, systemClock } from './core/clock.ts';
export { type ErrorCode, EXIT, type ExitCode, TablevaultError } from './core/errors.ts';
export type { Emit, RunEvent } from './core/events.ts';
export type { Pipeline } from './core/pipeline.ts';
export { Secret } from './core/secret.ts';
export { type ReadPipelineOptions, readPipeline } from './pipeline/read.ts';
export {
  runSnapshot,
  type SnapshotDeps,
  type SnapshotOptions,
  type SnapshotOutcome,
  type SnapshotReport,
} from './run/snapshot/snapshot.ts';
