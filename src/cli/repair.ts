/** `tablevault repair`: moves damaged files of a vault out of the way; says first what it would do. */
import type { Command } from 'commander';
import { TablevaultError } from '../core/errors.ts';
import { plural } from '../core/words.ts';
import type { RepairReport } from '../run/vault/repair.ts';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import { logEvent } from './log.ts';
import { type Acting, actingOptions } from './options.ts';
import { plainText } from './text.ts';
import { VAULT_ARGUMENT, withVault } from './vault.ts';

interface Options extends Acting {
  readonly json?: true;
}

export function addRepair(program: Command, context: CliContext): void {
  const command = program
    .command('repair')
    .summary('find damaged files of a vault and put them into quarantine')
    .description(
      'Checks every file of every snapshot, and lists the damaged files and the snapshots that need them. With --apply, it moves damaged files below quarantine/ in the vault; the next `tablevault snapshot` reads their tables again. It cannot repair damaged manifests: restore those from a copy of the vault.',
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .addOption(jsonOption())
    .action(async (vault: string, options: Options) => {
      await repair(context, vault, options);
    });
  withHelp(actingOptions(command, 'dryRun'), {
    exits: [6, 7],
    meanings: { 6: 'something is damaged (without --apply), or cannot be repaired' },
    examples: ['tablevault repair ./vault', 'tablevault repair ./vault --apply'],
  });
}

async function repair(context: CliContext, uri: string, options: Options): Promise<void> {
  const { signal, clock, output, screen } = context;
  const { planRepair, applyRepair } = await import('../run/vault/repair.ts');
  const emit = logEvent.bind(undefined, context.log);
  const report = await withVault(context, uri, async (vault): Promise<RepairReport> => {
    const plan = await planRepair(vault, { signal, emit });
    if (options.apply !== true) return { ...plan, dryRun: true, applied: false, quarantined: [] };
    return applyRepair(vault, plan, { signal, emit, clock });
  });
  if (options.json) await output.json(report);
  else await output.lines(reportText(report));
  const { broken, beyond, dryRun } = report;
  if (beyond.length > 0 || (broken.length > 0 && dryRun)) {
    throw new TablevaultError(
      'VERIFY_FAILED',
      `found ${plural(broken.length, 'damaged file')} and ${plural(beyond.length, 'other damaged object')} in ${uri}`,
      {
        hint:
          beyond.length > 0
            ? 'Restore the manifests and other objects that are listed from a copy of the vault; --apply takes care of the files.'
            : 'Run again with --apply, then take a snapshot.',
      },
    );
  }
  screen.line(broken.length === 0 ? 'nothing is damaged' : nextStep(report));
}

function reportText({ broken, beyond, dryRun }: RepairReport): string[] {
  const lines = [
    ...broken.map(({ finding, snapshots, present }) => {
      const what = !present ? 'missing' : dryRun ? 'would be put into quarantine' : 'put into quarantine';
      return `${finding.code} ${finding.object}: ${finding.message}; needed by ${snapshots.length === 1 ? 'snapshot' : 'snapshots'} ${snapshots.join(', ')}; ${what}`;
    }),
    ...beyond.map(({ code, object, message }) => `${code} ${object}: ${message}; cannot be repaired by this command`),
  ];
  return lines.map(plainText);
}

function nextStep({ quarantined, rereads }: RepairReport): string {
  const again = rereads.length === 0 ? '' : `; take a snapshot to have ${plainText(rereads.join(', '))} again`;
  return `${plural(quarantined.length, 'file')} in quarantine${again}`;
}
