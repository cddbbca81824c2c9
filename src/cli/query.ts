/** `tablevault query`: SQL over the tables of a snapshot. */
import { type Command, Option } from 'commander';
import { TablevaultError } from '../core/errors.ts';
import type { CliContext } from './context.ts';
import { withHelp } from './help.ts';
import { formatRows, QUERY_FORMATS, type QueryFormat } from './query-format.ts';
import { plainText } from './text.ts';
import { PIPELINE_OPTION, SNAPSHOT_OPTION, VAULT_ARGUMENT, withVault } from './vault.ts';

interface Options {
  readonly snapshot: string;
  readonly pipeline?: string;
  /** Undefined: a table, or a block for each row where the columns do not fit the terminal. */
  readonly format?: QueryFormat;
  readonly json?: true;
}

export function addQuery(program: Command, context: CliContext): void {
  const command = program
    .command('query')
    .summary('run SQL over the tables of a snapshot')
    .description(
      'Runs one SQL statement in DuckDB over the tables of a snapshot. It writes nothing. It reads the files of the tables that the statement names to their end first, and compares their SHA-256 with the manifest. Values are exact: in JSON, decimals are text, and so are the whole numbers of a column that holds one beyond 2^53. In CSV, null is an empty field, or NULL without quotes where there is one column; empty text is "".',
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .argument('<sql>', 'one statement that reads, such as SELECT or DESCRIBE')
    .option(...SNAPSHOT_OPTION)
    .option(...PIPELINE_OPTION)
    .addOption(
      new Option(
        '--format <format>',
        'format of the rows (default: table; expanded, which prints a block for each row, if the columns do not fit the terminal)',
      ).choices(QUERY_FORMATS),
    )
    .addOption(new Option('--json', 'the same as --format json: print one JSON array, with an object for each row'))
    .action(async (vault: string, sql: string, options: Options) => {
      await query(context, vault, sql, options);
    });
  withHelp(command, {
    exits: [6, 7],
    meanings: { 6: 'a file that the statement needs is damaged; no value comes from it' },
    examples: ['tablevault query ./vault "SELECT count(*) FROM Gen_Documents" --format csv'],
  });
}

async function query(context: CliContext, uri: string, sql: string, options: Options): Promise<void> {
  const { signal, output, screen } = context;
  const format = formatOf(options);
  const { querySnapshot } = await import('../run/vault/query.ts');
  const { readSnapshot } = await import('../vault/snapshots.ts');
  await withVault(context, uri, async (vault) => {
    const { manifest } = await readSnapshot(vault, options.snapshot, { signal, pipeline: options.pipeline });
    if (!manifest.complete) {
      const missing = manifest.failed.map(({ name }) => name).join(', ');
      screen.line(plainText(`warning: snapshot ${manifest.snapshot} is incomplete; it lacks ${missing}`));
    }
    await querySnapshot({ store: vault.store, tables: manifest.tables, sql, signal }, async (rows) => {
      for await (const text of formatRows(format, rows, output)) {
        signal.throwIfAborted();
        await output.data(text);
      }
    });
  });
}

/** @throws TablevaultError USAGE when `--json` and `--format` contradict each other */
function formatOf({ format, json }: Options): QueryFormat | undefined {
  if (!json) return format;
  if (format === undefined || format === 'json') return 'json';
  throw new TablevaultError('USAGE', `--json and --format ${format} contradict each other`, {
    hint: 'Give one of them. --json is the same as --format json.',
  });
}
