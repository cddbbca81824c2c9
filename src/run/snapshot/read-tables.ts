/** Reads tables side by side, largest first. */
import { asTablevaultError, type TablevaultError } from '../../core/errors.ts';
import type { PlannedTable } from '../../read/plan.ts';
import { concernsAll } from './errors.ts';
import { readTable, type TableContext } from './read-table.ts';
import type { TableResults } from './tables.ts';

/**
 * Reads tables and enters into `results` what became of each.
 *
 * @param abort ends the reads of the other tables
 * @param onFailure told of what was thrown at once, before other tables are waited for, also where an interrupt hides it
 * @returns whether every table was read as it was planned
 * @throws the failure that concerns the whole process, if there was one; the other reads are broken off
 */
export async function readTables(
  planned: readonly PlannedTable[],
  context: TableContext,
  results: TableResults,
  abort: AbortController,
  onFailure: (thrown: unknown) => Promise<void>,
): Promise<boolean> {
  let asPlanned = true;
  let fatal: TablevaultError | undefined;
  const fail = async (name: string, thrown: unknown) => {
    const error = asTablevaultError(context.signal.aborted && fatal === undefined ? context.signal.reason : thrown);
    if (concernsAll(error)) {
      fatal ??= error;
      abort.abort(error);
    } else if (fatal === undefined) {
      results.fail(name, error);
      context.emit({ type: 'tableFailed', table: name, message: error.message });
    }
    await onFailure(thrown);
  };
  const bySize = planned.toSorted((a, b) => (b.plan.estimate?.rows ?? 0) - (a.plan.estimate?.rows ?? 0));
  await Promise.all(
    bySize.map(async (table) => {
      try {
        const read = await readTable(table, context);
        results.done(read.entry);
        if (!read.asPlanned) asPlanned = false;
      } catch (thrown) {
        asPlanned = false;
        await fail(table.table.name, thrown);
      }
    }),
  );
  if (fatal !== undefined) throw fatal;
  return asPlanned;
}
