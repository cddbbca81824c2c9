/** One read of rows with all its next pages. */
import { TablevaultError } from '../core/errors.ts';
import type { Guid } from '../core/guid.ts';
import { compareGuidsAsSqlServer } from '../core/guid.ts';
import type { Transport } from '../instance/transport.ts';
import { resolveNextLink } from '../odata/links.ts';
import type { PageEnd, TaskSink } from '../parquet/task.ts';
import type { Answer } from '../scan/end.ts';
import type { KeyRange } from '../scan/ranges.ts';

export interface Ask {
  readonly table: string;
  /** OData root, ending in `/odata/`. */
  readonly root: string;
  /** Relative to the root. */
  readonly query: string;
  /** What is asked for: rows outside it disprove the order. */
  readonly range: KeyRange;
  /** Leave out the row with this key: it came before. */
  readonly exclude: Guid | null;
  readonly purpose: string;
  readonly signal: AbortSignal;
  /** Bytes of body, decompressed, as they come. */
  readonly onBytes: (bytes: number) => void;
}

export interface ReadAnswer extends Answer {
  readonly requests: number;
  /** Rows of the last page, with those left out. */
  readonly lastPageRows: number;
}

/** Pages without a row that carry a next link, at most, one after the other. */
const MAX_EMPTY_PAGES = 3;

/**
 * Sends one read and all its next pages through a sink.
 *
 * @throws PAGING_LOOP when a link comes twice or pages without rows go on; what transport and decoder throw
 */
export async function readAnswer(ask: Ask, transport: Transport, sink: TaskSink): Promise<ReadAnswer> {
  const followed = new Set<string>();
  let url = new URL(ask.query, ask.root).href;
  let merged: ReadAnswer | undefined;
  let emptyPages = 0;
  for (;;) {
    followed.add(url);
    const page = await readPage(url, ask, transport, sink);
    merged = merge(ask, merged, page);
    if (page.nextLink === null) return merged;
    emptyPages = page.rows === 0 ? emptyPages + 1 : 0;
    const next = resolveNextLink(ask.root, page.nextLink, url);
    if (followed.has(next) || emptyPages >= MAX_EMPTY_PAGES) {
      throw new TablevaultError('PAGING_LOOP', `the pages of ${ask.table} do not end: a next link leads back`, {
        at: { table: ask.table, request: new URL(url).pathname },
        retryable: true,
        hint: 'The instance answers with broken links; run again, and report it to the vendor if it repeats.',
      });
    }
    url = next;
  }
}

async function readPage(url: string, ask: Ask, transport: Transport, sink: TaskSink): Promise<PageEnd> {
  const reply = await transport.get(url, { purpose: ask.purpose, table: ask.table, signal: ask.signal });
  try {
    sink.begin(ask.exclude);
    for await (const chunk of reply.body) {
      ask.onBytes(chunk.length);
      await sink.write(chunk);
    }
    return await sink.end();
  } catch (thrown) {
    reply.cancel();
    throw thrown;
  }
}

function merge(ask: Ask, before: ReadAnswer | undefined, page: PageEnd): ReadAnswer {
  const { keys } = page;
  const rows = page.rows - page.excluded;
  const answer: ReadAnswer = {
    asked: ask.range,
    excluded: page.excluded,
    rows,
    first: keys?.first ?? null,
    last: keys?.last ?? null,
    min: keys?.min ?? null,
    max: keys?.max ?? null,
    ascendingSql: keys?.ascendingSql ?? false,
    ascendingText: keys?.ascendingText ?? false,
    requests: 1,
    lastPageRows: page.rows,
  };
  if (before === undefined) return answer;
  const from = {
    ...before,
    requests: before.requests + 1,
    lastPageRows: page.rows,
    excluded: before.excluded + page.excluded,
  };
  if (rows === 0) return from;
  if (before.rows === 0) return { ...answer, requests: from.requests, excluded: from.excluded };
  return {
    ...from,
    rows: before.rows + rows,
    last: answer.last,
    min: earliest(before.min, answer.min),
    max: latest(before.max, answer.max),
    ascendingSql:
      before.ascendingSql && answer.ascendingSql && inOrder(before.max, answer.first, compareGuidsAsSqlServer),
    ascendingText: before.ascendingText && answer.ascendingText && inOrder(before.last, answer.first, compareText),
  };
}

function inOrder(a: Guid | null, b: Guid | null, compare: (a: string, b: string) => number): boolean {
  return a !== null && b !== null && compare(a, b) < 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function earliest(a: Guid | null, b: Guid | null): Guid | null {
  return a !== null && b !== null && compareGuidsAsSqlServer(a, b) <= 0 ? a : b;
}

function latest(a: Guid | null, b: Guid | null): Guid | null {
  return a !== null && b !== null && compareGuidsAsSqlServer(a, b) >= 0 ? a : b;
}
