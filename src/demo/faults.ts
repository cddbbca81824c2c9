/** Faults on order: which request fails, and how; each one fired is recorded. */
import { mix } from './hash.ts';
import type { Fault, FaultAction } from './options.ts';

export interface FiredFault {
  readonly do: string;
  readonly method: string;
  readonly path: string;
  /** Position of the request among those that the fault matches, from 1. */
  readonly nth: number;
}

export interface Faults {
  /** Replaces the list; counts begin anew. */
  set(faults: readonly Fault[]): void;
  /** The fault that befalls this request, if any; counts the request. */
  match(method: string, path: string): { readonly action: FaultAction; readonly afterBytes: number } | null;
  fired(): readonly FiredFault[];
}

/** What a fault does, in a word or two. */
export function faultName(action: FaultAction): string {
  if (typeof action === 'string') return action;
  return 'write' in action ? 'write' : `status ${action.status}`;
}

export function createFaults(seed: number, initial: readonly Fault[], now: () => number): Faults {
  let armed = arm(initial);
  const fired: FiredFault[] = [];
  return {
    set(faults) {
      armed = arm(faults);
    },
    match(method, path) {
      let hit: { action: FaultAction; afterBytes: number } | null = null;
      for (const entry of armed) {
        const { on } = entry.fault;
        if (on.method !== undefined && on.method !== method) continue;
        if (entry.path !== null && !entry.path.test(path)) continue;
        entry.seen++;
        entry.since ??= now();
        if (on.forMs !== undefined && now() - entry.since >= on.forMs) continue;
        const from = on.nth ?? 1;
        const times = on.times ?? (on.nth === undefined ? Number.POSITIVE_INFINITY : 1);
        if (entry.seen < from || entry.seen >= from + times || hit !== null) continue;
        if (on.chance !== undefined && mix(seed, entry.seen) / 2 ** 32 >= on.chance) continue;
        hit = { action: entry.fault.do, afterBytes: entry.fault.afterBytes ?? 1000 };
        fired.push({ do: faultName(entry.fault.do), method, path, nth: entry.seen });
      }
      return hit;
    },
    fired: () => [...fired],
  };
}

function arm(faults: readonly Fault[]) {
  return faults.map((fault) => {
    const { path } = fault.on;
    // A global or sticky expression would remember its place from request to request.
    const pattern =
      path === undefined
        ? null
        : new RegExp(
            typeof path === 'string' ? path : path.source,
            typeof path === 'string' ? '' : path.flags.replace(/[gy]/g, ''),
          );
    return { fault, path: pattern, seen: 0, since: null as number | null };
  });
}
