import { describe, expect, it } from 'vitest';
import { progressModeOf } from '../../../src/cli/progress.ts';
import { advance, initialProgress, type ProgressState, ratesOf } from '../../../src/cli/progress-state.ts';
import { progressBlock, progressLine } from '../../../src/cli/progress-text.ts';
import { widthOf } from '../../../src/cli/text.ts';
import type { RunEvent } from '../../../src/core/events.ts';

function stateAfter(events: readonly (readonly [number, RunEvent])[]): ProgressState {
  return events.reduce((state, [at, event]) => advance(state, event, at), initialProgress(0));
}

const HALFWAY: readonly (readonly [number, RunEvent])[] = [
  [0, { type: 'planned', tables: 40, rowsExpected: 4_000_000 }],
  [0, { type: 'tableStarted', table: 'Gen_Documents', rowsExpected: 3_000_000 }],
  [0, { type: 'tableStarted', table: 'Crm_Customers', rowsExpected: null }],
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
    expect(progressBlock(stateAfter([]), 2_000, 80)).toEqual(['opening the instance and the vault, 2.0 s gone']);
  });

  it('says why it waits, as long as it waits', () => {
    const state = stateAfter([...HALFWAY, [10_000, { type: 'wait', reason: 'the instance answered 429', ms: 12_000 }]]);
    expect(progressLine(state, 11_000)).toContain('waiting 11 s: the instance answered 429');
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
        [0, { type: 'tableStarted', table, rowsExpected: 9 }],
        [0, { type: 'progress', table, rows: 1, bytes: 1 }],
      ],
    );
    const waiting: readonly [number, RunEvent] = [0, { type: 'tableStarted', table: 'Later', rowsExpected: 9 }];
    const block = progressBlock(stateAfter([HALFWAY[0]!, ...many, waiting]), 1, 60);
    expect(block.filter((row) => row.includes('…'))).toHaveLength(8);
    expect(block.at(-1)).toBe('  and 22 more');
    for (const row of block) expect(widthOf(row)).toBeLessThanOrEqual(60);
  });
});

describe('the way progress is shown', () => {
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
