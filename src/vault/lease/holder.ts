/** Who holds a lease, and whether it still lives. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import * as z from 'zod';
import { processStart, processState } from '../../core/process-state.ts';

/** Who holds a lease, for people and for telling whether it still lives. */
export const holderSchema = z.object({
  host: z.string(),
  pid: z.int().nonnegative(),
  since: z.iso.datetime(),
  /** Boot and process namespace; only holders with the same place can be looked up by their pid. Null where unknown. */
  place: z.string().nullable(),
  /** The kernel's start time of the process: a pid may be used again. */
  started: z.string().nullable(),
});
export type Holder = Readonly<z.infer<typeof holderSchema>>;

export function thisProcess(nowMs: number): Holder {
  return {
    host: hostname(),
    pid: process.pid,
    since: new Date(nowMs).toISOString(),
    place: placeOf(),
    started: processStart(process.pid),
  };
}

/**
 * Whether a holder is known to have ended: it ran under the same kernel boot, in the same process namespace, and its pid is
 * gone or belongs to a later process. Anything less certain is "no": then its lease has to run out.
 */
export function hasEnded(holder: Holder): boolean {
  const place = placeOf();
  if (place === null || holder.place !== place || holder.started === null) return false;
  return processState(holder.pid, holder.started) === 'ended';
}

function placeOf(): string | null {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const namespace = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return boot === null || namespace === null ? null : `${boot} ${namespace}`;
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
