/** `tablevault restore`: a snapshot as files, a DuckDB file, or tables of PostgreSQL. */
import { type Command, Option } from 'commander';
import { plural } from '../core/words.ts';
import type { FileFormat } from '../run/restore/target.ts';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import { logEvent } from './log.ts';
import { globList } from './options.ts';
import { plainText } from './text.ts';
import { PIPELINE_OPTION, SNAPSHOT_OPTION, VAULT_ARGUMENT, withVault } from './vault.ts';

interface Options {
  readonly snapshot: string;
  readonly pipeline?: string;
  readonly to: string;
  readonly tables?: string[];
  readonly format?: FileFormat;
  readonly replaceNul?: true;
  readonly json?: true;
}

export function addRestore(program: Command, context: CliContext): void {
  const command = program
    .command('restore')
    .summary('write a snapshot to a folder, a DuckDB file, or PostgreSQL')
    .description(
      'Writes the tables of a snapshot into an empty target. Every file is verified before it is used, and the target appears only when it is complete. A snapshot cannot be restored to the instance, which is read-only. CSV and NDJSON hold values as those of `extract` do: null is an empty field (NULL without quotes where a table has one column), empty text is ""; NDJSON writes decimals and 64-bit numbers as strings.',
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .option(...SNAPSHOT_OPTION)
    .option(...PIPELINE_OPTION)
    .requiredOption(
      '--to <target>',
      'a folder, a file that ends in .duckdb, or postgres://user@host/database[?schema=name]',
    )
    .option('--tables <globs>', 'tables to restore, separated by commas (default: all)', globList)
    .addOption(
      new Option('--format <format>', 'format of the files in a folder (default: parquet)').choices([
        'parquet',
        'csv',
        'ndjson',
      ]),
    )
    .option('--replace-nul', 'for PostgreSQL, which cannot store NUL characters in text: write U+2400 in their place')
    .addOption(jsonOption())
    .action(async (vault: string, options: Options) => {
      await restore(context, vault, options);
    });
  withHelp(command, {
    exits: [7, 8],
    meanings: { 8: 'PostgreSQL did not say whether it committed: look whether the tables exist' },
    examples: ['tablevault restore ./vault --to sales.duckdb --tables "Crm_*"'],
  });
}

async function restore(context: CliContext, uri: string, options: Options): Promise<void> {
  const { signal, output, screen, redactor } = context;
  const { snapshot, pipeline, tables } = options;
  const { parseTarget } = await import('../run/restore/target.ts');
  const target = parseTarget(options.to, options.format, options.replaceNul === true);
  if (target.kind === 'postgres') {
    const { password, searchParams } = new URL(target.url.reveal());
    for (const secret of [decodeURIComponent(password), searchParams.get('password') ?? '']) redactor.add(secret);
  }
  const { restoreSnapshot } = await import('../run/restore/restore.ts');
  const emit = logEvent.bind(undefined, context.log);
  const report = await withVault(context, uri, (vault) =>
    restoreSnapshot(vault, { snapshot, pipeline, target, emit, signal, ...(tables === undefined ? {} : { tables }) }),
  );
  for (const warning of report.warnings) screen.line(plainText(`warning: ${warning}`));
  if (options.json) return output.json(report);
  const state = report.complete ? '' : ' (incomplete)';
  screen.line(
    plainText(
      `restored snapshot ${report.snapshot}${state} to ${report.target}: ${plural(report.tables.length, 'table')}, ${plural(report.rows, 'row')}, every file verified`,
    ),
  );
}
