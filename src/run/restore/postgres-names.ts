/** Names that PostgreSQL takes: it cuts longer ones without an error (NAMEDATALEN). */
import { sha256Hex } from '../../core/digest.ts';
import { TablevaultError } from '../../core/errors.ts';
import type { TableEntry } from '../../vault/chain/manifest.ts';

const MAX_NAME_BYTES = 63;

/**
 * The name of a reference: `fk_<table>_<column>`, or where that is too long or taken its beginning and a hash, so that no two references of a
 * table share one.
 * @param to the table that is referred to
 * @param taken names of other references of the table
 */
export function foreignKeyName(
  reference: { readonly table: string; readonly column: string; readonly to: string },
  taken: ReadonlySet<string>,
): string {
  const { table, column, to } = reference;
  const name = `fk_${table}_${column}`;
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES && !taken.has(name)) return name;
  const hash = sha256Hex(JSON.stringify([table, column, to])).slice(0, 8);
  let beginning = '';
  for (const char of name) {
    if (Buffer.byteLength(`${beginning}${char}_${hash}`) > MAX_NAME_BYTES) break;
    beginning += char;
  }
  return `${beginning}_${hash}`;
}

/** @throws TablevaultError USAGE when a name of the table would be cut */
export function refuseLongNames({ name, schema }: TableEntry): void {
  const long = [name, ...schema.columns.map((column) => column.name)].find(
    (each) => Buffer.byteLength(each) > MAX_NAME_BYTES,
  );
  if (long === undefined) return;
  throw new TablevaultError('USAGE', `PostgreSQL does not accept names longer than ${MAX_NAME_BYTES} bytes: ${long}`, {
    at: { table: name },
    hint: 'Restore this table to a folder or a DuckDB file, and the others with --tables.',
  });
}
