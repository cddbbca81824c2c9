/** The step of `doctor` that reads one row as a snapshot would. */
import { TablevaultError } from '../../core/errors.ts';
import { plural } from '../../core/words.ts';
import type { Instance } from '../../instance/open.ts';
import { compileQuery } from '../../odata/query.ts';
import { BatchSink } from '../../read/batch-sink.ts';
import type { ChosenTable } from '../../read/plan.ts';
import type { ProbeResult } from '../../read/probe.ts';
import { isUnanswered } from '../../read/unanswered.ts';
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
  for (const { table, columns, fingerprint } of ranked) {
    const sink = new BatchSink({
      spec: {
        table: table.name,
        columns,
        key: table.key,
        profile: 'portable',
        compression: 'zstd',
        partRows: 1,
        path: '',
        metadata: { 'tablevault.schema': fingerprint },
        absentIsNull: probe.capabilities.absentIsNull,
        maxRowBytes: MAX_ROW_BYTES,
      },
      hooks: {},
      eager: false,
      maxRows: 1,
      take: async () => undefined,
    });
    const query = compileQuery({ table, select: columns.map(({ name }) => name), top: 1 });
    try {
      const url = new URL(query, instance.tableApi).href;
      const reply = await instance.transport.get(url, { purpose: 'first row', table: table.name, signal });
      try {
        sink.begin(null);
        for await (const chunk of reply.body) await sink.write(chunk);
        if (sink.full) await sink.handOver();
        else await sink.end();
      } finally {
        reply.cancel();
      }
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
