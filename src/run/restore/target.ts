/** The targets that a command line may name, and whether each is empty. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isDecodable } from '../../core/address.ts';
import { TablevaultError } from '../../core/errors.ts';
import { outputPlace } from '../../core/output-place.ts';
import { Secret } from '../../core/secret.ts';
import { errnoOf, fileFault } from '../../storage/faults.ts';

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
  if (/^postgres(ql)?:\/\//i.test(to)) return postgresTarget(to, replaceNul);
  if (/\.duckdb$/i.test(to)) return { kind: 'duckdb', path: resolve(to) };
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(to)) {
    throw usage(
      '--to takes a folder, a file that ends in .duckdb, or postgres://…',
      'To copy a vault, use the tools of its store.',
    );
  }
  return { kind: 'folder', path: resolve(to), format: format ?? 'parquet' };
}

/** @throws TablevaultError `USAGE`; it never shows the address, which may hold a password at any place */
function postgresTarget(to: string, replaceNul: boolean): RestoreTarget {
  const url = URL.canParse(to) ? new URL(to) : undefined;
  // `postgres://u:12/secret@host/db` is the host `u` to a URL: an @ behind the host is of a password that is not escaped.
  if (url === undefined || `${url.pathname}${url.search}${url.hash}`.includes('@')) {
    throw new TablevaultError('USAGE', '--to is no address of PostgreSQL', {
      hint: 'Write postgres://user@host:5432/database, with the password in PGPASSWORD, or escaped in the address: @ / ? # % are %40 %2F %3F %23 %25.',
    });
  }
  const pieces = { user: url.username, password: url.password, host: url.hostname, database: url.pathname };
  for (const [name, piece] of Object.entries(pieces)) {
    if (isDecodable(piece)) continue;
    throw new TablevaultError('USAGE', `the ${name} in --to holds a % that is no escape`, {
      hint: 'Write %25 for a %.',
    });
  }
  const schema = url.searchParams.get('schema') ?? 'public';
  url.searchParams.delete('schema');
  requireReadable(url.searchParams);
  const shown = new URL(url);
  shown.password = '';
  shown.search = '';
  shown.hash = '';
  return { kind: 'postgres', url: new Secret(url.href), schema, shown: shown.href, replaceNul };
}

/** Options of the address that name files, which the client reads while it is made. */
function requireReadable(options: URLSearchParams): void {
  for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
    const file = options.get(name);
    if (file === null || file === '') continue;
    try {
      readFileSync(file);
    } catch (error) {
      const why = errnoOf(error) ?? (error as Error).message;
      throw new TablevaultError('USAGE', `the file of ${name} in --to cannot be read: ${file} (${why})`, {
        hint: `Correct ${name} in the address.`,
      });
    }
  }
}

/**
 * Where a restore to a path takes place: where its links lead to. Nothing is there, or an empty folder that a folder may take the place of.
 * @throws TablevaultError `USAGE` when anything else is there; `DESTINATION_*` for what the file system says
 */
export async function emptyPlace(path: string, kind: 'folder' | 'file'): Promise<string> {
  const used = (is: string) =>
    new TablevaultError('USAGE', `${path} ${is}: nothing was restored`, {
      at: { target: path },
      hint: 'Restore into a new folder or file; what exists is never overwritten.',
    });
  try {
    const place = await outputPlace(path);
    switch (place.kind) {
      case 'nothing':
        return place.path;
      case 'folder':
        if (kind === 'file') throw used('is a folder');
        if ((await readdir(place.path)).length > 0) throw used('is not empty');
        return place.path;
      case 'file':
        throw used('is not empty');
      case 'stream':
        throw used(`is no ${kind}`);
    }
  } catch (error) {
    throw fileFault(error, 'looking at the target', { store: path, object: '.' });
  }
}
