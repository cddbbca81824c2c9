/** Latencies of requests, against what their kind usually takes. */
import type { LatencyRatio } from './governor-state.ts';

/** Compares a first-byte latency with what requests of its kind usually take. */
export interface LatencyTracker {
  /** @param kind e.g. purpose and table: requests that should take about the same */
  compare(kind: string, ms: number): LatencyRatio;
}

/** Weight of a new latency in the slow average. */
const SLOW = 1 / 32;
/** The least is let up by this share with each request, so that one lucky answer does not count for ever. */
const DRIFT = 1.002;
/** Below this, ms, differences are noise of timers and sockets. */
const NOISE_MS = 5;
/** Kinds remembered; the oldest goes first. */
const KINDS = 2000;

export function createLatencyTracker(): LatencyTracker {
  const kinds = new Map<string, { usual: number; best: number }>();
  return {
    compare(kind, measured) {
      const ms = Math.max(NOISE_MS, measured);
      const known = kinds.get(kind);
      if (known === undefined) {
        if (kinds.size >= KINDS) for (const oldest of [...kinds.keys()].slice(0, KINDS / 2)) kinds.delete(oldest);
        kinds.set(kind, { usual: ms, best: ms });
        return { toUsual: 1, toBest: 1 };
      }
      const ratio = { toUsual: ms / known.usual, toBest: ms / known.best };
      known.usual += (ms - known.usual) * SLOW;
      known.best = Math.min(ms, known.best * DRIFT);
      return ratio;
    },
  };
}
