/** `tablevault verify`: checks a vault; changes nothing in it. */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { TablevaultError } from '../core/errors.ts';
import { parsePublicKeys } from '../core/signing-key.ts';
import { count, plural } from '../core/words.ts';
import type { VerifyLevel, VerifyReport } from '../run/vault/verify.ts';
import type { Finding, FindingCode } from '../vault/findings.ts';
import type { CliContext } from './context.ts';
import { bytes } from './format.ts';
import { jsonOption, withHelp } from './help.ts';
import { logEvent } from './log.ts';
import { durationMs } from './options.ts';
import { plainText } from './text.ts';
import { PIPELINE_OPTION, SNAPSHOT_OPTION, VAULT_ARGUMENT, withVault } from './vault.ts';

interface Options {
  readonly snapshot: string;
  readonly pipeline?: string;
  readonly level: VerifyLevel;
  readonly sample?: number;
  readonly within?: number;
  readonly all?: true;
  readonly publicKey?: string[];
  readonly json?: true;
}

export function addVerify(program: Command, context: CliContext): void {
  const command = program
    .command('verify')
    .summary('check a vault and a snapshot')
    .description(
      'Checks a vault and changes nothing. Every level checks the chain of snapshots by the index, and the manifests of the newest snapshot and of the one that is named; with --all, every manifest. Level files also checks size and SHA-256 of every part of the snapshot. Level rows also reads every part as Parquet and checks row and null counts, keys, and the least and greatest values.',
    )
    .argument('<vault>', VAULT_ARGUMENT)
    .option(...SNAPSHOT_OPTION)
    .option(...PIPELINE_OPTION)
    .addOption(
      new Option('--level <level>', 'how thoroughly to check').choices(['manifest', 'files', 'rows']).default('files'),
    )
    .option('--all', 'read every manifest of the vault, and hold it against the index')
    .option('--sample <percent>', 'at level files: check only this share of the parts, drawn at random', percentage)
    .option(
      '--within <time>',
      'at level files: check parts, drawn at random, until this time is over, e.g. 10m',
      durationMs,
    )
    .option(
      '--public-key <file>',
      'every manifest must be signed with one of the Ed25519 keys of this file (PEM), and is read; may be given more than once',
      (file: string, files: string[] = []) => [...files, file],
    )
    .addOption(jsonOption())
    .action(async (vault: string, options: Options) => {
      await verify(context, vault, options);
    });
  withHelp(command, {
    exits: [6, 7],
    meanings: { 6: 'something is wrong with the vault; each finding is printed' },
    examples: ['tablevault verify ./vault --level rows'],
  });
}

async function verify(context: CliContext, uri: string, options: Options): Promise<void> {
  const { signal, output, screen, clock } = context;
  const { snapshot, pipeline, all, level, sample: percent, within: withinMs } = options;
  const some = percent !== undefined || withinMs !== undefined;
  const sample = some ? { percent, withinMs, clock, random: Math.random } : undefined;
  const { verifyVault } = await import('../run/vault/verify.ts');
  const publicKeys = options.publicKey === undefined ? undefined : await readPublicKeys(options.publicKey);
  const emit = logEvent.bind(undefined, context.log);
  const report = await withVault(context, uri, (vault) =>
    verifyVault(vault, { snapshot, pipeline, all, level, sample, publicKeys, signal, emit }),
  );
  if (options.json) await output.json(report);
  else await output.lines(reportText(report).map(plainText));
  if (report.ok) return screen.line(verdict(report));
  const { findings, unjudged } = report;
  const aside = unjudged.length === 0 ? '' : `; ${plural(unjudged.length, 'file')} could not be judged`;
  if (findings.length > 0) {
    throw new TablevaultError(
      'VERIFY_FAILED',
      `verification found ${plural(findings.length, 'problem')} in ${uri}${aside}`,
      {
        hint: nextSteps(findings),
      },
    );
  }
  throw new TablevaultError('DESTINATION_UNREACHABLE', `verification found no damage in ${uri}${aside}`, {
    hint: 'Check the disk, the rights and the limits of this machine (ulimit -n, memory), then run again.',
  });
}

type Damage = 'file' | 'chain' | 'commit' | 'signature' | 'index' | 'stray' | 'nothing';

