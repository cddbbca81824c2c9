/** A starter pipeline, and what an administrator must set up for it. Files that exist are never touched. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { TablevaultError } from '../core/errors.ts';
import { makeFolder } from '../core/folders.ts';
import { globMatcher } from '../core/globs.ts';
import { packageFile } from '../core/package-files.ts';
import type { Auth } from '../core/pipeline.ts';

export type AuthKind = Auth['kind'];

export interface InitOptions {
  readonly folder: string;
  readonly kind: AuthKind;
  /** Make up a client secret, write it to `.env`, and give its hash to register. Service identity only. */
  readonly generateSecret: boolean;
}

export interface InitReport {
  readonly folder: string;
  readonly created: readonly string[];
  /** Existed already and were left as they are. */
  readonly kept: readonly string[];
  /** The file that holds the credential: written now, there before (and left as it is), or still to be written. */
  readonly dotEnv: 'created' | 'there' | 'missing';
  /** Does `.gitignore` name `.env`? Where it does not, a commit would take the credential along. */
  readonly dotEnvIgnored: boolean;
  /** base64(sha256(secret)): ApplicationSecretHash of the Trusted Application. Null when no secret was made. */
  readonly secretHash: string | null;
}

interface StarterFile {
  readonly name: string;
  readonly text: string;
  /** Permissions where they matter. */
  readonly mode?: number;
}

/** Bytes of a generated secret: 256 bits. */
const SECRET_BYTES = 32;

const TEMPLATES: Readonly<Record<AuthKind, string>> = {
  service: 'nightly.yaml',
  'reference-token': 'nightly-token.yaml',
};

const VARIABLES: Readonly<Record<AuthKind, string>> = {
  service: 'ERPNET_CLIENT_SECRET',
  'reference-token': 'ERPNET_TOKEN',
};

/**
 * Writes `backup.yaml`, `.env.example` and `.gitignore`, and `.env` with a generated secret.
 * @throws TablevaultError USAGE also for a folder without a name; DESTINATION_DENIED when the folder cannot be written
 */
export async function initPipeline(options: InitOptions): Promise<InitReport> {
  const { kind, generateSecret } = options;
  if (generateSecret && kind !== 'service') {
    throw new TablevaultError('USAGE', 'a reference token is issued by the instance and cannot be generated here', {
      hint: 'Leave out --generate-secret, or choose --auth service.',
    });
  }
  if (options.folder.trim() === '') {
    throw new TablevaultError('USAGE', `${JSON.stringify(options.folder)} names no folder`, {
      hint: 'Name a folder, or leave the argument out for the current one.',
    });
  }
  const folder = resolve(options.folder);
  const secret = generateSecret ? randomBytes(SECRET_BYTES).toString('base64url') : null;
  const files = await starterFiles(kind, secret);
  const created: string[] = [];
  const kept: string[] = [];
  try {
    await makeFolder(folder);
    for (const file of files) ((await createOnly(folder, file)) ? created : kept).push(file.name);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new TablevaultError('DESTINATION_DENIED', `the folder ${folder} cannot be made or written (${code})`, {
      cause: error,
      hint: 'Choose another folder, or give yourself the right to write.',
    });
  }
  // A hash whose secret was not stored would lock its owner out: of a secret that was there before, its own is told.
  const stored = created.includes('.env') ? secret : generateSecret ? await storedSecret(folder) : null;
  const dotEnv = created.includes('.env') ? 'created' : existsSync(join(folder, '.env')) ? 'there' : 'missing';
  const dotEnvIgnored = isIgnored('.env', await readFile(join(folder, '.gitignore'), 'utf8').catch(() => ''));
  return { folder, created, kept, dotEnv, dotEnvIgnored, secretHash: stored === null ? null : hashOf(stored) };
}

/**
 * Does a `.gitignore` leave out a file that lies beside it? Of the lines that name it the last counts. What git alone understands (escapes,
 * names of several folders) counts as naming it not.
 */
function isIgnored(name: string, gitignore: string): boolean {
  let ignored = false;
  for (const line of gitignore.split(/\r?\n/)) {
    const [, not, glob = ''] = /^(!?)(?:\*\*\/|\/)?([^#/{}\\][^/{}\\]*?) *$/.exec(line) ?? [];
    if (glob !== '' && globMatcher(glob)(name)) ignored = not === '';
  }
  return ignored;
}

/** The secret that a `.env` holds as this command writes it; null where it holds none. */
async function storedSecret(folder: string): Promise<string | null> {
  const text = await readFile(join(folder, '.env'), 'utf8').catch(() => '');
  return new RegExp(`^${VARIABLES.service}=([\\w-]+)$`, 'm').exec(text)?.[1] ?? null;
}

/** As ERP.net stores it. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}

async function starterFiles(kind: AuthKind, secret: string | null): Promise<readonly StarterFile[]> {
  const template = await readFile(packageFile(`pipelines/${TEMPLATES[kind]}`), 'utf8');
  const variable = VARIABLES[kind];
  const files: StarterFile[] = [
    // The editor's line points into this package; the copy lies elsewhere.
    { name: 'backup.yaml', text: template.replace(/^# yaml-language-server:.*\n/, '') },
    { name: '.env.example', text: `# Copy to .env, fill in, and keep .env out of version control.\n${variable}=\n` },
    { name: '.gitignore', text: '.env\nvault/\n' },
  ];
  if (secret !== null) files.push({ name: '.env', text: `${variable}=${secret}\n`, mode: 0o600 });
  return files;
}

/** False when the file is there already. */
async function createOnly(folder: string, { name, text, mode }: StarterFile): Promise<boolean> {
  try {
    await writeFile(join(folder, name), text, { flag: 'wx', ...(mode === undefined ? {} : { mode }) });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
