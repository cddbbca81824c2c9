import { describe, expect, it } from 'vitest';
import { createNotes } from '../../../src/cli/notes.ts';

const SEATS = { type: 'wait', reason: 'no licence seat is free', ms: 15_000 } as const;

describe('what a person is told while a command works', () => {
  it('is every warning and every table that failed, without control characters', () => {
    const noteOf = createNotes({ now: () => 0 });
    expect(noteOf({ type: 'warning', message: 'odd \u001b[31mtext' })).toBe('warning: odd  [31mtext');
    expect(noteOf({ type: 'warning', table: 'T', message: 'short' })).toBe('warning: T: short');
    expect(noteOf({ type: 'tableFailed', table: 'T', message: 'refused' })).toBe('failed: T: refused');
    expect(noteOf({ type: 'inFlight', requests: 1, limit: 2 })).toBeUndefined();
  });

  it('is why it waits: at once, then each minute while it goes on, each reason by itself', () => {
    let now = 1_000;
    const noteOf = createNotes({ now: () => now });
    expect(noteOf(SEATS)).toBe('waiting: no licence seat is free');
    now += 15_000;
    expect(noteOf(SEATS)).toBeUndefined();
    expect(noteOf({ ...SEATS, reason: 'the instance asked to wait' })).toBe('waiting: the instance asked to wait');
    now += 45_000;
    expect(noteOf(SEATS)).toBe('waiting: no licence seat is free');
  });

  it('is that an unfinished run is continued, and how much it had read', () => {
    const noteOf = createNotes({ now: () => 0 });
    expect(noteOf({ type: 'continued', run: '20261127T1-ab', tables: 4, rows: 12_000, tasks: 1 })).toBe(
      'continuing run 20261127T1-ab: 4 tables, 12,000 rows and 1 task are read already',
    );
  });

  it('leaves out pauses that nobody would notice', () => {
    expect(createNotes({ now: () => 0 })({ ...SEATS, ms: 250 })).toBeUndefined();
  });
});
