/** `tablevault paths`: the Parquet files of a table, one a line. */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import { SNAPSHOT_OPTION, VAULT_ARGUMENT, withVault } from './vault.ts';

interface Options {
  readonly snapshot: string;
  readonly json?: true;
}

export function addPaths(program: Command, context: CliContext): void {
  const command = program
    .command('paths')
    .summary('the Parquet files of a table, one a line')
    .description('Prints the Parquet files of a table of a snapshot, one a line: absolute paths, or s3:// addresses.')
    .argument('<vault>', VAULT_ARGUMENT)
    .argument('<table>', 'name of the table')
    .option(...SNAPSHOT_OPTION)
    .addOption(jsonOption())
    .action(async (vault: string, table: string, options: Options) => {
      await paths(context, vault, table, options);
    });
  withHelp(command, { exits: [7], examples: ['tablevault paths ./vault Gen_Documents'] });
}

async function paths(context: CliContext, uri: string, table: string, options: Options): Promise<void> {
  const { signal, output } = context;
  const { tablePaths } = await import('../run/vault/paths.ts');
  const found = await withVault(context, uri, (vault) =>
    tablePaths(vault, table, { signal, snapshot: options.snapshot }),
  );
  if (options.json) await output.json(found);
  else await output.data(found.paths.map((path) => `${path}\n`).join(''));
}
