/** Relative URLs of reads, from data. Pure; the transport adds the root. */
import { TablevaultError } from '../core/errors.ts';
import type { TableSchema } from '../core/schema.ts';
import type { Filter } from './filters.ts';
import { compileFilter } from './filters.ts';

export interface Query {
  readonly table: TableSchema;
  /** Column names; at least one. Without a list the server would send whatever it likes. */
  readonly select: readonly string[];
  readonly filter?: Filter | undefined;
  /** Rows at most, 0 to 2^31 - 1 (the server refuses more). */
  readonly top?: number | undefined;
  /** Ask for `@odata.count` within the answer. */
  readonly count?: boolean | undefined;
}

/**
 * `Table?$select=…&$filter=…&$top=…`, relative to the OData root, percent-encoded.
 *
 * @throws USAGE when nothing is selected or `$top` is out of range
 * @see OData URL Conventions 4.01, section 5.1; spaces are %20, since OData servers differ on `+`
 */
export function compileQuery({ table, select, filter, top, count }: Query): string {
  if (select.length === 0) throw refused(table.name, 'a read that selects no column');
  if (top !== undefined && !(Number.isInteger(top) && top >= 0 && top <= 2 ** 31 - 1)) {
    throw refused(table.name, `a read of ${top} rows`);
  }
  return withOptions(encodePart(table.name), [
    ['$select', select.join(',')],
    ['$filter', filter === undefined ? undefined : compileFilter(filter, table)],
    ['$top', top === undefined ? undefined : String(top)],
    ['$count', count === true ? 'true' : undefined],
  ]);
}

function withOptions(path: string, options: readonly (readonly [string, string | undefined])[]): string {
  const query = options
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeValue(value ?? '')}`)
    .join('&');
  return query === '' ? path : `${path}?${query}`;
}

function encodePart(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch (cause) {
    throw new TablevaultError(
      'USAGE',
      'a name or value in a request holds half a surrogate pair, which no URL can carry',
      {
        hint: 'Check the filter for characters that were cut in two.',
        cause,
      },
    );
  }
}

/** Of what encodeURIComponent escapes, a query may hold these as they are; kept readable for logs. */
function encodeValue(text: string): string {
  return encodePart(text).replace(/%(2C|2F|3A|24|40)/g, (code) => decodeURIComponent(code));
}

function refused(table: string, what: string): TablevaultError {
  return new TablevaultError('USAGE', `cannot ask for ${what}`, {
    at: { table },
    hint: 'Check columns and limits.pageRows of the pipeline.',
  });
}