/** What kind of damage a finding is: each is mended in its own way. */
const DAMAGE: Readonly<Record<FindingCode, Damage>> = {
  VAULT_EMPTY: 'nothing',
  MANIFEST_UNREADABLE: 'chain',
  MANIFEST_CONTRADICTION: 'chain',
  MANIFEST_CHANGED: 'chain',
  CHAIN_BROKEN: 'chain',
  INDEX_UNREADABLE: 'index',
  STRAY_OBJECT: 'stray',
  SIGNATURE: 'signature',
  SEQUENCE_MISSING: 'chain',
  SNAPSHOT_MISSING: 'chain',
  TOMBSTONE_UNREADABLE: 'chain',
  OUTCOME_MISSING: 'chain',
  OUTCOME_UNREADABLE: 'chain',
  OUTCOME_DIFFERS: 'chain',
  COMMIT_LACKS_PARTS: 'commit',
  PART_MISSING: 'file',
  PART_SIZE: 'file',
  PART_HASH: 'file',
  PART_UNREADABLE: 'file',
  PARQUET_UNREADABLE: 'file',
  PARQUET_SCHEMA: 'file',
  ROW_COUNT: 'file',
  NULL_COUNT: 'file',
  COLUMN_RANGE: 'file',
  KEY_NULL: 'file',
  KEY_RANGE: 'file',
  KEY_DUPLICATE: 'file',
};

const NEXT_STEP: Readonly<Record<Damage, string>> = {
  chain:
    'Restore the objects that are named from a copy of the vault: a new snapshot does not mend what is damaged or missing of earlier ones.',
  commit:
    'Restore the parts of a snapshot that is not published from a copy of the vault, or give it up: remove the `outcome.json` that is named.',
  file: 'Take a new snapshot, which reads these tables again; `tablevault repair` lists every damaged file.',
  signature:
    'Look which key signed these snapshots: after a change of keys give the public keys of all (--public-key); a snapshot without a signature stays so.',
  index: 'The next snapshot, or `tablevault prune`, writes the index anew.',
  stray: 'Remove the objects that nothing reads.',
  nothing: 'Take a snapshot.',
};

function nextSteps(findings: readonly Finding[]): string {
  const found = new Set(findings.map(({ code }) => DAMAGE[code as FindingCode]));
  const steps = (Object.keys(NEXT_STEP) as Damage[]).filter((damage) => found.has(damage));
  return steps.map((damage) => NEXT_STEP[damage]).join(' ');
}

async function readPublicKeys(files: readonly string[]): Promise<KeyObject[]> {
  const keys: KeyObject[] = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new TablevaultError('USAGE', `the key ${file} cannot be read (${error.code ?? error.message})`, {
        hint: 'Give the file that holds the public key.',
      });
    });
    const held = parsePublicKeys(text);
    if (held === undefined) {
      throw new TablevaultError('USAGE', `${file} holds no Ed25519 public key in PEM, or something else beside it`, {
        hint: 'Write it with `openssl pkey -in signing.pem -pubout -out signing.pub`.',
      });
    }
    keys.push(...held);
  }
  return keys;
}

function reportText({ findings, notices, unjudged }: VerifyReport): string[] {
  return [
    ...findings.map(({ code, object, message }) => `${code} ${object}: ${message}`),
    ...unjudged.map(({ code, object, message }) => `not judged ${code} ${object}: ${message}`),
    ...notices.map(({ code, object, message }) => `note ${code} ${object}: ${message}`),
  ];
}

/** What was looked at, so that a clean result says how much it is worth. */
function verdict({ level, snapshot, checked, sampled }: VerifyReport): string {
  const hashed = `${plural(checked.parts, 'part')}, ${bytes(checked.bytes)} hashed`;
  const deeper = [
    sampled === null
      ? `${plural(checked.tables, 'table')}, ${hashed}`
      : `a sample of ${count(sampled.parts)} of ${plural(sampled.of, 'part')}, ${bytes(checked.bytes)} hashed`,
    ...(level === 'rows' ? [`${plural(checked.rows, 'row')} read`] : []),
  ];
  const what = level === 'manifest' ? '' : `; snapshot ${snapshot ?? '(none)'}: ${deeper.join(', ')}`;
  return `verified at level ${level}: ${plural(checked.snapshots, 'manifest')} in the chain${what}; nothing wrong`;
}

function percentage(value: string): number {
  const percent = /^\d{1,3}(\.\d{1,4})?%?$/.test(value) ? Number.parseFloat(value) : 0;
  if (percent <= 0 || percent > 100) throw new InvalidArgumentError('Give a percentage above 0 and at most 100.');
  return percent;
}
