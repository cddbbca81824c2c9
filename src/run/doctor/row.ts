/** The step of `doctor` that reads one row as a snapshot would. */
import { TablevaultError } from '../../core/errors.ts';
import { plural } from '../../core/words.ts';
import type { Instance } from '../../instance/open.ts';
import { BatchSink } from '../../read/batch-sink.ts';
import { readFirstRows } from '../../read/first-rows.ts';
import type { ChosenTable } from '../../read/plan.ts';
import type { ProbeResult } from '../../read/probe.ts';
import { isUnanswered } from '../../read/small.ts';
import type { StepFinding } from './steps.ts';

const TABLES_TRIED = 10;
const MAX_ROW_BYTES = 64 * 1024 * 1024;

/** Reads one row as a snapshot would, every value decoded by its declared type. */
export async function readFirstRow(
  instance: Instance,
  chosen: readonly ChosenTable[],
  probe: ProbeResult,
  signal: AbortSignal,
): Promise<StepFinding> {
  const ranked = chosen.toSorted((a, b) => rowsOf(b, probe) - rowsOf(a, probe)).slice(0, TABLES_TRIED);
  for (const { table, columns } of ranked) {
    const sink = new BatchSink({
      spec: {
        table: table.name,
        columns,
        key: table.key,
        absentIsNull: probe.capabilities.absentIsNull,
        maxRowBytes: MAX_ROW_BYTES,
      },
      hooks: {},
      eager: false,
      maxRows: 1,
      take: async () => undefined,
    });
    const query = { table, select: columns.map(({ name }) => name) };
    try {
      const rows = { sink, full: () => sink.full, handOver: () => sink.handOver() };
      await readFirstRows({ query, top: 1, purpose: 'first row', signal }, instance, rows);
    } catch (thrown) {
      if (!isUnanswered(thrown)) throw thrown;
      continue;
    }
    if (sink.rows === 1)
      return { found: `${table.name}: ${plural(columns.length, 'column')} decoded`, value: undefined };
  }
  throw new TablevaultError('AUTH_FORBIDDEN', `none of ${plural(ranked.length, 'table')} gave a row`, {
    hint: 'The System User of the Trusted Application may have no right to read any of them: ask the administrator.',
  });
}

function rowsOf({ table }: ChosenTable, { tableRows }: ProbeResult): number {
  return tableRows?.get(table.name) ?? 0;
}
