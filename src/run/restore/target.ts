/** The targets that a command line may name, and whether each is empty. */
import { lstat, readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TablevaultError } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';
import { fileFault } from '../../storage/faults.ts';

export type FileFormat = 'parquet' | 'csv' | 'ndjson';

/** Where a snapshot is restored to. Each must be empty. */
export type RestoreTarget =
  | { readonly kind: 'folder'; readonly path: string; readonly format: FileFormat }
  | { readonly kind: 'duckdb'; readonly path: string }
  /** `shown` is the address without a password. */
  | {
      readonly kind: 'postgres';
      readonly url: Secret;
      readonly schema: string;
      readonly shown: string;
      /** Write U+2400 for NUL characters in text, which PostgreSQL cannot hold; else they end the restore. */
      readonly replaceNul: boolean;
    };

/**
 * Parses `--to`: `postgres://…` (with `?schema=name`, default `public`), a path that ends in `.duckdb`, or a folder.
 * @throws TablevaultError `USAGE`.
 */
export function parseTarget(to: string, format: FileFormat | undefined, replaceNul = false): RestoreTarget {
  const usage = (what: string, hint: string) => new TablevaultError('USAGE', what, { hint });
  if (to.trim() === '') throw usage('--to is empty', 'Give a folder, a file that ends in .duckdb, or postgres://….');
  const database = /^postgres(ql)?:\/\//i.test(to) || /\.duckdb$/i.test(to);
  if (database && format !== undefined) {
    throw usage('--format is for folders: a database has a format of its own', 'Leave --format out.');
  }
  if (/^postgres(ql)?:\/\//i.test(to)) {
    if (!URL.canParse(to)) throw usage('--to is no address of PostgreSQL', 'Write postgres://user@host:5432/database.');
    const url = new URL(to);
    const schema = url.searchParams.get('schema') ?? 'public';
    url.searchParams.delete('schema');
    const shown = new URL(url);
    shown.password = '';
    shown.search = '';
    return { kind: 'postgres', url: new Secret(url.href), schema, shown: shown.href, replaceNul };
  }
  if (/\.duckdb$/i.test(to)) return { kind: 'duckdb', path: resolve(to) };
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(to)) {
    throw usage(
      '--to takes a folder, a file that ends in .duckdb, or postgres://…',
      'To copy a vault, use the tools of its store.',
    );
  }
  return { kind: 'folder', path: resolve(to), format: format ?? 'parquet' };
}

/** @throws TablevaultError `USAGE` when the path holds anything. */
export async function refuseUsedPath(path: string): Promise<void> {
  const used = new TablevaultError('USAGE', `${path} is not empty: nothing was restored`, {
    at: { target: path },
    hint: 'Restore into a new folder or file; what exists is never overwritten.',
  });
  try {
    const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined) return;
    if (!found.isDirectory() || (await readdir(path)).length > 0) throw used;
  } catch (error) {
    throw fileFault(error, 'looking at the target', { store: path, object: '.' });
  }
}
