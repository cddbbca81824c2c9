/** `tablevault init`: a starter pipeline, and what to ask an administrator for. */
import { type Command, Option } from 'commander';
import type { AuthKind, InitReport } from '../run/init.ts';
import type { CliContext } from './context.ts';
import { jsonOption, withHelp } from './help.ts';

interface Options {
  readonly auth: AuthKind;
  readonly generateSecret?: true;
  readonly json?: true;
}

export function addInit(program: Command, context: CliContext): void {
  const command = program
    .command('init')
    .summary('write a commented starter pipeline')
    .description('Writes backup.yaml, .env.example and .gitignore into a folder. Never changes a file that exists.')
    .argument('[dir]', 'folder to write into; created if it does not exist', '.')
    .addOption(
      new Option('--auth <kind>', 'kind of credential').choices(['service', 'reference-token']).default('service'),
    )
    .option('--generate-secret', 'make up a client secret, write it to .env, and print the hash to register')
    .addOption(jsonOption())
    .action(async (folder: string, options: Options) => {
      await init(context, folder, options);
    });
  withHelp(command, { exits: [7], examples: ['tablevault init ./backup --auth service --generate-secret'] });
}

async function init(context: CliContext, folder: string, options: Options): Promise<void> {
  const { initPipeline } = await import('../run/init.ts');
  const kind = options.auth;
  const report = await initPipeline({ folder, kind, generateSecret: options.generateSecret === true });
  if (!report.dotEnvIgnored) {
    context.screen.line(
      `warning: ${report.folder}/.gitignore does not leave out .env, which ${report.dotEnv === 'missing' ? 'is to hold' : 'holds'} the credential: a commit would publish it. Add the line .env to that file now.`,
    );
  }
  if (options.json) return context.output.json(report);
  for (const line of [...filesText(report), '', ...setupText(kind, report), '', ...nextText(report)]) {
    context.screen.line(line);
  }
}

function filesText({ folder, created, kept, secretHash }: InitReport): string[] {
  return [
    ...created.map((name) => `created ${folder}/${name}`),
    ...kept.map((name) => `kept ${folder}/${name}, which existed${name === '.env' ? keptSecret(secretHash) : ''}`),
  ];
}

/** A secret that is there is not replaced: whoever registered its hash would be locked out. */
function keptSecret(hash: string | null): string {
  return hash === null ? '; no secret was made' : '; no secret was made, and the hash below is that of the one in it';
}

/** What the Trusted Application must be, in ERP.net's own words. */
function setupText(kind: AuthKind, { secretHash }: InitReport): string[] {
  if (kind === 'reference-token') {
    return [
      'Ask an administrator of the instance for a reference token of a Trusted Application of type Automation, with:',
      '  IsEnabled = true',
      '  Scope contains read',
      '  AccessTokens = AuthenticatedUsers or AdministratorsOnly',
      '  for a token of the application itself (SAT): SystemUserAllowed = true, and a SystemUser who may read the tables',
      'Types of application that sign people in (web, native, single page) do not work: nobody sits in front of a nightly backup.',
    ];
  }
  return [
    'Ask an administrator of the instance for a Trusted Application of type Service Application, with:',
    '  ApplicationUri = the clientId of backup.yaml',
    '  IsEnabled = true',
    '  ClientType = Confidential',
    '  SystemUserAllowed = true, and a SystemUser who may read the tables',
    '  Scope contains read (nothing else is needed)',
    `  ApplicationSecretHash = ${secretHash ?? 'base64(sha256(secret)) of the secret; `tablevault init --generate-secret` makes both where there is no .env'}`,
    'Types of application that sign people in (web, native, single page) do not work: nobody sits in front of a nightly backup.',
  ];
}

/** Whoever has a `.env` must not be told to copy over it: it holds the only copy of the secret. */
const CREDENTIAL_STEP: Readonly<Record<InitReport['dotEnv'], string>> = {
  created: 'then:',
  there: 'look whether .env, which is there, holds the credential, then:',
  missing: 'copy .env.example to .env and write the credential into it, then:',
};

function nextText({ folder, dotEnv }: InitReport): string[] {
  const steps = [
    `Next, in ${folder}: change the marked lines of backup.yaml,`,
    CREDENTIAL_STEP[dotEnv],
    '  set -a; . ./.env; set +a',
    '  tablevault tables backup.yaml',
    '  tablevault snapshot backup.yaml',
  ];
  return steps;
}
