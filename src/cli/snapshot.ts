/** `tablevault snapshot`: takes and commits a snapshot. */
import type { Command } from 'commander';
import { duration } from '../core/duration.ts';
import type { ExitCode } from '../core/errors.ts';
import type { Continued } from '../core/events.ts';
import { count, plural, shareOf } from '../core/words.ts';
import type { SnapshotOutcome, SnapshotReport } from '../run/snapshot/snapshot.ts';
import { type Column, table } from './columns.ts';
import { type CliContext, loadPipeline } from './context.ts';
import { errorParagraph } from './errors.ts';
import { bytes } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { logEvent } from './log.ts';
import { readText } from './notes.ts';
import { globList } from './options.ts';
import { progressModeOf, startProgress } from './progress.ts';
import type { View } from './view.ts';

interface Options {
  readonly destination?: string;
  readonly tables?: string[];
  readonly allowPartial?: true;
  readonly fresh?: true;
  readonly json?: true;
}

/** Tables listed by size under a finished snapshot. */
const TABLES_SHOWN = 10;

export function addSnapshot(program: Command, context: CliContext): void {
  const command = program
    .command('snapshot')
    .summary('take and commit a snapshot')
    .description(
      'Reads the tables of the pipeline through the Table API, writes them as Parquet and commits them as one snapshot. If an unfinished run of the same plan is younger than limits.resumeWithin, it is continued.',
    )
    .argument('<pipeline>', 'pipeline file (YAML)')
    .option('--destination <uri>', 'folder or s3://bucket/prefix to use instead of the destination in the pipeline')
    .option('--tables <globs>', 'read only these tables of the pipeline; names or globs, separated by commas', globList)
    .option(
      '--allow-partial',
      'if tables fail, publish the others as a snapshot marked incomplete (still exits with 5)',
    )
    .option('--fresh', 'begin a new run, even if an unfinished one could be continued')
    .addOption(jsonOption())
    .action(async (pipeline: string, options: Options) => {
      context.exitCode = await snapshot(context, pipeline, options);
    });
  withHelp(command, {
    exits: [3, 4, 5, 6, 7, 8, 9],
    meanings: { 5: 'some tables failed: nothing is published, unless --allow-partial' },
    examples: ['tablevault snapshot backup.yaml --destination ./vault'],
  });
}

async function snapshot(context: CliContext, file: string, options: Options): Promise<ExitCode> {
  const { clock, screen, signal } = context;
  const mode = progressModeOf(context.env, screen);
  const { destination, tables } = options;
  const pipeline = await loadPipeline(context, file, destination === undefined ? {} : { destination });
  const { runSnapshot } = await import('../run/snapshot/snapshot.ts');
  const progress = startProgress(mode, screen, clock);
  try {
    const outcome = await runSnapshot(
      pipeline,
      {
        ...(tables === undefined ? {} : { tables }),
        allowPartial: options.allowPartial === true,
        fresh: options.fresh === true,
      },
      {
        clock,
        signal,
        emit: (event) => {
          progress.show(event);
          logEvent(context.log, event);
        },
      },
    );
    progress.end();
    if (options.json) await context.output.json(outcome.report);
    for (const line of summary(outcome, pipeline.destination, screen)) screen.line(line);
    return outcome.exitCode;
  } finally {
    progress.end();
  }
}

const LARGEST: readonly Column[] = [
  { title: '  largest tables', cut: 'middle' },
  { title: 'rows', align: 'right' },
  { title: 'size', align: 'right' },
];

/** Tables that are not proven, named; why has been said while they were read, and `show` says it again. */
function notExact(tables: SnapshotReport['tables']): string[] {
  const some = tables.filter(({ status, consistency }) => status === 'done' && consistency !== 'exact');
  if (some.length === 0) return [];
  const named = some.slice(0, TABLES_SHOWN).map(({ name, consistency }) => `${name} (${consistency})`);
  const rest = some.length > named.length ? ` and ${count(some.length - named.length)} more` : '';
  return [`  not exact: ${named.join(', ')}${rest}; \`tablevault show\` says why`];
}

function readBefore(continued: Continued): string {
  return continued.tasks === 0 ? 'nothing of it had been read before' : `${readText(continued)} had been read before`;
}

/** What a person wants to know at the end. */
export function summary({ report, error, continued }: SnapshotOutcome, destination: string, view: View): string[] {
  const total = (pick: (table: SnapshotReport['tables'][number]) => number) =>
    report.tables.reduce((sum, table) => sum + pick(table), 0);
  const done = report.tables.filter(({ status }) => status === 'done');
  const tables =
    done.length === report.tables.length
      ? plural(done.length, 'table')
      : shareOf(done.length, report.tables.length, 'table');
  const facts = `${tables}, ${plural(
    total(({ rows }) => rows),
    'row',
  )}, ${bytes(total((table) => table.bytes))} of Parquet, ${plural(report.requests, 'request')}, ${bytes(report.bytesReceived)} received, ${duration(report.durationMs)}`;
  const lines: string[] = [];
  if (continued !== null) lines.push(`  continued run ${continued.run}: ${readBefore(continued)}`);
  if (report.snapshot !== null) {
    const largest = done.toSorted((a, b) => b.rows - a.rows).slice(0, TABLES_SHOWN);
    const rows = largest.map((each) => [`  ${each.name}`, count(each.rows), bytes(each.bytes)]);
    lines.push(...table(LARGEST, rows, view));
    const rest = done.length - largest.length;
    if (rest > 0) lines.push(`  and ${plural(rest, 'table')} more`);
    lines.push(...notExact(report.tables));
    const kind = report.complete ? 'snapshot' : 'incomplete snapshot';
    lines.push(`${kind} ${report.snapshot} (number ${report.sequence}) in ${destination}: ${facts}`);
  }
  if (error !== null) lines.push(errorParagraph(error));
  return lines;
}
