import { describe, expect, it } from 'vitest';
import { summary } from '../../../src/cli/snapshot.ts';
import { NO_VIEW } from '../../../src/cli/view.ts';
import type { SnapshotOutcome, TableReport } from '../../../src/run/snapshot/report.ts';

function outcome(tables: readonly Partial<TableReport>[]): SnapshotOutcome {
  const report = { snapshot: 's', sequence: 1, complete: false, tables, requests: 1, bytesReceived: 1, durationMs: 1 };
  return { report, exitCode: 5, error: null, continued: null } as unknown as SnapshotOutcome;
}

describe('the end of a snapshot', () => {
  it('lists the largest of the tables that it holds, and no table that failed', () => {
    const lines = summary(
      outcome([
        { name: 'A', status: 'done', rows: 5, bytes: 10, consistency: 'exact' },
        { name: 'B', status: 'failed', rows: 0, bytes: 0, consistency: null },
      ]),
      './vault',
      NO_VIEW,
    );
    expect(lines.join('\n')).toMatch(/largest tables.*\n {2}A /);
    expect(lines.join('\n')).not.toMatch(/^ {2}B |more$/m);
    expect(lines.at(-1)).toContain('1 of 2 tables');
  });
});
