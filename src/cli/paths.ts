/** `tablevault paths`: the Parquet files of tables, one a line. */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import { globList } from './options.ts';
import { PIPELINE_OPTION, SNAPSHOT_OPTION, VAULT_ARGUMENT, withVault } from './vault.ts';

interface Options {
  readonly snapshot: string;
  readonly pipeline?: string;
  readonly json?: true;
}

export function addPaths(program: Command, context: CliContext): void {
  const command = program
    .command('paths')
    .summary('print the paths of the Parquet files of tables')
    .description(
      'Prints the Parquet files of a table of a snapshot, one file per line, as absolute paths or s3:// addresses. A glob prints the files of every table that it matches.',
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .argument('<table>', 'name or glob of the table; separate several with commas', globList)
    .option(...SNAPSHOT_OPTION)
    .option(...PIPELINE_OPTION)
    .addOption(jsonOption())
    .action(async (vault: string, tables: string[], options: Options) => {
      await paths(context, vault, tables, options);
    });
  withHelp(command, {
    exits: [7],
    examples: ['tablevault paths ./vault Gen_Documents', 'tablevault paths ./vault "Crm_*" --snapshot 12'],
  });
}

async function paths(context: CliContext, uri: string, tables: readonly string[], options: Options): Promise<void> {
  const { signal, output } = context;
  const { tablePaths } = await import('../run/vault/paths.ts');
  const found = await withVault(context, uri, (vault) =>
    tablePaths(vault, tables, { signal, snapshot: options.snapshot, pipeline: options.pipeline }),
  );
  // `table`, as it was before one could name several.
  const [only, ...others] = found.tables;
  const table = others.length === 0 && only !== undefined ? { table: only.name } : {};
  // Data, not a report: a program opens these addresses, and nothing in them is taken for a credential.
  if (options.json) await output.data(`${JSON.stringify({ ...found, ...table }, null, 2)}\n`);
  else await output.data(found.paths.map((path) => `${path}\n`).join(''));
}
