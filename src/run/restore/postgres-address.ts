/** The address of PostgreSQL in `--to`. */
import { readFileSync } from 'node:fs';
import { isDecodable } from '../../core/address.ts';
import { TablevaultError } from '../../core/errors.ts';
import { nearNames } from '../../core/near-names.ts';
import { Secret } from '../../core/secret.ts';
import { errnoOf } from '../../storage/faults.ts';

export interface PostgresTarget {
  readonly kind: 'postgres';
  readonly url: Secret;
  readonly schema: string;
  /** The address without a password. */
  readonly shown: string;
  /** Write U+2400 for NUL characters in text, which PostgreSQL cannot hold; else they end the restore. */
  readonly replaceNul: boolean;
}

/** Parameters that the client knows, and `schema`, which is ours; for some, the only values that it does not take for something else. */
const PARAMETERS: Readonly<Record<string, readonly string[] | undefined>> = {
  schema: undefined,
  host: undefined,
  port: undefined,
  user: undefined,
  password: undefined,
  ssl: ['true', '1', '0', 'no-verify'],
  sslmode: ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'],
  sslrootcert: undefined,
  sslcert: undefined,
  sslkey: undefined,
  sslnegotiation: ['postgres', 'direct'],
  uselibpqcompat: ['true'],
  application_name: undefined,
  fallback_application_name: undefined,
  client_encoding: undefined,
  options: undefined,
  statement_timeout: undefined,
  lock_timeout: undefined,
  idle_in_transaction_session_timeout: undefined,
  query_timeout: undefined,
};

/** @throws TablevaultError `USAGE`; it never shows the address, which may hold a password at any place */
export function parsePostgres(to: string, replaceNul: boolean): PostgresTarget {
  const url = URL.canParse(to) ? new URL(to) : undefined;
  // `postgres://u:12/secret@host/db` is the host `u` to a URL: an @ behind the host is of a password that is not escaped.
  if (url === undefined || `${url.pathname}${url.search}${url.hash}`.includes('@') || url.hash !== '') {
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
  requireKnown(url.searchParams);
  const schema = url.searchParams.get('schema') ?? 'public';
  url.searchParams.delete('schema');
  requireReadable(url.searchParams);
  const shown = new URL(url);
  shown.password = '';
  shown.search = '';
  shown.hash = '';
  return { kind: 'postgres', url: new Secret(url.href), schema, shown: shown.href, replaceNul };
}

/** The client ignores what it does not know: a misspelt `schema` would fill another one. Names are not shown either: they may be a password's end. */
function requireKnown(options: URLSearchParams): void {
  const known = Object.keys(PARAMETERS);
  for (const [name, value] of options) {
    const values = PARAMETERS[name];
    if (!known.includes(name)) {
      const near = nearNames(name, known).map((each) => `\`${each}\``);
      throw new TablevaultError('USAGE', '--to holds an unknown parameter behind its ?', {
        hint: `${near.length === 0 ? '' : `Near it: ${near.join(', ')}. `}There are: ${known.join(', ')}.`,
      });
    }
    if (value === '' || values?.includes(value) === false || options.getAll(name).length > 1) {
      throw new TablevaultError(
        'USAGE',
        `the parameter ${name} in --to is empty, given twice, or not one of its values`,
        {
          hint: `Give it once${values === undefined ? '' : `: ${values.join(', ')}`}.`,
        },
      );
    }
  }
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
