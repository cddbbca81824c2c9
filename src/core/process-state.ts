/** Whether another process of this machine still runs. */
import { readFileSync } from 'node:fs';

/** When a process began, in the kernel's count; null where that cannot be told, and for a process that has ended. */
export function processStart(pid: number): string | null {
  return readStat(pid)?.started ?? null;
}

/**
 * What became of the process that had this pid and began then. Only what is certain is told: a process that exists and cannot be looked at
 * (another user's, another system than Linux) is `unknown`.
 *
 * @param started what `processStart` gave when it was known to run; null where it could not tell
 */
export function processState(pid: number, started: string | null): 'runs' | 'ended' | 'unknown' {
  if (!exists(pid)) return 'ended';
  const now = readStat(pid);
  if (now === undefined || started === null) return 'unknown';
  // A pid may be used again. A zombie has ended; its parent only did not look yet.
  return now.zombie || now.started !== started ? 'ended' : 'runs';
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Fields 3 and 22 of `/proc/<pid>/stat`, counted after the command's closing parenthesis (proc(5)). */
function readStat(pid: number): { readonly zombie: boolean; readonly started: string | null } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { zombie: fields[0] === 'Z' || fields[0] === 'X', started: fields[19] ?? null };
  } catch {
    return undefined;
  }
}
