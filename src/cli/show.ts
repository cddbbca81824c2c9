/** `tablevault show`: one snapshot. */
import type { Command } from 'commander';
import { count, plural } from '../core/words.ts';
import { type SnapshotDetails, showSnapshot } from '../run/vault/show.ts';
import type { CliContext } from './context.ts';
import { bytes, columns, duration, plainText } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { VAULT_ARGUMENT, withVault } from './vault.ts';

export function addShow(program: Command, context: CliContext): void {
  const command = program
    .command('show')
    .summary('one snapshot: where it comes from, its tables, what was left out')
    .description('Shows one snapshot: where it comes from, its tables, how each was read, and what was left out.')
    .argument('<vault>', VAULT_ARGUMENT)
    .argument('[id]', 'a snapshot id, a sequence number, or latest', 'latest')
    .addOption(jsonOption())
    .action(async (vault: string, id: string, options: { readonly json?: true }) => {
      await show(context, vault, id, options.json === true);
    });
  withHelp(command, { exits: [7], examples: ['tablevault show ./vault latest --json'] });
}

async function show(context: CliContext, uri: string, id: string, json: boolean): Promise<void> {
  const { signal, output } = context;
  const details = await withVault(context, uri, (vault) => showSnapshot(vault, id, { signal }));
  if (json) await output.json(details);
  else
    await output.data(
      detailsText(details)
        .map((line) => `${line}\n`)
        .join(''),
    );
}

function detailsText({ manifest, key, sha256, reusedParts }: SnapshotDetails): string[] {
  const { totals, instance } = manifest;
  const facts = [
    [
      'snapshot',
      `${manifest.snapshot} (number ${manifest.sequence}), ${manifest.complete ? 'complete' : 'incomplete'}`,
    ],
    ['pipeline', manifest.pipeline.name],
    ['instance', `${instance.url}${instance.version === null ? '' : `, version ${instance.version}`}`],
    ['identity', `${manifest.identity.kind}: ${manifest.identity.describe}`],
    ['read', `${manifest.startedAt} to ${manifest.finishedAt}, ${duration(manifest.durationMs)}`],
    [
      'holds',
      `${plural(totals.tables, 'table')}, ${plural(totals.rows, 'row')}, ${plural(totals.parts, 'part')}, ${bytes(totals.bytes)}`,
    ],
    [
      'cost',
      `${plural(manifest.requests, 'request')}, ${bytes(manifest.bytesReceived)} received, ${plural(reusedParts, 'part')} used again`,
    ],
    ['manifest', `${key}, sha256 ${sha256}`],
  ].map((pair) => pair.map(plainText));
  const tables = manifest.tables.map((table) => [
    table.name,
    count(table.rows),
    bytes(table.bytes),
    count(table.parts.length),
    table.strategy,
    table.consistency,
  ]);
  const header = ['table', 'rows', 'size', 'parts', 'strategy', 'consistency'];
  const notes = manifest.tables.flatMap((table) => [
    ...table.columnsLeftOut.map(({ name, reason }) => `left out: ${table.name}.${name} (${reason})`),
    ...table.warnings.map((warning) => `warning: ${table.name}: ${warning}`),
  ]);
  const failed = manifest.failed.map(({ name, error }) => `failed: ${name}: ${error.message} [${error.code}]`);
  return [
    ...columns(facts, ['left', 'left']),
    '',
    ...columns([header, ...tables], ['left', 'right', 'right', 'right', 'left', 'left']),
    ...[...notes, ...failed].map(plainText),
  ];
}
