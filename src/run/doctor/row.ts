/** A row of a table, read and decoded as a snapshot would; and the step of `doctor` that says what came of it. */
import { systemClock } from '../../core/clock.ts';
import { TablevaultError } from '../../core/errors.ts';
import { withRetries } from '../../core/retry.ts';
import { plural, shareOf } from '../../core/words.ts';
import type { Instance } from '../../instance/open.ts';
import { BatchSink } from '../../read/batch-sink.ts';
import { readFirstRows } from '../../read/first-rows.ts';
import { READ_RETRIES } from '../../read/keys.ts';
import type { ChosenTable } from '../../read/plan.ts';
import type { StepFinding } from './steps.ts';

const MAX_ROW_BYTES = 64 * 1024 * 1024;
/** Messages that are shown whole; further columns are named. */
const MISFITS_SHOWN = 3;

/** What reading a row of a table showed. */
export interface Looked {
  readonly name: string;
  /** Columns that were asked for. */
  readonly columns: number;
  readonly rows: number;
  readonly error: TablevaultError | null;
  readonly hiddenColumns: readonly string[];
  /** A value does not fit its column. */
  readonly misfit: TablevaultError | null;
}

/**
 * Decodes every value of one row by its declared type; how many rows came.
 *
 * @throws VALUE_MISFIT, and what reading a row throws
 */
export function decodeFirstRow(
  instance: Instance,
  { table, columns }: Pick<ChosenTable, 'table' | 'columns'>,
  { absentIsNull, signal }: { readonly absentIsNull: boolean; readonly signal: AbortSignal },
): Promise<number> {
  const query = { table, select: columns.map(({ name }) => name) };
  const spec = { table: table.name, columns, key: table.key, absentIsNull, maxRowBytes: MAX_ROW_BYTES };
  return withRetries(READ_RETRIES, { clock: systemClock, signal }, async () => {
    const sink = new BatchSink({ spec, hooks: {}, eager: false, maxRows: 1, take: async () => undefined });
    const rows = { sink, full: () => sink.full, handOver: () => sink.handOver() };
    await readFirstRows({ query, top: 1, purpose: 'first row', signal }, instance, rows);
    return sink.rows;
  });
}

/** @throws VALUE_MISFIT where a value of a row does not fit its column; AUTH_FORBIDDEN where no table gave a row */
export function judgeFirstRows(looked: readonly Looked[]): StepFinding {
  const misfits = looked.flatMap(({ misfit }) => misfit ?? []);
  const [first] = misfits;
  if (first !== undefined) {
    const named = misfits.slice(MISFITS_SHOWN).map(({ at }) => `${at['table']}.${at['column']}`);
    const further = named.length === 0 ? '' : `; and in ${plural(named.length, 'further column')}: ${named.join(', ')}`;
    throw new TablevaultError(
      first.code,
      `${misfits
        .slice(0, MISFITS_SHOWN)
        .map(({ message }) => message)
        .join('; ')}${further}`,
      { at: first.at, cause: first, ...(first.hint === undefined ? {} : { hint: first.hint }) },
    );
  }
  const decoded = looked.filter(({ rows }) => rows > 0);
  if (decoded.length > 0) {
    const columns = decoded.reduce((sum, table) => sum + table.columns, 0);
    return {
      found: `a row of ${shareOf(decoded.length, looked.length, 'table')} tried came, ${plural(columns, 'column')} decoded`,
      value: undefined,
    };
  }
  throw new TablevaultError('AUTH_FORBIDDEN', `none of ${plural(looked.length, 'table')} gave a row`, {
    hint: 'The System User of the Trusted Application may have no right to read any of them: ask the administrator.',
  });
}
