/** `tablevault tables`: what the instance offers, and what the pipeline takes of it. */
import type { Command } from 'commander';
import type { TableInfo, TablesReport } from '../run/tables.ts';
import { type CliContext, loadPipeline } from './context.ts';
import { columns, count, plainText, plural } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { logEvent } from './log.ts';
import { globList } from './options.ts';

interface Options {
  readonly columns?: string[];
  readonly json?: true;
}

export function addTables(program: Command, context: CliContext): void {
  const command = program
    .command('tables')
    .summary('tables, columns, types and keys of the instance')
    .description('Lists what the instance offers to the identity of the pipeline, and what the pipeline reads of it.')
    .argument('<pipeline>', 'pipeline file (YAML)')
    .option('--columns <globs>', 'list the columns of these tables, separated by commas', globList)
    .addOption(jsonOption())
    .action(async (pipeline: string, options: Options) => {
      await tables(context, pipeline, options);
    });
  withHelp(command, {
    exits: [3, 4, 9],
    examples: ['tablevault tables backup.yaml', 'tablevault tables backup.yaml --columns "Crm_Sales_*"'],
  });
}

async function tables(context: CliContext, file: string, options: Options): Promise<void> {
  const { clock, signal, output, screen } = context;
  const pipeline = await loadPipeline(context, file);
  const { listTables } = await import('../run/tables.ts');
  const report = await listTables(pipeline, options.columns === undefined ? {} : { only: options.columns }, {
    clock,
    signal,
    emit: (event) => {
      logEvent(context.log, event);
      if (event.type === 'warning') screen.line(plainText(`warning: ${event.message}`));
    },
  });
  if (options.json) return output.json(report);
  const lines = options.columns === undefined ? tableLines(report) : report.tables.flatMap(columnLines);
  await output.data(lines.map((line) => `${plainText(line)}\n`).join(''));
  const selected = report.tables.filter((table) => table.selected).length;
  screen.line(`${plural(report.tables.length, 'table')} at ${report.tableApi}; the pipeline reads ${count(selected)}`);
}

function tableLines(report: TablesReport): string[] {
  const rows = report.tables.map((table) => [
    table.name,
    table.selected ? 'yes' : 'no',
    count(table.columns.length),
    table.key.join(', ') || '(none)',
  ]);
  return columns([['table', 'read', 'columns', 'key'], ...rows], ['left', 'left', 'right', 'left']);
}

function columnLines(table: TableInfo): string[] {
  const rows = table.columns.map((column) => [
    `  ${column.name}`,
    column.type,
    column.nullable ? 'null' : 'not null',
    table.key.includes(column.name) ? 'key' : '',
    column.read === 'yes' ? '' : `not read: ${column.read}`,
  ]);
  return [table.name, ...columns(rows, ['left', 'left', 'left', 'left', 'left'])];
}
