import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { processStart, processState } from '../../../src/core/process-state.ts';

describe.runIf(process.platform === 'linux')('a process', () => {
  it('runs as long as it runs, and has ended afterwards', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    await once(child, 'spawn');
    const pid = child.pid!;
    const started = processStart(pid);
    expect(started).toMatch(/^\d+$/);
    expect(processState(pid, started)).toBe('runs');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(processState(pid, started)).toBe('ended');
  });

  it('that began at another time is another process with the same pid', () => {
    expect(processState(process.pid, '1')).toBe('ended');
  });

  it('whose beginning was never known is not called ended while its pid exists', () => {
    expect(processState(process.pid, null)).toBe('unknown');
    expect(processState(1, null)).not.toBe('ended');
  });
});
