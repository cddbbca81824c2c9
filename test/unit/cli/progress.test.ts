import { describe, expect, it, vi } from 'vitest';
import { progressModeOf, startProgress } from '../../../src/cli/progress.ts';
import { advance, initialProgress, type ProgressState, ratesOf } from '../../../src/cli/progress-state.ts';
import { progressBlock, progressLine } from '../../../src/cli/progress-text.ts';
import type { Screen } from '../../../src/cli/screen.ts';
import { widthOf } from '../../../src/cli/text.ts';
import type { RunEvent } from '../../../src/core/events.ts';

function stateAfter(events: readonly (readonly [number, RunEvent])[]): ProgressState {
  return events.reduce((state, [at, event]) => advance(state, event, at), initialProgress(0));
}

const HALFWAY: readonly (readonly [number, RunEvent])[] = [
  [0, { type: 'planned', tables: 40, rowsExpected: 4_000_000 }],
  [0, { type: 'tableStarted', table: 'Gen_Documents', rows: 0, rowsExpected: 3_000_000 }],
  [0, { type: 'tableStarted', table: 'Crm_Customers', rows: 0, rowsExpected: null }],
  [5_000, { type: 'progress', table: 'Gen_Documents', rows: 500_000, bytes: 150_000_000 }],
  [10_000, { type: 'progress', table: 'Crm_Customers', rows: 500_000, bytes: 150_000_000 }],
  [10_000, { type: 'inFlight', requests: 3, limit: 4 }],
];

