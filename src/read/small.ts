/** Reads of few rows, for questions; never for rows of a snapshot. */
import { hasCode, TablevaultError } from '../core/errors.ts';
import { Control, errorMessage, isObject, meaningOf } from '../decode/control.ts';
import type { Source } from './answer.ts';
import { pagesOf } from './pages.ts';

export type SmallRow = Readonly<Record<string, unknown>>;

export interface SmallAnswer {
  readonly rows: readonly SmallRow[];
  readonly hasNextLink: boolean;
  readonly count: number | null;
}

export interface SmallRequest {
  readonly purpose: string;
  readonly table: string;
  readonly signal: AbortSignal;
  readonly acceptLanguage?: string;
  /** Read all next pages. Default: the first page alone. */
  readonly follow?: boolean;
}

/** No question of ours has an answer of so many pages or rows. */
const MAX_PAGES = 1_000;
const MAX_ROWS = 200_000;

/** A read of few rows, through `JSON.parse`: for probes and for the instance's own tables (numbers become floats). */
export async function readSmall(source: Source, query: string, request: SmallRequest): Promise<SmallAnswer> {
  const { table, follow, ...rest } = request;
  const rows: SmallRow[] = [];
  let first: SmallPage | undefined;
  let pages = 0;
  for await (const page of pagesOf({ table, root: source.tableApi, query, keyed: false }, async (url) => {
    const { bytes } = await source.transport.getBytes(url, { ...rest, table });
    return parsePage(bytes, table);
  })) {
    rows.push(...page.value);
    first ??= page;
    if (++pages > MAX_PAGES || rows.length > MAX_ROWS)
      throw new TablevaultError('PAGING_LOOP', `the pages of ${table} do not end`, { at: { table } });
    if (follow !== true) break;
  }
  return { rows, hasNextLink: first != null && first.nextLink !== null, count: first?.count ?? null };
}

/** The answer, or null where the instance declines this question, or answers it uselessly: it stays open, which is not a no. */
export async function askSmall(source: Source, query: string, request: SmallRequest): Promise<SmallAnswer | null> {
  try {
    const answer = await readSmall(source, query, request);
    // A page without a row that has a next link may be followed by one with rows.
    return answer.rows.length === 0 && answer.hasNextLink && request.follow !== true ? null : answer;
  } catch (thrown) {
    if (isUnanswered(thrown)) return null;
    throw thrown;
  }
}

/** Did the instance decline one question, or answer it uselessly, rather than fail as a whole? */
export function isUnanswered(thrown: unknown): boolean {
  return hasCode(thrown, 'REQUEST_REFUSED', 'AUTH_FORBIDDEN', 'BODY_INVALID', 'BODY_TRUNCATED', 'PAGING_LOOP');
}

interface SmallPage {
  readonly value: readonly SmallRow[];
  readonly rows: number;
  readonly ends: string;
  readonly nextLink: string | null;
  readonly count: number | null;
}

function parsePage(bytes: Uint8Array, table: string): SmallPage {
  const invalid = (what: string, cause?: unknown) =>
    new TablevaultError('BODY_INVALID', `the response for ${table} ${what}`, { at: { table }, retryable: true, cause });
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw invalid('is not JSON', cause);
  }
  if (!isObject(body) || !Array.isArray(body['value'])) throw invalid('has no list of rows');
  const control = new Control();
  for (const [name, each] of Object.entries(body)) {
    const wrong = meaningOf(name) === 'rows' ? undefined : control.take(name, each);
    if (wrong !== undefined) throw invalid(`has ${wrong}`);
  }
  if (control.error !== undefined) throw invalid(`tells of an error: ${errorMessage(control.error).slice(0, 300)}`);
  // A row that is none would make few of some, and none of one: that says no where nothing was said.
  const value: readonly unknown[] = body['value'];
  if (!value.every(isObject)) throw invalid('has a row that is no object');
  const { nextLink, count } = control;
  return { value, rows: value.length, ends: JSON.stringify([value[0], value.at(-1)]), nextLink, count };
}
