/** `tablevault plan`: what a snapshot would do. */
import { type Command, Option } from 'commander';
import { duration } from '../core/duration.ts';
import { count, plural } from '../core/words.ts';
import type { PlanLine, PlanReport } from '../run/plan/report.ts';
import { type Column, table } from './columns.ts';
import { type CliContext, loadPipeline } from './context.ts';
import { bytes } from './format.ts';
import { HOW_TABLES_ARE_READ, jsonOption, withHelp } from './help.ts';
import { tableLines as tableNotes } from './notes.ts';
import { globList, wholeNumber } from './options.ts';
import { plainText } from './text.ts';
import type { View } from './view.ts';
import { OPENING_INSTANCE, startWork } from './work.ts';

const SORTS = ['name', 'rows', 'size', 'time', 'tasks', 'requests'] as const;

type Sort = (typeof SORTS)[number];

interface Options {
  readonly tables?: string[];
  readonly sort: Sort;
  readonly top?: number;
  readonly json?: true;
}

/** Tables shown at a terminal; elsewhere all. */
const TERMINAL_ROWS = 40;

export function addPlan(program: Command, context: CliContext): void {
  const command = program
    .command('plan')
    .summary('show what a snapshot would do')
    .description(
      `Shows how each table would be read, and in how many tasks and requests. If the destination holds a snapshot with measurements, it also estimates bytes and time. Seat-minutes include the twenty minutes after which the instance closes an idle session. Reads little and writes nothing. The number of tasks is an estimate, because the keys of large tables are not read. The note is what the manifest would say of a table that is not exact, as far as it can be known before the rows are read, or that the table will fail as things are; lines below the list say why. ${HOW_TABLES_ARE_READ}`,
    )
    .argument('<pipeline>', 'pipeline file (YAML)')
    .option('--tables <globs>', 'plan only these tables of the pipeline; names or globs, separated by commas', globList)
    .addOption(new Option('--sort <by>', 'order of the list').choices(SORTS).default('rows'))
    .option(
      '--top <n>',
      `list only the first n tables (default: ${TERMINAL_ROWS} at a terminal, else all)`,
      wholeNumber,
    )
    .addOption(jsonOption())
    .action(async (pipeline: string, options: Options) => {
      await plan(context, pipeline, options);
    });
  withHelp(command, {
    exits: [3, 4, 7, 9],
    examples: ['tablevault plan backup.yaml --sort time --top 20'],
  });
}

async function plan(context: CliContext, file: string, options: Options): Promise<void> {
  const { clock, signal, output, screen } = context;
  const pipeline = await loadPipeline(context, file);
  const { reportPlan } = await import('../run/plan/report.ts');
  const only = options.tables === undefined ? {} : { tables: options.tables };
  const work = startWork(context, OPENING_INSTANCE);
  const report = await reportPlan(pipeline, only, { clock, signal, emit: work.emit }).finally(work.end);
  const tables = sorted(report.tables, options.sort);
  if (options.json) return output.json({ ...report, tables });
  const top = options.top ?? (output.isTerminal ? TERMINAL_ROWS : tables.length);
  const lines = tableLines(tables.slice(0, top), output);
  if (tables.length > top)
    lines.push(`and ${plural(tables.length - top, 'table')} more; --top ${tables.length} lists all`);
  await output.lines(lines);
  for (const line of [...notes(report), ...totalLines(report)]) screen.line(plainText(line));
}

/** Largest first, unknown last, equals by name. */
function sorted(tables: readonly PlanLine[], by: Sort): readonly PlanLine[] {
  const value = (line: PlanLine): number => {
    switch (by) {
      case 'name':
        return 0;
      case 'rows':
        return line.rows ?? -1;
      case 'size':
        return line.parquetBytes ?? line.databaseBytes ?? -1;
      case 'time':
        return line.durationMs ?? -1;
      case 'tasks':
        return line.tasks;
      case 'requests':
        return line.requests ?? -1;
    }
  };
  return tables.toSorted((a, b) => value(b) - value(a) || (a.name < b.name ? -1 : 1));
}

const COLUMNS: readonly Column[] = [
  { title: 'table', cut: 'middle', cutAfter: 'columns' },
  { title: 'how', drop: 1 },
  { title: 'tasks', align: 'right', drop: 5 },
  { title: 'requests', align: 'right', drop: 4 },
  { title: 'rows', align: 'right' },
  { title: 'in database', align: 'right', drop: 6 },
  { title: 'as Parquet', align: 'right', drop: 3 },
  { title: 'time', align: 'right', drop: 2 },
  { title: 'note', style: (note) => (note === WILL_FAIL ? 'error' : 'warning') },
];

const WILL_FAIL = 'will fail';

function tableLines(tables: readonly PlanLine[], view: View): string[] {
  const unknown = <T>(value: T | null, show: (value: T) => string) => (value === null ? '?' : show(value));
  const rows = tables.map((line) => [
    line.name,
    line.strategy,
    count(line.tasks),
    unknown(line.requests, count),
    unknown(line.rows, count),
    unknown(line.databaseBytes, bytes),
    unknown(line.parquetBytes, bytes),
    unknown(line.durationMs, duration),
    line.refusal !== null ? WILL_FAIL : line.consistency === 'exact' ? '' : line.consistency,
  ]);
  return table(COLUMNS, rows, view);
}

function notes({ tables, advice }: PlanReport): readonly string[] {
  const lines = tableNotes(
    tables.flatMap(({ name: table, refusal, consistency, whyNotExact, warnings }) => [
      ...(refusal !== null
        ? [{ label: WILL_FAIL, table, text: refusal }]
        : consistency !== 'exact'
          ? [{ label: consistency, table, text: whyNotExact.join('; ') }]
          : []),
      ...warnings.map((text) => ({ label: 'warning', table, text })),
    ]),
  );
  return [...lines, ...advice.map((text) => `-> ${text}`)];
}

function totalLines({ totals, rates, destination }: PlanReport): string[] {
  const unknown = totals.tablesOfUnknownRows;
  const rest = unknown === 0 ? '' : ` (those of ${plural(unknown, 'table')} are unknown)`;
  const work = `${plural(totals.tables, 'table')}, ${plural(totals.rows, 'row')}${rest}, ${plural(totals.tasks, 'task')}, about ${plural(totals.requests, 'request')}, into ${destination}`;
  const { durationMs, parquetBytes, bytesReceived, seatMinutes } = totals;
  const unmeasured = durationMs === null || parquetBytes === null || bytesReceived === null || seatMinutes === null;
  if (rates === null || unmeasured) {
    return [work, 'The time is unknown until a first snapshot has been measured.'];
  }
  const left =
    totals.tablesNotEstimated === 0
      ? ''
      : `, without ${plural(totals.tablesNotEstimated, 'table')} that it does not hold`;
  return [
    work,
    `about ${duration(durationMs)}, ${bytes(bytesReceived)} to receive, ${bytes(parquetBytes)} of Parquet, ${plural(seatMinutes, 'seat-minute')}, at the rate of snapshot ${rates.snapshot} (${plural(Math.round(rates.rowsPerSecond), 'row')} a second)${left}`,
  ];
}
