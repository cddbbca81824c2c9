import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SILENT_LOG } from '../../../src/cli/log.ts';
import { createRedactor } from '../../../src/cli/redact.ts';
import { createScreen } from '../../../src/cli/screen.ts';
import { startWork } from '../../../src/cli/work.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { memoryTerminal } from '../../support/terminal.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const clock = { ...systemClock, now: () => Date.now() };

function begin({ terminal, env = {} }: { terminal: boolean; env?: Record<string, string> }) {
  const memory = memoryTerminal(80);
  if (!terminal) Object.assign(memory.stream, { isTTY: false });
  const screen = createScreen(memory.stream, createRedactor(), env);
  return { memory, work: startWork({ clock, env, log: SILENT_LOG, screen }, 'opening the instance') };
}

describe('a command that is silent', () => {
  it('says at a terminal what it is at, in place, and leaves nothing of it', () => {
    const { memory, work } = begin({ terminal: true });
    vi.advanceTimersByTime(1_500);
    expect(memory.rows()).toEqual([]);
    vi.advanceTimersByTime(1_500);
    expect(memory.rows()).toEqual(['opening the instance, 3.0 s gone']);
    work.emit({ type: 'doing', what: 'opening the vault' });
    vi.advanceTimersByTime(1_000);
    expect(memory.rows()).toEqual(['opening the vault, 4.0 s gone']);
    work.end();
    vi.advanceTimersByTime(60_000);
    expect(memory.rows()).toEqual([]);
  });

  it('says it elsewhere in a line now and then', () => {
    const { memory, work } = begin({ terminal: false });
    vi.advanceTimersByTime(9_000);
    work.emit({ type: 'doing', what: 'opening the vault' });
    vi.advanceTimersByTime(3_000);
    expect(memory.rows()).toEqual([
      'opening the instance, 2.0 s gone',
      'opening the instance, 6.5 s gone',
      'opening the vault, 11 s gone',
    ]);
    work.end();
  });

  it('is never silent there for more than five seconds of the first minute, nor about a new thing later', () => {
    const { memory, work } = begin({ terminal: false });
    let before = 0;
    for (let second = 1; second <= 40; second += 1) {
      vi.advanceTimersByTime(1_000);
      if (second % 5 !== 0) continue;
      expect(memory.rows().length).toBeGreaterThan(before);
      before = memory.rows().length;
    }
    vi.advanceTimersByTime(1_800_000);
    expect(memory.rows().length).toBeLessThan(100);
    work.emit({ type: 'doing', what: 'opening the vault' });
    vi.advanceTimersByTime(5_000);
    expect(memory.rows().at(-1)).toContain('opening the vault');
    work.end();
  });

  it('is no longer silent when something is shown: what stood in place goes at once', () => {
    const { memory, work } = begin({ terminal: true });
    vi.advanceTimersByTime(3_000);
    work.heard();
    expect(memory.rows()).toEqual([]);
    vi.advanceTimersByTime(1_500);
    work.emit({ type: 'warning', message: 'odd' });
    vi.advanceTimersByTime(1_500);
    expect(memory.rows()).toEqual(['warning: odd']);
    work.end();
  });

  it('stays silent where progress is off, but for warnings', () => {
    const { memory, work } = begin({ terminal: true, env: { TABLEVAULT_PROGRESS: 'off' } });
    vi.advanceTimersByTime(60_000);
    work.emit({ type: 'warning', message: 'odd' });
    expect(memory.rows()).toEqual(['warning: odd']);
    work.end();
  });
});
