/** `tablevault prune`: retention, and freeing what nothing needs any more. */
import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../core/duration.ts';
import { count, plural } from '../core/words.ts';
import type { PruneReport } from '../run/vault/prune.ts';
import { type Column, table } from './columns.ts';
import type { CliContext } from './context.ts';
import { bytes } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { logEvent } from './log.ts';
import { type Acting, actingOptions, durationMs } from './options.ts';
import { VAULT_ARGUMENT, withVault } from './vault.ts';
import type { View } from './view.ts';

interface Options extends Acting {
  readonly keepLast?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly keepWithin?: number;
  readonly grace?: number;
  readonly json?: true;
}

export function addPrune(program: Command, context: CliContext): void {
  const command = program
    .command('prune')
    .summary('retire old snapshots and free their space')
    .description(
      'Retires the complete snapshots of each pipeline that no --keep option covers, and removes files that nothing needs any more. The newest complete snapshot of each pipeline and pinned snapshots always stay. The files of a retired snapshot stay for the time of --grace, so that readers can finish; a later prune removes them. Days, weeks, months and years are counted in UTC.',
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .option('--keep-last <n>', 'keep the newest n snapshots', keep)
    .option('--keep-daily <n>', 'keep the newest snapshot of each of the last n days that have one', keep)
    .option('--keep-weekly <n>', 'the same for weeks (Monday to Sunday)', keep)
    .option('--keep-monthly <n>', 'the same for months', keep)
    .option('--keep-yearly <n>', 'the same for years', keep)
    .option('--keep-within <age>', 'keep all snapshots taken within this time before the newest, e.g. 30d', durationMs)
    .option('--grace <age>', 'how long the files of a retired snapshot stay (default: 24h)', graceMs)
    .addOption(jsonOption())
    .action(async (vault: string, options: Options) => {
      await prune(context, vault, options);
    });
  withHelp(actingOptions(command, 'apply'), {
    exits: [7, 8],
    examples: ['tablevault prune ./vault --keep-last 3 --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run'],
  });
}

async function prune(context: CliContext, uri: string, options: Options): Promise<void> {
  const { signal, output, clock, screen } = context;
  const { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithin: keepWithinMs } = options;
  const policy = { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithinMs };
  const { pruneVault } = await import('../run/vault/prune.ts');
  const dryRun = options.dryRun === true;
  const grace = options.grace === undefined ? {} : { graceMs: options.grace };
  const emit = logEvent.bind(undefined, context.log);
  const report = await withVault(context, uri, (vault) =>
    pruneVault(vault, { policy, dryRun, ...grace, signal }, { clock, emit }),
  );
  if (options.json) return output.json(report);
  await output.lines(planText(report, output));
  screen.line(summary(report));
}

const COLUMNS: readonly Column[] = [
  { title: '#', align: 'right' },
  { title: 'snapshot' },
  { title: 'state', drop: 1, style: (state) => (state === 'incomplete' ? 'warning' : undefined) },
  { title: 'what' },
  { title: 'why', cut: 'wrap' },
];

function planText({ kept, retired, dryRun }: PruneReport, view: View): string[] {
  const verb = dryRun ? 'would retire' : 'retired';
  const lines = [
    ...kept.map(({ snapshot, reasons }) => ({ snapshot, what: 'keep', why: reasons.join(', ') })),
    ...retired.map((snapshot) => ({ snapshot, what: verb, why: '' })),
  ].sort((a, b) => a.snapshot.sequence - b.snapshot.sequence);
  const rows = lines.map(({ snapshot: { sequence, snapshot, complete }, what, why }) => [
    String(sequence),
    snapshot,
    complete ? 'complete' : 'incomplete',
    what,
    why,
  ]);
  return table(COLUMNS, rows, view);
}

function summary({ dryRun, retired, kept, swept, waiting, later, abandoned }: PruneReport): string {
  const would = dryRun ? 'would be ' : '';
  const parts = [
    `${plural(kept.length, 'snapshot')} kept, ${count(retired.length)} ${would}retired`,
    `${plural(swept.objects, 'object')} (${bytes(swept.bytes)}, ${plural(swept.parts, 'part')}) ${would}freed`,
  ];
  if (waiting.snapshots > 0)
    parts.push(
      `${plural(waiting.snapshots, 'snapshot')} retired now or before ${waiting.snapshots === 1 ? 'holds' : 'hold'} ${plural(waiting.parts, 'part')} within the grace time or in use: a later prune frees them`,
    );
  if (abandoned.length > 0) parts.push(`${plural(abandoned.length, 'dead run')} ${would}given up`);
  if (later.length > 0)
    parts.push(`${plural(later.length, 'object')} locked or forbidden to delete: a later prune tries again`);
  return parts.join('; ');
}

function keep(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('Give a whole number.');
  return Number(value);
}

function graceMs(value: string): number {
  if (/^0(ms|s|m|h|d)?$/.test(value)) return 0;
  const ms = parseDuration(value);
  if (ms === undefined) throw new InvalidArgumentError('Give 0, or a number with a unit, such as 24h or 30m.');
  return ms;
}
