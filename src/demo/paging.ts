/** Where an answer ends and what leads to the next one: limits, silent cuts, `$skiptoken`s and `$skip`. */
import { createHash } from 'node:crypto';
import { mix } from './hash.ts';
import type { Value } from './model.ts';
import type { Personality } from './personality.ts';
import type { Query } from './query.ts';
import { badRequest } from './refusal.ts';
import type { Rights } from './rights.ts';
import type { TableData } from './table.ts';

/** What stands in an answer after its rows: the query text of the next page, a link that is none, or nothing. */
export type Continuation = { readonly query: string } | { readonly literal: 'null' | '""' } | null;

/** Where a page begins. */
export interface Resume {
  /** Rows sent before it. */
  readonly rows: number;
  /** Key of the last of them; null begins at the first row. */
  readonly key: readonly Value[] | null;
  /** A page without rows, of a chain that has no end. */
  readonly empty: boolean;
}

/** How many rows an answer holds at most, and at how many a link follows when rows remain. */
export interface Extent {
  readonly limit: number;
  readonly linkAt: number;
  /** Bytes of rows that end the answer. */
  readonly bytes: number;
  /** The answer ends after this share of its rows. */
  readonly share: number;
}

/**
 * The extent of an answer.
 *
 * @param before rows sent by earlier pages of the chain.
 * @param draw a number of 32 bits, another one for each request.
 */
export function extentOf(query: Query, how: Personality, rights: Rights, before: number, draw: number): Extent {
  const { serverPage, cut, nextLink } = how;
  const allowed = rights.maxRows === null ? Number.POSITIVE_INFINITY : Math.max(0, rights.maxRows - before);
  const top = query.top ?? Number.POSITIVE_INFINITY;
  const page = serverPage?.rows ?? Number.POSITIVE_INFINITY;
  const linkAt = nextLink === 'none' ? Number.POSITIVE_INFINITY : serverPage === null ? top : page;
  let cutAt = Number.POSITIVE_INFINITY;
  if (cut !== null && 'rows' in cut) cutAt = cut.rows;
  if (cut !== null && 'between' in cut) cutAt = cut.between[0] + (draw % (cut.between[1] - cut.between[0] + 1));
  return {
    limit: Math.min(top, page, allowed, cutAt),
    // Where rights or a cut end the answer first, nothing tells of the rows that remain; so does the standard's `$top`.
    linkAt:
      linkAt < Math.min(allowed, cutAt) && (serverPage === null || page < top) ? linkAt : Number.POSITIVE_INFINITY,
    bytes: cut !== null && 'bytes' in cut ? cut.bytes : Number.POSITIVE_INFINITY,
    share: cut !== null && 'share' in cut ? cut.share : 1,
  };
}

/** What an answer is told of when a link is made for it. */
export interface Chain {
  readonly table: TableData;
  readonly query: Query;
  readonly personality: Personality;
  readonly resume: Resume | null;
  /** Grows with each request. */
  readonly serial: number;
}

/** The page after the row `lastOrdinal`, given the rows of the chain so far and those of this answer. */
export function nextPage(chain: Chain, lastOrdinal: number, rows: number, sent: number): Continuation {
  const { table, personality, query } = chain;
  const kept = keptText(query, personality.serverPage === null ? 0 : sent);
  const byPosition = table.keys.length === 0 || query.orderby !== null || personality.serverPage?.link === 'skip';
  if (byPosition || lastOrdinal < 0) return { query: `${kept}$skip=${rows}` };
  return { query: `${kept}$skiptoken=${tokenOf(table, { rows, key: table.keyOf(lastOrdinal), empty: false }, 0)}` };
}

/** What an answer carries after which no page follows. */
export function lastPage(chain: Chain): Continuation {
  const { table, personality, query, resume, serial } = chain;
  switch (personality.lastLink) {
    case 'absent':
      return null;
    case 'null':
      return { literal: 'null' };
    case 'empty':
      return { literal: '""' };
    case 'endless-empty':
    case 'endless-same': {
      const empty = personality.lastLink === 'endless-empty';
      const token = tokenOf(table, { rows: resume?.rows ?? query.skip, key: resume?.key ?? null, empty }, serial);
      const skip = query.skip > 0 ? `$skip=${query.skip}&` : '';
      return { query: `${keptText(query, 0)}${skip}$skiptoken=${token}` };
    }
  }
}

/** The options that a link keeps, with `$top` less the rows that were sent. */
function keptText(query: Query, sent: number): string {
  const kept = query.text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => (sent > 0 && /^(\$|%24)top=/i.test(part) ? `$top=${query.top! - sent}` : part));
  return kept.length === 0 ? '' : `${kept.join('&')}&`;
}

function tokenOf(table: TableData, resume: Resume, serial: number): string {
  const key = resume.key?.map((value) => (typeof value === 'bigint' ? { big: String(value) } : value)) ?? null;
  const parts = [resume.rows, key, ...(serial === 0 ? [] : [serial, resume.empty])];
  const body = Buffer.from(JSON.stringify(parts)).toString('base64url');
  return `${body}.${seal(table.name, body)}`;
}

/** Reads a token of our own making; any other is refused. */
export function readToken(table: TableData, token: string): Resume {
  const [body = '', mark] = token.split('.');
  if (mark !== seal(table.name, body))
    throw badRequest('The $skiptoken is not one of this server.', 'InvalidSkipToken');
  const [rows, key, , empty] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [
    number,
    (Value | { readonly big: string })[] | null,
    number | undefined,
    boolean | undefined,
  ];
  return {
    rows,
    key: key?.map((value) => (typeof value === 'object' && value !== null ? BigInt(value.big) : value)) ?? null,
    empty: empty === true,
  };
}

function seal(table: string, body: string): string {
  return createHash('sha256').update(`${table} ${body}`).digest('base64url').slice(0, 8);
}

/** A number of 32 bits for one request, of the seed. */
export function drawOf(seed: number, serial: number): number {
  return mix(seed ^ 0x51ed270b, serial);
}
