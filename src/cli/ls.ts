/** `tablevault ls`: the snapshots of a vault. */
import type { Command } from 'commander';
import { duration } from '../core/duration.ts';
import { TablevaultError } from '../core/errors.ts';
import { count, plural } from '../core/words.ts';
import type { SnapshotList, SnapshotSummary } from '../run/vault/list.ts';
import { labelOf } from '../vault/chain/series.ts';
import { type Column, table } from './columns.ts';
import type { CliContext } from './context.ts';
import { bytes } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { durationMs } from './options.ts';
import { plainText } from './text.ts';
import { PIPELINE_OPTION, VAULT_ARGUMENT, withVault } from './vault.ts';
import type { View } from './view.ts';

interface Options {
  readonly maxAge?: number;
  readonly pipeline?: string;
  readonly json?: true;
}

export function addLs(program: Command, context: CliContext): void {
  const command = program
    .command('ls')
    .summary('list the snapshots of a vault')
    .description(
      'Lists the snapshots of a vault, oldest first. "took" is the time from the first read to the commit; of a snapshot whose run was continued, the first read may be that of the run before. "added" is the size of the files that it does not share with earlier ones. A snapshot is "narrowed" where --tables left out tables of its pipeline. A note names what else is not as usual: a pin, a continued run, and tables that are counted or best-effort, not exact (`tablevault show` says why). A snapshot whose manifest is damaged is told apart from the list.',
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .option(...PIPELINE_OPTION)
    .option('--max-age <age>', 'exit with 6 if the newest complete snapshot is older, e.g. 26h', durationMs)
    .addOption(jsonOption())
    .action(async (vault: string, options: Options) => {
      await ls(context, vault, options);
    });
  withHelp(command, {
    exits: [6, 7],
    meanings: {
      2: 'wrong usage or configuration; the vault holds no snapshot; with --max-age: it holds those of several pipelines',
      6: 'with --max-age: the newest complete snapshot is older, or there is none',
      7: 'destination failed; a manifest is damaged (with --max-age: one that is later than the newest complete snapshot)',
    },
    examples: ['tablevault ls ./vault --max-age 26h'],
  });
}

async function ls(context: CliContext, uri: string, options: Options): Promise<void> {
  const { signal, output, clock, screen } = context;
  await withVault(context, uri, async (vault) => {
    const { damage, listSnapshots, staleness } = await import('../run/vault/list.ts');
    const list = await listSnapshots(vault, { signal, nowMs: clock.now(), pipeline: options.pipeline });
    if (options.json) await output.json({ vault: vault.store.uri, ...list });
    else await output.lines(listText(list, output));
    if (list.snapshots.length === 0 && options.maxAge === undefined) throw holdsNothing(uri);
    const damaged = damage(list, vault.store.uri);
    // Whoever asks for the age is answered by the exit code.
    if (damaged !== undefined && options.maxAge === undefined) throw damaged;
    const stale = options.maxAge === undefined ? undefined : staleness(list, options.maxAge, vault.store.uri);
    // Where the damage is what the command ends with, it says so itself.
    if (stale?.code !== 'VAULT_CORRUPT')
      for (const { message } of list.unreadable) screen.line(plainText(`warning: not listed: ${message}`));
    if (stale !== undefined) throw stale;
  });
}

function holdsNothing(uri: string): TablevaultError {
  return new TablevaultError('VAULT_NOT_FOUND', `the vault ${uri} holds no snapshot`, {
    at: { vault: uri },
    hint: 'The next `tablevault snapshot` that ends well puts one there. If there were some: check the address, and what the store lists.',
  });
}

const COLUMNS: readonly Column[] = [
  { title: '#', align: 'right' },
  { title: 'snapshot' },
  { title: 'pipeline', drop: 2 },
  { title: 'finished', drop: 1 },
  { title: 'state', style: (state) => (state === 'complete' ? undefined : 'warning') },
  { title: 'tables', align: 'right', drop: 4 },
  { title: 'rows', align: 'right', drop: 3 },
  { title: 'size', align: 'right', drop: 5 },
  { title: 'added', align: 'right', drop: 7 },
  { title: 'took', align: 'right', drop: 6 },
  { title: 'note', cut: 'wrap', drop: 2, style: () => 'warning' },
];

function listText(list: SnapshotList, view: View): string[] {
  if (list.snapshots.length === 0) return [];
  const several = list.series.length > 1;
  const rows = list.snapshots.map((each) => [
    String(each.sequence),
    each.snapshot,
    ...(several ? [labelOf(each, list.series)] : []),
    view.width() === undefined ? each.finishedAt : toTheMinute(each.finishedAt),
    stateOf(each),
    count(each.tables),
    count(each.rows),
    bytes(each.bytes),
    bytes(each.addedBytes),
    duration(each.readMs),
    noteOf(each),
  ]);
  return table(several ? COLUMNS : COLUMNS.filter(({ title }) => title !== 'pipeline'), rows, view);
}

/** `2026-11-27 23:26Z`: the id beside it begins with the second in which the run began. */
function toTheMinute(iso: string): string {
  return iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):.*Z$/, '$1 $2Z');
}

function noteOf({ pinned, continued, notExact }: SnapshotSummary): string {
  const notes = [
    ...(pinned ? ['pinned'] : []),
    ...(continued ? ['continued'] : []),
    ...(notExact === 0 ? [] : [`${plural(notExact, 'table')} not exact`]),
  ];
  return notes.join(', ');
}

function stateOf({ complete, narrowed, failedTables, missingParts }: SnapshotSummary): string {
  if (!complete) return `incomplete (${count(failedTables)} failed)`;
  if (missingParts > 0) return `damaged (lacks ${plural(missingParts, 'file')})`;
  return narrowed ? 'narrowed' : 'complete';
}
