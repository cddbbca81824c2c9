/** Opens the store that an address names. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Environment, isThisMachine, withoutUser } from '../core/address.ts';
import { TablevaultError } from '../core/errors.ts';
import type { FileSystem } from './filesystem.ts';
import { createFolderStore } from './folder.ts';
import type { CallOptions, Store } from './store.ts';

export interface OpenStoreOptions extends CallOptions {
  /** Default `process.env`; the S3 store reads its endpoint and path style from it. */
  readonly env?: Environment;
  readonly fileSystem?: FileSystem;
  /** Told once when the store asks to slow down. */
  readonly onThrottled?: (message: string) => void;
}

/**
 * The store at an address: a folder's path (relative to the working directory), `file:` URL, or `s3://bucket/prefix`.
 * Nothing is asked of it yet, and nothing is created.
 * @throws TablevaultError `USAGE` for other addresses.
 */
export async function openStore(uri: string, options: OpenStoreOptions = {}): Promise<Store> {
  if (uri.trim() === '' || uri.includes('\0')) throw unusable(uri, 'it names no folder');
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === 's3') {
    // Loaded only when needed: the SDK takes a third of a second to load.
    const { checkRegion, createS3Store, parseS3Uri } = await import('./s3.ts');
    const env = options.env ?? process.env;
    const address = parseS3Uri(uri);
    await checkRegion(env);
    return createS3Store({ ...address, env, onThrottled: options.onThrottled });
  }
  const folder = options.fileSystem === undefined ? {} : { fileSystem: options.fileSystem };
  if (scheme === 'file') return createFolderStore(pathOfFileUrl(uri), folder);
  if (scheme !== undefined && uri.slice(scheme.length + 1).startsWith('//')) {
    throw unusable(uri, `${scheme}: is no kind of destination`);
  }
  return createFolderStore(resolve(uri), folder);
}

/** What to say of a store that is asked over a network in clear; undefined where it is not. */
export function clearTextWarning(uri: string, env: Environment): string | undefined {
  const endpoint = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'] ?? '';
  if (!/^s3:/i.test(uri) || !URL.canParse(endpoint)) return undefined;
  const { protocol, hostname } = new URL(endpoint);
  if (protocol !== 'http:' || isThisMachine(hostname)) return undefined;
  return `${hostname} is asked over plain http: whoever is on the way can read all that is stored`;
}

function pathOfFileUrl(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch (error) {
    throw unusable(uri, error instanceof Error ? error.message : String(error));
  }
}

function unusable(uri: string, why: string): TablevaultError {
  return new TablevaultError('USAGE', `${JSON.stringify(withoutUser(uri))} is not the address of a vault: ${why}`, {
    hint: 'Give a folder, or s3://bucket/prefix.',
  });
}
