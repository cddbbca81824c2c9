/** Reads of few rows, for questions; never for rows of a snapshot. */
import { TablevaultError } from '../core/errors.ts';
import type { Instance } from '../instance/open.ts';
import { resolveNextLink } from '../odata/links.ts';

export type SmallRow = Readonly<Record<string, unknown>>;

export interface SmallAnswer {
  readonly rows: readonly SmallRow[];
  readonly hasNextLink: boolean;
  readonly count: number | null;
}

const MAX_PAGES = 1000;

/**
 * A read of few rows, through `JSON.parse`: for probes and for the instance's own tables, never for rows of a snapshot (numbers become
 * floats). `follow` reads all next pages.
 */
export async function readSmall(
  instance: Instance,
  query: string,
  request: {
    readonly purpose: string;
    readonly table: string;
    readonly signal: AbortSignal;
    readonly follow?: boolean;
  },
): Promise<SmallAnswer> {
  let url = new URL(query, instance.tableApi).href;
  const rows: SmallRow[] = [];
  let first: { hasNextLink: boolean; count: number | null } | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { bytes } = await instance.transport.getBytes(url, request);
    const body = parseBody(bytes, request.table);
    rows.push(...body.value);
    first ??= { hasNextLink: body.nextLink !== null, count: body.count };
    if (body.nextLink === null || request.follow !== true) return { rows, ...first };
    url = resolveNextLink(instance.tableApi, body.nextLink, url);
  }
  throw new TablevaultError('PAGING_LOOP', `the pages of ${request.table} do not end`, {
    at: { table: request.table },
  });
}

function parseBody(
  bytes: Uint8Array,
  table: string,
): { value: SmallRow[]; nextLink: string | null; count: number | null } {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new TablevaultError('BODY_INVALID', `the response for ${table} is not JSON`, {
      cause,
      retryable: true,
      at: { table },
    });
  }
  if (typeof body !== 'object' || body === null || !('value' in body) || !Array.isArray(body.value)) {
    throw new TablevaultError('BODY_INVALID', `the response for ${table} has no list of rows`, {
      at: { table },
      retryable: true,
    });
  }
  const link = '@odata.nextLink' in body ? body['@odata.nextLink'] : null;
  const count = '@odata.count' in body ? Number(body['@odata.count']) : Number.NaN;
  const value = body.value.filter((row): row is SmallRow => typeof row === 'object' && row !== null);
  return { value, nextLink: typeof link === 'string' ? link : null, count: Number.isSafeInteger(count) ? count : null };
}
