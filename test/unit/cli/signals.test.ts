import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { listenForSignals } from '../../../src/cli/signals.ts';

afterEach(() => void vi.useRealTimers());

function listening() {
  vi.useFakeTimers();
  const exits: number[] = [];
  const process = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  const overdue: unknown[] = [];
  const notices: string[] = [];
  const { signal } = listenForSignals(
    process as unknown as NodeJS.Process,
    (text) => notices.push(text),
    (reason) => overdue.push(reason),
  );
  return { process, exits, overdue, notices, signal };
}

describe('an interrupt', () => {
  it('asks the command to end, and has the last word said when it does not end by itself', () => {
    const { process, exits, overdue, notices, signal } = listening();
    process.emit('SIGINT', 'SIGINT');
    expect(signal.reason).toMatchObject({ code: 'INTERRUPTED', exitCode: 130, hint: 'Run the same command again.' });
    expect(notices).toHaveLength(1);
    vi.advanceTimersByTime(14_000);
    expect(overdue).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(overdue).toEqual([signal.reason]);
    expect(exits).toEqual([]);
  });

  it('ends the process at once when it comes a second time', () => {
    const { process, exits } = listening();
    process.emit('SIGTERM', 'SIGTERM');
    process.emit('SIGINT', 'SIGINT');
    expect(exits).toEqual([130]);
  });

  it('is a closed terminal too, which may say so twice', () => {
    const { process, exits, signal } = listening();
    process.emit('SIGHUP', 'SIGHUP');
    process.emit('SIGHUP', 'SIGHUP');
    expect(signal.reason).toMatchObject({ code: 'INTERRUPTED', message: 'interrupted by SIGHUP' });
    expect(exits).toEqual([]);
    process.emit('SIGTERM', 'SIGTERM');
    expect(exits).toEqual([130]);
  });
});
