/** `tablevault show`: one snapshot. */
import type { Command } from 'commander';
import { duration } from '../core/duration.ts';
import { count, plural } from '../core/words.ts';
import type { SnapshotDetails } from '../run/vault/show.ts';
import { seriesOf } from '../vault/chain/series.ts';
import { type Column, pairs, table } from './columns.ts';
import type { CliContext } from './context.ts';
import { bytes } from './format.ts';
import { HOW_TABLES_ARE_READ, jsonOption, withHelp } from './help.ts';
import { tableLines } from './notes.ts';
import { plainText } from './text.ts';
import { PIPELINE_OPTION, SNAPSHOT_OPTION, snapshotOf, VAULT_ARGUMENT, withVault } from './vault.ts';
import { labelled, type View } from './view.ts';

interface Options {
  readonly snapshot: string;
  readonly pipeline?: string;
  readonly json?: true;
}

export function addShow(program: Command, context: CliContext): void {
  const command = program
    .command('show')
    .summary('show one snapshot and its tables')
    .description(
      `Shows one snapshot: where it comes from, its tables, how each was read, and which columns were left out. ${HOW_TABLES_ARE_READ}`,
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .argument('[id]', 'the same as --snapshot')
    .option(...SNAPSHOT_OPTION)
    .option(...PIPELINE_OPTION)
    .addOption(jsonOption())
    .action(async (vault: string, id: string | undefined, options: Options, command: Command) => {
      await show(context, vault, { ...options, snapshot: snapshotOf(id, command) ?? options.snapshot });
    });
  withHelp(command, {
    exits: [7],
    examples: ['tablevault show ./vault', 'tablevault show ./vault --snapshot 12 --json'],
  });
}

async function show(context: CliContext, uri: string, { snapshot, pipeline, json }: Options): Promise<void> {
  const { signal, output } = context;
  const { showSnapshot } = await import('../run/vault/show.ts');
  const details = await withVault(context, uri, (vault) => showSnapshot(vault, snapshot, { signal, pipeline }));
  if (json) await output.json(details);
  else await output.lines(detailsText(details, output));
}

const TABLE_COLUMNS: readonly Column[] = [
  { title: 'table', cut: 'middle', cutAfter: 'columns' },
  { title: 'rows', align: 'right' },
  { title: 'size', align: 'right', drop: 1 },
  { title: 'parts', align: 'right', drop: 2 },
  { title: 'strategy', drop: 3 },
  { title: 'consistency', style: (consistency) => (consistency === 'exact' ? undefined : 'warning') },
];

function lastRun({ startedAt, durationMs }: SnapshotDetails['manifest']): string {
  return `it continues a run that had ended before; the last run began at ${startedAt} and took ${duration(durationMs)}`;
}

function pinText({ reason, pinnedAt }: NonNullable<SnapshotDetails['pin']>): string {
  if (pinnedAt === null) return 'yes; the object of the pin is damaged: pin it again with --reason';
  return reason === '' ? pinnedAt : `${pinnedAt}: ${reason}`;
}

export function detailsText(details: SnapshotDetails, view: View): string[] {
  const { manifest, key, sha256, reusedParts, read, keptAsText, missingParts, pin } = details;
  const { totals, instance } = manifest;
  const damaged = missingParts === 0 ? '' : `, damaged (lacks ${plural(missingParts, 'file')})`;
  const narrowed = manifest.selection?.narrowed ?? null;
  const facts: readonly (readonly [string, string])[] = [
    [
      'snapshot',
      `${manifest.snapshot} (number ${manifest.sequence}), ${manifest.complete ? 'complete' : 'incomplete'}${damaged}${narrowed === null ? '' : `, narrowed to ${narrowed.join(', ')}`}`,
    ],
    ...(pin === null ? [] : [['pinned', pinText(pin)] as const]),
    ['pipeline', `${manifest.pipeline.name}, of the database ${seriesOf(manifest).database}`],
    ['instance', `${instance.url}${instance.version === null ? '' : `, version ${instance.version}`}`],
    ['identity', `${manifest.identity.kind}: ${manifest.identity.describe}`],
    ['read', `${read.from} to ${read.to}, ${duration(read.ms)}`],
    ...(read.continued ? [['continued', lastRun(manifest)] as const] : []),
    [
      'holds',
      `${plural(totals.tables, 'table')}, ${plural(totals.rows, 'row')}, ${plural(totals.parts, 'part')}, ${bytes(totals.bytes)}`,
    ],
    [
      'cost',
      `${plural(manifest.requests, 'request')}, ${bytes(manifest.bytesReceived)} received${read.continued ? ' by the last run' : ''}, ${plural(reusedParts, 'part')} used again`,
    ],
    ['manifest', key],
    ['sha256', sha256],
  ];
  const tables = manifest.tables.map(({ name, rows, bytes: size, parts, strategy, consistency }) => [
    name,
    count(rows),
    bytes(size),
    count(parts.length),
    strategy,
    consistency,
  ]);
  const leftOut = manifest.tables.flatMap(({ name, columnsLeftOut }) =>
    columnsLeftOut.map((column) => `left out: ${name}.${column.name} (${column.reason})`),
  );
  const warnings = tableLines(
    manifest.tables.flatMap(({ name: table, warnings: texts }) =>
      texts.map((text) => ({ label: 'warning', table, text })),
    ),
  );
  const failed = tableLines(
    manifest.failed.map(({ name: table, error }) => ({
      label: 'failed',
      table,
      text: `${error.message} [${error.code}]`,
    })),
  );
  return [
    ...pairs(facts, view),
    '',
    ...table(TABLE_COLUMNS, tables, view),
    ...leftOut.map(plainText),
    ...keptAsText.map(({ table: name, column, edmType }) => plainText(`kept as text: ${name}.${column} (${edmType})`)),
    ...[...warnings, ...failed].map((line) => labelled(line, view)),
  ];
}
