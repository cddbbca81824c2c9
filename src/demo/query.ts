/** Query options of the Table API, read strictly: what is not documented is refused unless the personality knows it. */
import { type Condition, parseFilter } from './filter-parse.ts';
import type { Personality } from './personality.ts';
import { badRequest } from './refusal.ts';

export interface Query {
  readonly select: readonly string[] | null;
  readonly filter: readonly Condition[];
  readonly top: number | null;
  readonly skip: number;
  readonly orderby: { readonly column: string; readonly descending: boolean } | null;
  readonly count: boolean;
  readonly skipToken: string | null;
  readonly culture: string | null;
  /** The options as given but for `$skiptoken` and `$skip`, for next links. */
  readonly text: string;
}

const MAX_TOP = 2 ** 31 - 1;

/** Reads the part of a URL after `?`. Throws a refusal. */
export function parseQuery(search: string, how: Personality): Query {
  const options = new Map<string, string>();
  const kept: string[] = [];
  for (const part of search.replace(/^\?/, '').split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = decode(at < 0 ? part : part.slice(0, at));
    if (options.has(name)) throw badRequest(`The option ${name} is given twice.`, 'InvalidOption');
    options.set(name, decode(at < 0 ? '' : part.slice(at + 1)));
    if (name !== '$skiptoken' && name !== '$skip') kept.push(part);
  }
  for (const name of options.keys()) {
    const known =
      ['$select', '$filter', '$top', '$skiptoken'].includes(name) ||
      (name === '$count' && how.count) ||
      // A server that hands out links by position must know it.
      (name === '$skip' &&
        (how.skip || how.nextLink !== 'none' || how.serverPage !== null || how.lastLink.startsWith('endless'))) ||
      (name === '$orderby' && how.orderby) ||
      (name === 'culture' && how.multiLanguage === 'accept-language');
    if (!known) throw badRequest(`The query option '${name}' is not supported.`, 'UnsupportedOption');
  }
  const count = options.get('$count') ?? 'false';
  if (count !== 'true' && count !== 'false') throw badRequest('$count must be true or false.', 'InvalidOption');
  const filter = options.get('$filter');
  const select = options.get('$select');
  const orderby = options.get('$orderby')?.trim();
  const sort = orderby === undefined ? null : /^(\w+)( asc| desc)?$/.exec(orderby);
  if (orderby !== undefined && sort === null) throw badRequest('$orderby takes one column.', 'InvalidOption');
  return {
    select: select === undefined ? null : select.split(',').map((name) => name.trim()),
    filter: filter === undefined ? [] : parseFilter(filter),
    top: whole(options.get('$top'), '$top'),
    skip: whole(options.get('$skip'), '$skip') ?? 0,
    orderby: sort == null ? null : { column: sort[1]!, descending: sort[2] === ' desc' },
    count: count === 'true',
    skipToken: options.get('$skiptoken') ?? null,
    culture: options.get('culture') ?? null,
    text: kept.join('&'),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw badRequest('The query is not properly percent-encoded.', 'InvalidOption');
  }
}

function whole(text: string | undefined, name: string): number | null {
  if (text === undefined) return null;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= MAX_TOP)) throw badRequest(`${name} must be a number from 0 to ${MAX_TOP}.`, 'InvalidOption');
  return value;
}
