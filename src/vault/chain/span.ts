/** How long a snapshot was read: over all runs that it took. Pure. */
import type { Manifest, TableEntry } from './manifest.ts';

export interface ReadSpan {
  /** The first read of the run, or of the one that it continued. */
  readonly from: string;
  /** The commit. */
  readonly to: string;
  readonly ms: number;
  /** Was some of it read by a run that an interrupt or a failure ended? */
  readonly continued: boolean;
}

type Timed = Pick<Manifest, 'startedAt' | 'finishedAt' | 'durationMs'> & {
  readonly tables: readonly Pick<TableEntry, 'window'>[];
};

/** A manifest's own times are those of the run that committed it; the windows of its tables tell of the runs before. */
export function readSpan({ startedAt, finishedAt, durationMs, tables }: Timed): ReadSpan {
  const first = tables.map(({ window }) => window.from).reduce((a, b) => (b < a ? b : a), startedAt);
  if (first === startedAt) return { from: startedAt, to: finishedAt, ms: durationMs, continued: false };
  return { from: first, to: finishedAt, ms: Date.parse(finishedAt) - Date.parse(first), continued: true };
}
