/** `tablevault extract`: one table, ad hoc. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { duration } from '../core/duration.ts';
import { TablevaultError } from '../core/errors.ts';
import { plural } from '../core/words.ts';
import { EXTRACT_FORMATS, type ExtractFormat, formatOfName } from '../run/extract/format.ts';
import { type CliContext, loadPipeline } from './context.ts';
import { bytes } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { logEvent } from './log.ts';
import { progressModeOf, startProgress } from './progress.ts';

interface Options {
  readonly select?: string[];
  readonly limit?: number;
  readonly format?: ExtractFormat;
  readonly output?: string;
  readonly json?: true;
}

/** `$top` goes no further. */
const MAX_LIMIT = 2 ** 31 - 1;

export function addExtract(program: Command, context: CliContext): void {
  const command = program
    .command('extract')
    .summary('read one table into a file or a pipe')
    .description(
      'Reads one table with the credential of a pipeline and writes it to a file or to standard output. A file appears only when the read succeeds; on standard output and in pipes, rows appear as they come. A new file can be read by its owner alone (mode 0600); one that is replaced keeps its mode, and a link is followed. Where the table is not exact (counted or best-effort, as in a snapshot), a warning says why. Without --select, the columns are those of a snapshot, so sensitive columns are left out. Values are exact. CSV writes decimals and 64-bit numbers as they are, null as an empty field (as NULL without quotes where there is one column, since readers skip empty lines), and empty text as "". NDJSON writes decimals and 64-bit numbers as strings, because most readers turn numbers into floats. Both write bytes in base64. Arrow uses the IPC file format in files, and the stream format on standard output and in *.arrows files.',
    )
    .argument('<pipeline>', 'pipeline file (YAML)')
    .argument('<table>', 'any table of the instance, also one that the pipeline does not select')
    .option('--select <columns>', 'columns, separated by commas, in the order of the output', columnList)
    .option('--limit <n>', 'read at most this many rows', rowLimit)
    .addOption(
      new Option('--format <format>', 'format of the output (default: by the ending of the file, else csv)').choices(
        EXTRACT_FORMATS,
      ),
    )
    .option(
      '-o, --output <file>',
      'file to write, in place of one that is there; a pipe or a device is written to; - is standard output (default: -)',
    )
    .addOption(jsonOption())
    .action(async (pipeline: string, table: string, options: Options) => {
      await extract(context, pipeline, table, options);
    });
  withHelp(command, {
    exits: [3, 4, 5, 7, 9],
    meanings: { 5: 'the table failed; no file is written' },
    examples: [
      'tablevault extract backup.yaml Crm_Customers -o customers.parquet',
      'tablevault extract backup.yaml Gen_Documents --select Id,Document_Date --limit 100 | head',
    ],
  });
}

function columnList(value: string, before: readonly string[] = []): string[] {
  const names = value.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) throw new InvalidArgumentError('Give column names, separated by commas.');
  return [...before, ...names];
}

function rowLimit(value: string): number {
  const rows = /^\d{1,10}$/.test(value) ? Number(value) : 0;
  if (rows < 1 || rows > MAX_LIMIT) throw new InvalidArgumentError(`Give a whole number from 1 to ${MAX_LIMIT}.`);
  return rows;
}

async function extract(context: CliContext, file: string, table: string, options: Options): Promise<void> {
  const { clock, screen, signal, output: stdout } = context;
  const path = options.output === undefined || options.output === '-' ? undefined : options.output;
  const format = options.format ?? formatFor(path);
  if (path === undefined && format !== 'csv' && format !== 'ndjson' && stdout.isTerminal) {
    throw new TablevaultError('USAGE', `${format} cannot be shown at a terminal`, { hint: 'Give a file: -o FILE.' });
  }
  if (path === undefined && options.json) {
    throw new TablevaultError('USAGE', '--json and the rows would both go to standard output', {
      hint: 'Give a file: -o FILE.',
    });
  }
  const mode = progressModeOf(context.env, screen);
  const pipeline = await loadPipeline(context, file);
  const { extractTable } = await import('../run/extract/extract.ts');
  const { pathOutput, streamOutput } = await import('../run/extract/output.ts');
  // At a terminal, rows take the place of the progress.
  const rowsOut = (chunk: Uint8Array) => {
    if (stdout.isTerminal) progress.end();
    return stdout.data(chunk);
  };
  const output =
    path === undefined ? streamOutput('standard output', rowsOut) : await pathOutput(path, { clock, signal });
  const progress = startProgress(mode, screen, clock);
  try {
    const { select, limit } = options;
    const report = await extractTable(
      pipeline,
      { table, format, output, ...(select === undefined ? {} : { select }), ...(limit === undefined ? {} : { limit }) },
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
    if (options.json) return await stdout.json(report);
    // Its warnings have said why.
    const notExact = report.consistency !== null && report.consistency !== 'exact';
    const kind = notExact ? `; ${report.consistency}, not exact` : '';
    screen.line(
      `${plural(report.rows, 'row')} of ${plural(report.columns, 'column')}, ${bytes(report.bytes)} of ${format} to ${report.output}, ${plural(report.requests, 'request')}, ${duration(report.durationMs)}${kind}`,
    );
  } catch (error) {
    await output.discard();
    throw error;
  } finally {
    progress.end();
  }
}

function formatFor(path: string | undefined): ExtractFormat {
  if (path === undefined) return 'csv';
  const format = formatOfName(path);
  if (format !== undefined) return format;
  throw new TablevaultError('USAGE', `the name ${path} does not name a format`, {
    hint: 'Give --format, or a name that ends in .parquet, .csv, .ndjson or .arrow.',
  });
}