describe('progress', () => {
  it('says tables, rows, megabytes a second, requests in flight and the time left', () => {
    const line = progressLine(stateAfter(HALFWAY), 10_000);
    expect(line).toBe(
      '0 of 40 tables, 1,000,000 of 4,000,000 rows, 30.0 MB/s, 100,000 rows/s, 3 of 4 requests in flight, 10 s gone, about 30 s left',
    );
  });

  it('takes the rate of the last seconds, not of the whole run', () => {
    const state = stateAfter([
      ...HALFWAY,
      [60_000, { type: 'progress', table: 'Gen_Documents', rows: 1, bytes: 1 }],
      [70_000, { type: 'progress', table: 'Gen_Documents', rows: 10_000, bytes: 10 }],
    ]);
    expect(ratesOf(state, 70_000).rowsPerSecond).toBe(1_000);
  });

  it('claims no end where the number of rows is unknown or was passed', () => {
    const unknown = stateAfter([[0, { type: 'planned', tables: 1, rowsExpected: null }], ...HALFWAY.slice(1)]);
    const passed = stateAfter([[0, { type: 'planned', tables: 1, rowsExpected: 5 }], ...HALFWAY.slice(1)]);
    for (const state of [unknown, passed]) {
      expect(ratesOf(state, 10_000).leftMs).toBeNull();
      expect(progressLine(state, 10_000)).not.toContain('left');
    }
  });

  it('says that it opens the instance before there is a plan', () => {
    expect(progressBlock(stateAfter([]), 2_000, 80)).toEqual(['opening the instance, 2.0 s gone']);
    const later = stateAfter([[3_000, { type: 'doing', what: 'opening the vault' }]]);
    expect(progressBlock(later, 4_000, 80)).toEqual(['opening the vault, 4.0 s gone']);
    expect(progressLine(later, 4_000)).toBe('opening the vault, 4.0 s gone');
  });

  it('says why it waits before there is a plan too', () => {
    const state = stateAfter([[0, { type: 'wait', reason: 'no licence seat is free', ms: 15_000 }]]);
    expect(progressLine(state, 5_000)).toBe(
      'opening the instance, 5.0 s gone, next try in 10 s: no licence seat is free',
    );
    expect(progressBlock(state, 5_000, 100).join(' ')).toContain('no licence seat is free');
  });

  it('says what is done once all tables are read', () => {
    const state = stateAfter([
      [0, { type: 'planned', tables: 1, rowsExpected: 5 }],
      [0, { type: 'tableStarted', table: 'T', rows: 0, rowsExpected: 5 }],
      [10_000, { type: 'doing', what: 'committing' }],
    ]);
    expect(progressLine(state, 10_000)).not.toContain('committing');
    const done = advance(state, { type: 'tableDone', table: 'T', rows: 5, bytes: 1, ms: 1 }, 10_000);
    expect(progressLine(done, 10_000)).toContain('committing');
    expect(progressBlock(done, 10_000, 80).at(-1)).toBe('committing');
    const short = stateAfter([
      [0, { type: 'planned', tables: 1, rowsExpected: 500 }],
      [5_000, { type: 'progress', table: 'T', rows: 50, bytes: 1 }],
    ]);
    expect(progressLine(short, 5_000)).toContain('left');
    const failed = advance(short, { type: 'tableFailed', table: 'T', message: 'no' }, 5_000);
    expect(progressLine(failed, 5_000)).not.toContain('left');
  });

  it('of a run that is continued counts the rows that are there already, and takes no rate of them', () => {
    const continued: readonly (readonly [number, RunEvent])[] = [
      [1_000, { type: 'continued', run: 'r', tables: 4, tablesDone: [], rows: 300_000, tasks: 9 }],
      [2_000, { type: 'planned', tables: 5, rowsExpected: 400_000 }],
      [2_000, { type: 'tableStarted', table: 'T', rows: 0, rowsExpected: 400_000 }],
    ];
    expect(progressLine(stateAfter(continued), 2_000)).toMatch(
      /^0 of 5 tables, 300,000 of 400,000 rows, 0 B\/s, 0 rows\/s/,
    );
    const reading = stateAfter([...continued, [6_000, { type: 'progress', table: 'T', rows: 20_000, bytes: 4 }]]);
    expect(progressLine(reading, 6_000)).toMatch(/320,000 of 400,000 rows, .*5,000 rows\/s, .*about 16 s left/);
  });

  it('of a run that is continued counts the tables that are read already, once, and not while they are read anew', () => {
    const begun: readonly (readonly [number, RunEvent])[] = [
      [0, { type: 'continued', run: 'r', tables: 2, tablesDone: ['A'], rows: 30_000, tasks: 9 }],
      [0, { type: 'planned', tables: 2, rowsExpected: 60_000 }],
      [0, { type: 'tableStarted', table: 'A', rows: 10_000, rowsExpected: 10_000 }],
      [0, { type: 'tableStarted', table: 'B', rows: 20_000, rowsExpected: 50_000 }],
    ];
    const tables = (...more: RunEvent[]) =>
      /^\S+ of \S+ tables?/.exec(
        progressLine(stateAfter([...begun, ...more.map((event) => [1, event] as const)]), 1),
      )?.[0];
    expect(tables()).toBe('1 of 2 tables');
    const done: RunEvent = { type: 'tableDone', table: 'A', rows: 10_000, bytes: 1, ms: 1 };
    expect(tables(done)).toBe('1 of 2 tables');
    const anew: RunEvent = { type: 'progress', table: 'A', rows: 1, bytes: 1 };
    expect(tables(anew)).toBe('0 of 2 tables');
    expect(tables(anew, done)).toBe('1 of 2 tables');
  });

  it("counts the rows of the run that is continued in a table's own bar, once the table is at work", () => {
    const begun: readonly (readonly [number, RunEvent])[] = [
      [0, { type: 'planned', tables: 1, rowsExpected: 50_000 }],
      [0, { type: 'tableStarted', table: 'B', rows: 20_000, rowsExpected: 50_000 }],
    ];
    expect(progressBlock(stateAfter(begun), 1, 200).join()).not.toContain('B ');
    const reading = stateAfter([...begun, [1, { type: 'progress', table: 'B', rows: 5_000, bytes: 1 }]]);
    expect(progressBlock(reading, 1, 200).at(-1)).toMatch(/B {2}█{12}░{12} {2}25,000 of 50,000 rows/);
  });

  it('claims no time left before the rate was measured for some seconds, nor counts the time of opening', () => {
    const begun: readonly (readonly [number, RunEvent])[] = [
      [60_000, { type: 'planned', tables: 2, rowsExpected: 100_000 }],
      [60_200, { type: 'progress', table: 'T', rows: 100, bytes: 10 }],
    ];
    expect(progressLine(stateAfter(begun), 60_500)).not.toContain('left');
    const measured = stateAfter([...begun, [65_000, { type: 'progress', table: 'T', rows: 49_900, bytes: 10 }]]);
    expect(progressLine(measured, 65_000)).toContain('about 5.0 s left');
  });

  it('claims no time left while nothing moves, nor once all expected rows are there', () => {
    const state = stateAfter(HALFWAY);
    expect(progressLine(state, 15_000)).toContain('left');
    expect(progressLine(state, 15_001)).not.toContain('left');
    const all = advance(state, { type: 'progress', table: 'Gen_Documents', rows: 3_000_000, bytes: 1 }, 10_100);
    expect(progressLine(all, 10_200)).not.toContain('left');
    expect(ratesOf(all, 40_000)).toEqual({ rowsPerSecond: 0, bytesPerSecond: 0, leftMs: null });
  });

  it('says that a request waits for its first byte, that one fails again and again, and that requests are spaced out', () => {
    const state = stateAfter([
      ...HALFWAY,
      [10_000, { type: 'spaced', perMinute: 18 }],
      [10_000, { type: 'request', request: 1, phase: 'sent', what: 'a read of A', firstByteTimeoutMs: 300_000 }],
      [10_000, { type: 'retry', request: 2, reason: 'it was reset', tries: 3, givenUpAfterMs: 60_000 }],
    ]);
    expect(progressLine(state, 16_000)).toMatch(
      /requests are spaced out.* 18 per minute, trying again: it was reset \(3 tries.*, waiting 6.0 s for the first byte of a read of A/,
    );
    expect(progressBlock(state, 16_000, 200).slice(-3)).toEqual([
      'requests are spaced out: the instance accepts 18 per minute',
      'trying again: it was reset (3 tries so far; a request is given up after 1 min)',
      'waiting 6.0 s for the first byte of a read of A (5 min at most)',
    ]);
  });

  it('says why it waits, as long as it waits', () => {
    const state = stateAfter([...HALFWAY, [10_000, { type: 'wait', reason: 'the instance answered 429', ms: 12_000 }]]);
    expect(progressLine(state, 11_000)).toContain('next try in 11 s: the instance answered 429');
    expect(progressLine(state, 22_000)).not.toContain('waiting');
  });

  it('shows a bar for each table being read and drops it when the table ends', () => {
    const block = progressBlock(stateAfter(HALFWAY), 10_000, 200);
    expect(block[0]).toMatch(/^█{6}░{18} 0 of 40 tables/);
    expect(block[2]).toMatch(/Gen_Documents {2}█{4}░{20} {2}500,000 of 3,000,000 rows/);
    expect(block[3]).toMatch(/Crm_Customers +500,000 rows/);
    const done = stateAfter([
      ...HALFWAY,
      [11_000, { type: 'tableDone', table: 'Gen_Documents', rows: 500_000, bytes: 1, ms: 1 }],
      [11_000, { type: 'tableFailed', table: 'Crm_Customers', message: 'no' }],
    ]);
    const rest = progressBlock(done, 11_000, 200);
    expect(rest).toHaveLength(2);
    expect(rest[0]).toContain('2 of 40 tables (1 failed)');
  });

  it('keeps within the width of the terminal and names no more than eight tables', () => {
    const many = Array.from({ length: 30 }, (_, n) => `Table_${n}_${'x'.repeat(100)}`).flatMap(
      (table): (readonly [number, RunEvent])[] => [
        [0, { type: 'tableStarted', table, rows: 0, rowsExpected: 9 }],
        [0, { type: 'progress', table, rows: 1, bytes: 1 }],
      ],
    );
    const waiting: readonly [number, RunEvent] = [
      0,
      { type: 'tableStarted', table: 'Later', rows: 0, rowsExpected: 9 },
    ];
    const block = progressBlock(stateAfter([HALFWAY[0]!, ...many, waiting]), 1, 60);
    expect(block.filter((row) => row.includes('…'))).toHaveLength(8);
    expect(block.at(-1)).toBe('  and 22 more');
    for (const row of block) expect(widthOf(row)).toBeLessThanOrEqual(60);
  });
});

describe('the way progress is shown', () => {
  it('elsewhere than at a terminal is a line every five seconds, fewer before there is a plan once a minute has gone', () => {
    vi.useFakeTimers();
    try {
      const lines: string[] = [];
      const screen = { line: (text: string) => lines.push(text), clear: () => {} } as unknown as Screen;
      const progress = startProgress('plain', screen, { now: () => Date.now() });
      vi.advanceTimersByTime(40_000);
      const seconds = () => lines.map((line) => /(?<=, )\d.*(?= gone)/.exec(line)?.[0]);
      expect(lines[0]).toBe('opening the instance, 5.0 s gone');
      expect(seconds()).toEqual(['5.0 s', '10 s', '15 s', '20 s', '25 s', '30 s', '35 s', '40 s']);
      progress.show({ type: 'doing', what: 'opening the vault' });
      vi.advanceTimersByTime(5_000);
      expect(lines.at(-1)).toBe('opening the vault, 45 s gone');
      vi.advanceTimersByTime(1_800_000);
      expect(lines.length).toBeLessThan(100);
      lines.length = 0;
      progress.show({ type: 'planned', tables: 2, rowsExpected: 10 });
      vi.advanceTimersByTime(10_000);
      expect(lines).toHaveLength(2);
      progress.end();
    } finally {
      vi.useRealTimers();
    }
  });

  it('elsewhere than at a terminal tells of a new wait within five seconds, before there is a plan too', () => {
    vi.useFakeTimers();
    try {
      const lines: string[] = [];
      const screen = { line: (text: string) => lines.push(text), clear: () => {} } as unknown as Screen;
      const progress = startProgress('plain', screen, { now: () => Date.now() });
      vi.advanceTimersByTime(60_000);
      lines.length = 0;
      progress.show({ type: 'request', request: 1, phase: 'sent', what: '$metadata', firstByteTimeoutMs: 120_000 });
      vi.advanceTimersByTime(10_000);
      expect(lines).toEqual([
        'opening the instance, 1 min 10 s gone, waiting 10 s for the first byte of $metadata (2 min at most)',
      ]);
      progress.end();
    } finally {
      vi.useRealTimers();
    }
  });

  it('is bars at a terminal and lines elsewhere, unless TABLEVAULT_PROGRESS says otherwise', () => {
    const terminal = { isTerminal: true };
    expect(progressModeOf({}, terminal)).toBe('bars');
    expect(progressModeOf({ TABLEVAULT_PROGRESS: 'auto' }, { isTerminal: false })).toBe('plain');
    expect(progressModeOf({ TERM: 'dumb' }, terminal)).toBe('plain');
    expect(progressModeOf({ TABLEVAULT_PROGRESS: 'plain' }, terminal)).toBe('plain');
    expect(progressModeOf({ TABLEVAULT_PROGRESS: 'off' }, terminal)).toBe('off');
  });

  it('is a usage error when it does not exist', () => {
    expect(() => progressModeOf({ TABLEVAULT_PROGRESS: 'on' }, { isTerminal: true })).toThrow(
      /auto, off or plain|TABLEVAULT_PROGRESS=on/,
    );
  });
});
