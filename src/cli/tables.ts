/** `tablevault tables`: what the instance offers, and what the pipeline takes of it. */
import { type Command, Option } from 'commander';
import { count, plural } from '../core/words.ts';
import type { TableInfo } from '../run/plan/tables.ts';
import { type Column, table as layOut, untitled } from './columns.ts';
import { type CliContext, loadPipeline } from './context.ts';
import { bytes } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { globList } from './options.ts';
import { plainText } from './text.ts';
import type { View } from './view.ts';
import { OPENING_INSTANCE, startWork } from './work.ts';

const SORTS = ['name', 'rows', 'size'] as const;

interface Options {
  readonly columns?: string[];
  readonly sort?: (typeof SORTS)[number];
  readonly json?: true;
}

export function addTables(program: Command, context: CliContext): void {
  const command = program
    .command('tables')
    .summary('list tables, columns, types and keys of the instance')
    .description(
      'Lists the tables that the instance offers to the identity of the pipeline, and marks those that the pipeline reads. Rows and sizes come from Dmv_Table_Info, if the identity can read it. With --columns, it also shows which columns can be filtered: "documented" means that the vendor documents filters for columns of that name; "probed" or "refused" means that the instance accepted or refused a filter on the key; where nothing is shown, it is unknown.',
    )
    .argument('<pipeline>', 'pipeline file (YAML)')
    .option('--columns <globs>', 'list the columns of these tables; names or globs, separated by commas', globList)
    .addOption(new Option('--sort <by>', 'order of the list (default: that of the instance)').choices(SORTS))
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
  const { listTables } = await import('../run/plan/tables.ts');
  const only = options.columns === undefined ? {} : { only: options.columns };
  const work = startWork(context, OPENING_INSTANCE);
  const report = await listTables(pipeline, only, { clock, signal, emit: work.emit }).finally(work.end);
  const shown = sorted(report.tables, options.sort);
  if (options.json) return output.json({ ...report, tables: shown });
  const lines =
    options.columns === undefined ? tableLines(shown, output) : shown.flatMap((each) => columnLines(each, output));
  await output.lines(lines);
  const selected = report.tables.filter((table) => table.selected).length;
  screen.line(`${plural(report.tables.length, 'table')} at ${report.tableApi}; the pipeline reads ${count(selected)}`);
}

/** Largest first, unknown last, equals by name. */
function sorted(tables: readonly TableInfo[], by: Options['sort']): readonly TableInfo[] {
  if (by === undefined) return tables;
  const value = ({ rows, databaseBytes }: TableInfo) =>
    by === 'name' ? 0 : ((by === 'rows' ? rows : databaseBytes) ?? -1);
  return tables.toSorted((a, b) => value(b) - value(a) || (a.name < b.name ? -1 : 1));
}

const TABLE_COLUMNS: readonly Column[] = [
  { title: 'table', cut: 'middle', cutAfter: 'cells' },
  { title: 'read', style: (read) => (read === 'no' ? 'aside' : undefined) },
  { title: 'rows', align: 'right' },
  { title: 'in database', align: 'right', drop: 1 },
  { title: 'columns', align: 'right', drop: 2 },
  { title: 'key', cut: 'end', cutAfter: 'columns' },
];

const COLUMN_COLUMNS: readonly Column[] = [
  { title: '', cut: 'middle', cutAfter: 'cells' },
  { title: '', cut: 'end' },
  { title: 'null', drop: 1 },
  { title: '' },
  { title: '', cut: 'end' },
];

function tableLines(tables: readonly TableInfo[], view: View): string[] {
  const rows = tables.map((table) => [
    table.name,
    table.selected ? 'yes' : 'no',
    table.rows === null ? '?' : count(table.rows),
    table.databaseBytes === null ? '?' : bytes(table.databaseBytes),
    count(table.columns.length),
    table.key.join(', ') || '(none)',
  ]);
  return layOut(TABLE_COLUMNS, rows, view);
}

function columnLines(table: TableInfo, view: View): string[] {
  const rows = table.columns.map((column) => [
    `  ${column.name}`,
    column.type,
    column.nullable ? 'null' : 'not null',
    table.key.includes(column.name) ? 'key' : '',
    notesOf(column),
  ]);
  return [view.paint('heading', plainText(table.name)), ...untitled(COLUMN_COLUMNS, rows, view)];
}

function notesOf({ read, keptAsText, filter }: TableInfo['columns'][number]): string {
  const notes = [
    ...(read === 'yes' ? [] : [`not read: ${read}`]),
    ...(keptAsText ? ['kept as text'] : []),
    ...(filter === 'unknown' ? [] : [`filter ${filter}`]),
  ];
  return notes.join(', ');
}
