/** What PostgreSQL answers and how connections to it break, as errors that say what to do. */
import { TablevaultError } from '../../core/errors.ts';

/** SQLSTATE of an answer of the server; undefined for what is none, such as a connection that broke. */
export function stateOf(error: unknown): string | undefined {
  const state = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return /^[0-9A-Z]{5}$/.test(state) && state !== 'EPIPE' ? state : undefined;
}

/** What to do where no connection came about. */
export const NOT_CONNECTED =
  'Check address and port, and that the server runs and takes connections from this machine. Nothing was restored.';
const ROLLED_BACK = 'The transaction was rolled back; check the server and its log, and restore again.';

/**
 * Answers of PostgreSQL by their SQLSTATE class (PostgreSQL manual, appendix A). Never shows the connection string.
 * @param otherwise what to do where the answer says nothing more
 */
export function postgresFault(error: unknown, doing: string, shown: string, otherwise = ROLLED_BACK): unknown {
  if (error instanceof TablevaultError) return error;
  const state = stateOf(error) ?? '';
  const at = { target: shown, ...(state === '' ? {} : { sqlstate: state }) };
  const fault = (code: ConstructorParameters<typeof TablevaultError>[0], hint: string) =>
    new TablevaultError(code, `${doing} failed: ${messageOf(error)}`, { at, cause: error, hint });
  if (state.startsWith('28') || state === '42501')
    return fault('DESTINATION_DENIED', 'Check user, password (PGPASSWORD) and rights on the database.');
  if (state.startsWith('3D')) return fault('DESTINATION_MISSING', 'Create the database first.');
  if (state.startsWith('53')) return fault('DESTINATION_FULL', 'The server is out of disk, memory or connections.');
  if (state === '42P07' || state === '42710')
    return fault('USAGE', 'Nothing was restored. Restore into a new database, or name a new schema with ?schema=name.');
  if (state === '22021')
    return fault(
      'USAGE',
      'PostgreSQL cannot store NUL characters in text; restore this table to a folder or a DuckDB file.',
    );
  return fault('DESTINATION_UNREACHABLE', otherwise);
}

export const messageOf = (error: unknown): string =>
  error instanceof Error && error.message !== '' ? error.message : String(error);
