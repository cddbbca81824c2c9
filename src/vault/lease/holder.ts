import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import * as z from 'zod';

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
    started: startOf(process.pid),
  };
}

/**
 * Whether a holder is known to have ended: it ran under the same kernel boot, in the same process namespace, and its pid is
 * gone or belongs to a later process. Anything less certain is "no": then its lease has to run out.
 */
export function hasEnded(holder: Holder): boolean {
  const place = placeOf();
  if (place === null || holder.place !== place || holder.started === null) return false;
  return startOf(holder.pid) !== holder.started;
}

function placeOf(): string | null {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const namespace = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return boot === null || namespace === null ? null : `${boot} ${namespace}`;
}

/** Field 22 of `/proc/<pid>/stat`, counted after the command's closing parenthesis (proc(5)). Null when there is no such process. */
function startOf(pid: number): string | null {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended; its parent only did not look yet.
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
