import { describe, expect, it } from 'vitest';
import { createNotes, tableLines } from '../../../src/cli/notes.ts';

const SEATS = { type: 'wait', reason: 'no licence seat is free', ms: 15_000 } as const;

describe('what a person is told while a command works', () => {
  it('is every warning and every table that failed, without control characters', () => {
    const { of: noteOf } = createNotes({ now: () => 0 });
    expect(noteOf({ type: 'warning', message: 'odd \u001b[31mtext' })).toBe('warning: odd  [31mtext');
    expect(noteOf({ type: 'warning', table: 'T', message: 'short' })).toBe('warning: T: short');
    expect(noteOf({ type: 'tableFailed', table: 'T', message: 'refused' })).toBe('failed: T: refused');
    expect(noteOf({ type: 'inFlight', requests: 1, limit: 2 })).toBeUndefined();
  });

  it('is why it waits: at once, then each minute while it goes on, each reason by itself', () => {
    let now = 1_000;
    const { of: noteOf } = createNotes({ now: () => now });
    expect(noteOf(SEATS)).toBe('waiting: no licence seat is free');
    now += 15_000;
    expect(noteOf(SEATS)).toBeUndefined();
    expect(noteOf({ ...SEATS, reason: 'the instance asked to wait' })).toBe('waiting: the instance asked to wait');
    now += 45_000;
    expect(noteOf(SEATS)).toBe('waiting: no licence seat is free');
  });

  it('is that an unfinished run is continued, and how much it had read', () => {
    const { of: noteOf } = createNotes({ now: () => 0 });
    expect(
      noteOf({ type: 'continued', run: '20261127T1-ab', tables: 4, tablesDone: ['A'], rows: 12_000, tasks: 9 }),
    ).toBe('continuing run 20261127T1-ab: 12,000 rows of 4 tables (9 tasks, 1 table complete) are read already');
  });

  it('is that nothing was read yet, where a run had read nothing', () => {
    const { of: noteOf } = createNotes({ now: () => 0 });
    expect(noteOf({ type: 'continued', run: 'r', tables: 0, tablesDone: [], rows: 0, tasks: 0 })).toBe(
      'continuing run r: nothing of it is read yet',
    );
  });

  it('names a table once', () => {
    const { of: noteOf } = createNotes({ now: () => 0 });
    expect(noteOf({ type: 'tableFailed', table: 'T', message: 'T can be neither proven nor counted' })).toBe(
      'failed: T can be neither proven nor counted',
    );
    expect(noteOf({ type: 'warning', table: 'T', message: 'T: rows came again' })).toBe('warning: T: rows came again');
  });

  it('is what is true of several tables twice: of the first, and of all others at the end', () => {
    const notes = createNotes({ now: () => 0 });
    const lines = ['A', 'B', 'C'].map((table) => notes.of({ type: 'warning', table, message: 'no count' }));
    expect(lines).toEqual(['warning: A: no count', undefined, undefined]);
    expect(notes.of({ type: 'warning', table: 'B', message: 'other' })).toBe('warning: B: other');
    expect(notes.of({ type: 'warning', table: 'A', message: 'no count' })).toBe('warning: A: no count');
    expect(notes.rest()).toEqual(['warning: each of B, C: no count']);
    expect(notes.rest()).toEqual([]);
  });

  it('is one line for all tables where all is known', () => {
    const notes = ['A', 'B'].map((table) => ({ label: 'failed', table, text: `${table} is refused` }));
    expect(tableLines([...notes, { label: 'warning', table: 'A', text: 'odd' }])).toEqual([
      'failed: each of A, B is refused',
      'warning: A: odd',
    ]);
  });

  it('is that a request fails and is sent again: from the third failure on, then each minute', () => {
    let now = 0;
    const { of: noteOf } = createNotes({ now: () => now });
    const reset = { type: 'retry', request: 1, reason: 'the connection was reset', givenUpAfterMs: 300_000 } as const;
    expect(noteOf({ ...reset, tries: 2 })).toBeUndefined();
    expect(noteOf({ ...reset, tries: 3 })).toBe(
      'trying again: the connection was reset (3 tries so far; a request is given up after 5 min)',
    );
    now += 59_000;
    expect(noteOf({ ...reset, tries: 7 })).toBeUndefined();
    now += 1_000;
    expect(noteOf({ ...reset, tries: 8 })).toContain('8 tries so far');
  });

  it('is that requests are spaced out', () => {
    const { of: noteOf } = createNotes({ now: () => 0 });
    expect(noteOf({ type: 'spaced', perMinute: 18 })).toBe(
      'requests are spaced out: the instance accepts 18 per minute',
    );
  });

  it('leaves out pauses that nobody would notice', () => {
    expect(createNotes({ now: () => 0 }).of({ ...SEATS, ms: 250 })).toBeUndefined();
  });
});
