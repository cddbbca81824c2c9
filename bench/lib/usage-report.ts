/**
 * Loaded into the process that is measured (`node --import`): at its end it writes its greatest memory and its processor time to file
 * descriptor 3. The memory is `VmHWM` where there is one: `maxRSS` begins, on Linux, with that of the process it was forked from.
 */
import { readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

function peakRssBytes(): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (match !== null) return Number(match[1]) * 1024;
  } catch {
    // Not Linux: below.
  }
  return process.resourceUsage().maxRSS * 1024;
}

if (isMainThread) {
  process.on('exit', () => {
    const { user, system } = process.cpuUsage();
    writeSync(3, JSON.stringify({ peakRssBytes: peakRssBytes(), cpuSeconds: (user + system) / 1e6 }));
  });
}
