/** What the commands that read a vault share. */
import type { Command } from 'commander';
import { TablevaultError } from '../core/errors.ts';
import type { Vault } from '../vault/vault.ts';
import type { CliContext } from './context.ts';
import { plainText } from './text.ts';
import { startWork } from './work.ts';

/** Opens the vault for reading, and closes its store whatever happens. What takes long is told. */
export async function withVault<T>(context: CliContext, uri: string, use: (vault: Vault) => Promise<T>): Promise<T> {
  const work = startWork(context, `at work on the vault ${uri}`);
  try {
    return await useVault(uri, context, use);
  } finally {
    work.end();
  }
}

async function useVault<T>(
  uri: string,
  { signal, env, screen }: Pick<CliContext, 'signal' | 'env' | 'screen'>,
  use: (vault: Vault) => Promise<T>,
): Promise<T> {
  const [{ clearTextWarning, openStore }, { openVault }] = await Promise.all([
    import('../storage/open.ts'),
    import('../vault/open.ts'),
  ]);
  const clearText = clearTextWarning(uri, env);
  if (clearText !== undefined) screen.line(`warning: ${plainText(clearText)}`);
  const onThrottled = (message: string) => screen.line(`warning: ${plainText(message)}`);
  const store = await openStore(uri, { signal, env, onThrottled });
  try {
    return await use(await openVault(store, { signal }));
  } finally {
    await store.close();
  }
}

/** The help text of the argument, the same everywhere. */
export const VAULT_ARGUMENT = 'folder or s3://bucket/prefix';

export const SNAPSHOT_OPTION = [
  '--snapshot <id>',
  'a snapshot id, a sequence number, a date (the newest complete one finished by then, UTC), or latest (the newest complete one)',
  'latest',
] as const;

/** Which snapshots `latest` and dates look at. */
export const PIPELINE_OPTION = [
  '--pipeline <name>',
  'look at the snapshots of this pipeline alone; needed where a vault holds those of several (name@database: of one database)',
] as const;

/**
 * The snapshot that was named, as an argument or with `--snapshot`; undefined when it was not.
 * @throws TablevaultError USAGE when both name one, and not the same
 */
export function snapshotOf(argument: string | undefined, command: Command): string | undefined {
  const { snapshot } = command.opts<{ readonly snapshot?: string }>();
  const option = command.getOptionValueSource('snapshot') === 'cli' ? snapshot : undefined;
  if (argument !== undefined && option !== undefined && argument !== option) {
    throw new TablevaultError('USAGE', `two snapshots are named: ${argument}, and --snapshot ${option}`, {
      hint: 'Name one of them.',
    });
  }
  return argument ?? option;
}
