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
    meanings: { 6: 'something is damaged (without --apply), is missing, or cannot be repaired' },
    examples: ['tablevault repair ./vault', 'tablevault repair ./vault --apply'],
  });
}

async function repair(context: CliContext, uri: string, options: Options): Promise<void> {
  const { signal, clock, output, screen } = context;
  const { planRepair, applyRepair } = await import('../run/vault/repair.ts');
  const emit = logEvent.bind(undefined, context.log);
  const report = await withVault(context, uri, async (vault): Promise<RepairReport> => {
    const plan = await planRepair(vault, { signal, emit });
    if (options.apply !== true) return { ...plan, dryRun: true, applied: false, quarantined: [], left: [] };
    return applyRepair(vault, plan, { signal, emit, clock });
  });
  if (options.json) await output.json(report);
  else await output.lines(reportText(report));
  const failure = failureOf(report, uri);
  if (failure !== undefined) throw failure;
  screen.line(report.broken.length === 0 ? 'nothing is damaged' : nextStep(report));
}

/** What stays to be done by somebody else, or by `--apply`; undefined when nothing does. */
function failureOf(report: RepairReport, uri: string): TablevaultError | undefined {
  const { broken, beyond, dryRun, left, unjudged } = report;
  const gone = new Set(left.filter(({ state }) => state === 'missing').map(({ key }) => key));
  const missing = broken.filter(({ key, present }) => !present || gone.has(key)).length;
  const unclear = unjudged.length + left.filter(({ state }) => state === 'unclear').length;
  const movable = dryRun ? broken.length - missing : 0;
  if (beyond.length + missing + movable > 0) {
    const found = [
      ...(dryRun ? [plural(movable, 'damaged file')] : []),
      plural(missing, 'missing file'),
      plural(beyond.length, 'other damaged object'),
    ].join(', ');
    const hints = [
      ...(movable > 0 ? ['Run again with --apply to put damaged files into quarantine.'] : []),
      ...(missing > 0
        ? [
            'This command cannot bring missing files back: copy them from another copy of the vault, or take a snapshot.',
          ]
        : []),
      ...(beyond.length > 0 ? ['Restore the other objects that are listed from a copy of the vault.'] : []),
    ];
    return new TablevaultError('VERIFY_FAILED', `found ${found} in ${uri}`, { hint: hints.join(' ') });
  }
  if (unclear === 0) return undefined;
  return new TablevaultError('DESTINATION_UNREACHABLE', `${plural(unclear, 'file')} could not be judged in ${uri}`, {
    hint: 'They were left where they are. Check the disk, the rights and the limits of this machine (ulimit -n, memory), then run again.',
  });
}

function reportText({ broken, beyond, unjudged, left, dryRun }: RepairReport): string[] {
  const whyLeft = new Map(left.map(({ key, why }) => [key, why]));
  const done = ({ key, present }: RepairReport['broken'][number]) => {
    const why = whyLeft.get(key);
    if (why !== undefined) return `left where it is: ${why}`;
    if (!present) return 'missing';
    return dryRun ? 'would be put into quarantine' : 'put into quarantine';
  };
  const lines = [
    ...broken.map((part) => {
      const { code, object, message } = part.finding;
      const needing = `${part.snapshots.length === 1 ? 'snapshot' : 'snapshots'} ${part.snapshots.join(', ')}`;
      return `${code} ${object}: ${message}; needed by ${needing}; ${done(part)}`;
    }),
    ...unjudged.map(({ code, object, message }) => `${code} ${object}: ${message}; not judged, left where it is`),
    ...beyond.map(({ code, object, message }) => `${code} ${object}: ${message}; cannot be repaired by this command`),
  ];
  return lines.map(plainText);
}

function nextStep({ quarantined, rereads }: RepairReport): string {
  const again = rereads.length === 0 ? '' : `; take a snapshot to have ${plainText(rereads.join(', '))} again`;
  return `${plural(quarantined.length, 'file')} in quarantine${again}`;
}
