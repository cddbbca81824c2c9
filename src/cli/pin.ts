/** `tablevault pin`: keeps a snapshot from being retired by prune. */
import { type Command, Option } from 'commander';
import { TablevaultError } from '../core/errors.ts';
import type { Pinned } from '../run/vault/pin.ts';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import { PIPELINE_OPTION, SNAPSHOT_OPTION, snapshotOf, VAULT_ARGUMENT, withVault } from './vault.ts';

interface Options {
  readonly reason?: string;
  readonly pipeline?: string;
  readonly remove?: true;
  readonly json?: true;
}

export function addPin(program: Command, context: CliContext): void {
  const command = program
    .command('pin')
    .summary('keep a snapshot from being pruned')
    .description('Pins a snapshot. Until the pin is removed, prune never retires that snapshot.')
    .argument('<vault>', VAULT_ARGUMENT)
    .argument('[id]', 'the same as --snapshot')
    .option(SNAPSHOT_OPTION[0], SNAPSHOT_OPTION[1])
    .option(...PIPELINE_OPTION)
    .addOption(
      new Option(
        '--reason <text>',
        'why the snapshot is pinned, for other people: show tells it; takes the place of an earlier reason',
      ).conflicts('remove'),
    )
    .option('--remove', 'remove the pin of the snapshot')
    .addOption(jsonOption())
    .action(async (uri: string, id: string | undefined, options: Options, command: Command) => {
      const wanted = snapshotOf(id, command);
      if (wanted === undefined) {
        throw new TablevaultError('USAGE', 'no snapshot is named', {
          hint: 'Give --snapshot with an id, a sequence number, a date, or latest.',
        });
      }
      const { signal, clock, output, screen } = context;
      const { pipeline } = options;
      const { pin, unpin } = await import('../run/vault/pin.ts');
      const at = await withVault(context, uri, (vault) =>
        options.remove === true
          ? unpin(vault, wanted, { signal, pipeline })
          : pin(vault, wanted, { reason: options.reason, clock, signal, pipeline }),
      );
      if (options.json) await output.json(at);
      else screen.line(`snapshot ${at.snapshot} (number ${at.sequence}) ${verdict(at)}`);
    });
  withHelp(command, { exits: [7], examples: ['tablevault pin ./vault --snapshot latest --reason "year end 2026"'] });
}

function verdict({ pinned, wasPinned }: Pinned): string {
  if (pinned) return wasPinned ? 'was pinned before, and stays pinned' : 'is pinned';
  return wasPinned ? 'is no longer pinned' : 'was not pinned';
}
