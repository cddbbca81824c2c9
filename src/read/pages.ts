/** The one loop over pages: follows next links, and ends. */
import { TablevaultError } from '../core/errors.ts';
import type { PageFacts } from '../decode/reader.ts';
import { resolveNextLink } from '../odata/links.ts';

/** Pages without a row that carry a next link, at most, one after the other. */
const MAX_EMPTY_PAGES = 20;
/** The same, where the instance counts more rows than came. */
const MAX_EMPTY_PAGES_COUNTED = 1_000;
/** Rows without a key may be alike: so many pages that are the same, one after the other, are taken for one that comes again and again. */
const MAX_SAME_PAGES = 20;

export interface PageChain {
  readonly table: string;
  /** OData root, ending in `/odata/`. */
  readonly root: string;
  /** Relative to the root. */
  readonly query: string;
  /** Has each row a key, so that no page comes twice? */
  readonly keyed: boolean;
}

export type Page = Pick<PageFacts, 'rows' | 'nextLink' | 'ends'> &
  Partial<Pick<PageFacts, 'excluded' | 'known' | 'count'>>;

/**
 * The pages of a read, each read when the one before was taken. Leaving the loop ends the read.
 *
 * @throws PAGING_LOOP when a link or a page comes twice, or pages without rows go on; FOREIGN_ORIGIN, BODY_INVALID of a link; what
 * `readPage` throws
 */
export async function* pagesOf<P extends Page>(
  { table, root, query, keyed }: PageChain,
  readPage: (url: string) => Promise<P>,
): AsyncGenerator<P> {
  const followed = new Set<string>();
  const pages = new Set<string>();
  let url = new URL(query, root).href;
  let empty = 0;
  let same = 0;
  let before = '';
  let excluded = 0;
  let rows = 0;
  let count: number | null = null;
  for (;;) {
    followed.add(url);
    const page = await readPage(url);
    yield page;
    if (page.nextLink === null) return;
    rows += page.rows;
    count ??= page.count ?? null;
    const isCounted = count !== null && rows <= count;
    empty = page.rows === 0 ? empty + 1 : 0;
    const mark = `${page.rows} ${page.ends}`;
    same = mark === before ? same + 1 : 0;
    before = mark;
    excluded += page.excluded ?? 0;
    // Known rows may come twice, where others were added and moved them to the next page, but not again and again.
    if (excluded > (page.known ?? 0) * 2 + MAX_SAME_PAGES) throw endless(table, url, 'known rows came again and again');
    // A page of rows that are known has nothing of its own to be known by.
    const cameBefore =
      page.rows > (page.excluded ?? 0) && (keyed ? pages.has(mark) : same >= MAX_SAME_PAGES && !isCounted);
    if (keyed) pages.add(mark);
    if (cameBefore) throw endless(table, url, 'a page came again');
    if (empty >= (isCounted && rows !== count ? MAX_EMPTY_PAGES_COUNTED : MAX_EMPTY_PAGES))
      throw endless(table, url, `${empty} pages in a row have no rows`);
    url = resolveNextLink(root, page.nextLink, url);
    if (followed.has(url)) throw endless(table, url, 'a next link leads back');
  }
}

/**
 * Does this link go on by a number of rows, so that rows deleted meanwhile shift it? `$skip` says so; of other names a number does that is that of
 * the rows or the pages so far. What is in a `$skiptoken` is the server's own.
 */
export function countsRows(link: string, rows: number, pages: number): boolean {
  const query = new URLSearchParams(link.slice(link.indexOf('?') + 1));
  return [...query].some(([name, value]) => {
    const isOwn = /^\$(top|count|select|filter|skiptoken)$/i.test(name);
    return (
      /^\$skip$/i.test(name) || (!isOwn && /^\d+$/.test(value) && [rows, pages, pages + 1].includes(Number(value)))
    );
  });
}

function endless(table: string, url: string, why: string): TablevaultError {
  return new TablevaultError('PAGING_LOOP', `the pages of ${table} do not end: ${why}`, {
    at: { table, request: new URL(url).pathname },
    retryable: true,
    hint: 'The instance answers with broken links; run again, and report it to the vendor if it repeats.',
  });
}
