/** The targets that a command line may name, and whether each is empty. */
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TablevaultError } from '../../core/errors.ts';
import { outputPlace } from '../../core/output-place.ts';
import { fileFault } from '../../storage/faults.ts';
import { type PostgresTarget, parsePostgres } from './postgres-address.ts';

export type FileFormat = 'parquet' | 'csv' | 'ndjson';

/** Where a snapshot is restored to. Each must be empty. */
export type RestoreTarget =
  | { readonly kind: 'folder'; readonly path: string; readonly format: FileFormat }
  | { readonly kind: 'duckdb'; readonly path: string }
  | PostgresTarget;

const TARGETS = 'a folder, a file that ends in .duckdb, or postgres://…';

/** Endings of files that a restore does not write: whoever names one does not mean a folder. */
const OTHER_FILE =
  /\.(xlsx?|ods|csv|tsv|ndjson|jsonl?|parquet|arrows?|db|sqlite3?|sql|dump|mdb|accdb|zip|tar|t?gz|zst)$/i;

/** `host=… password=…`, as libpq takes it. */
const CONNINFO = /^(host|hostaddr|port|dbname|user|password)\s*=/i;

/**
 * Parses `--to`: `postgres://…` (with `?schema=name`, default `public`), a path that ends in `.duckdb`, or a folder. What looks like anything
 * else is no folder: a folder would be made whose name holds, say, the password of an address.
 * @throws TablevaultError `USAGE`; it never shows the text
 */
export function parseTarget(to: string, format: FileFormat | undefined, replaceNul = false): RestoreTarget {
  const usage = (what: string, hint: string) => new TablevaultError('USAGE', what, { hint });
  if (to.trim() === '') throw usage('--to is empty', `Give ${TARGETS}.`);
  if (/^[\s"']|[\s"']$/.test(to)) throw usage('--to has blanks or quotes around it', `Give ${TARGETS}, without them.`);
  const isPostgres = /^postgres(ql)?:\/\//i.test(to);
  const isDuckDb = !isPostgres && /\.duckdb(\?[^/]*)?$/i.test(to);
  if (!isPostgres && (isAddress(to) || CONNINFO.test(to))) {
    throw usage(
      `--to takes ${TARGETS}: it is none of them`,
      'Write ./name for a path with a colon or an = in its first part. To copy a vault, use the tools of its store.',
    );
  }
  if (OTHER_FILE.test(to) && !isPostgres) {
    throw usage(
      `--to takes ${TARGETS}: it names a file of another kind`,
      'For files give a folder, and --format; for a folder of that name, end it with a slash.',
    );
  }
  if ((isPostgres || isDuckDb) && format !== undefined) {
    throw usage('--format is for folders: a database has a format of its own', 'Leave --format out.');
  }
  if (isPostgres) return parsePostgres(to, replaceNul);
  if (isDuckDb) return { kind: 'duckdb', path: resolve(to) };
  return { kind: 'folder', path: resolve(to), format: format ?? 'parquet' };
}

/** Does its first part hold a colon (`jdbc:…`, `s3://…`, `//user:password@host`), and is that no drive of Windows? */
function isAddress(to: string): boolean {
  if (/^[a-z]:[\\/]/i.test(to)) return false;
  const [first = ''] = to.replace(/^[\\/]{2,}/, '').split(/[\\/]/);
  return first.includes(':');
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
