/** One read of rows: what was asked, sent through a sink page by page, and what it brought. */
import { hasCode, TablevaultError } from '../core/errors.ts';
import {
  addSums,
  comparator,
  type Key,
  type KeyOrder,
  NO_KEYS,
  ordersOf,
  type RememberedKeys,
} from '../core/key-order.ts';
import { plural } from '../core/words.ts';
import { endlessRows, isFarBeyond, type PageFacts } from '../decode/reader.ts';
import type { Instance } from '../instance/open.ts';
import { compileQuery, type Query } from '../odata/query.ts';
import type { TaskSink } from '../parquet/task.ts';
import type { AnswerFacts } from '../scan/held.ts';
import type { ScanKey } from '../scan/key.ts';
import type { KeyRange } from '../scan/ranges.ts';
import type { CountKnowledge } from './counts.ts';
import { countsRows, pagesOf } from './pages.ts';

/** What answers requests: an instance, or what a test puts in its place. */
export type Source = Pick<Instance, 'tableApi'> & {
  readonly transport: Pick<Instance['transport'], 'get' | 'getBytes'>;
};

export interface Ask {
  readonly query: Query;
  /** The range that the query asks for. */
  readonly range: KeyRange;
  /** Leave out the row with this key: it came before. */
  readonly exclude: Key | null;
  /** The key whose order is watched; null where there is none. */
  readonly key: ScanKey | null;
  /** Does the read go on by that key itself, or follow every next link? */
  readonly goesOn: boolean;
  readonly purpose: string;
  readonly signal: AbortSignal;
  /** Ask for a count with the first page, as far as this instance is known to give one; without it none is asked for. */
  readonly counts?: CountKnowledge | undefined;
  /** Are the keys of its rows to be known again? Default no. */
  readonly remembers?: boolean;
  /** Bytes of body, decompressed, as they come. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

export interface Answer extends AnswerFacts {
  readonly requests: number;
}

/**
 * Reads an answer and its next pages through a sink. Where the rows come in an order of their key, it ends at the first page that brings
 * some and has a next link (`more`): who reads goes on from the last key, which proves what a link does not. Only rows that share one value
 * of a key's first column are read on by links.
 *
 * @throws what transport, decoder and the loop over pages throw
 */
export async function readAnswer(ask: Ask, source: Source, sink: TaskSink): Promise<Answer> {
  const { query, counts } = ask;
  if (counts?.mayAsk !== true) return readPages(ask, query, source, sink);
  try {
    const answer = await readPages(ask, { ...query, count: true }, source, sink);
    counts.answered(answer);
    return answer;
  } catch (thrown) {
    if (!hasCode(thrown, 'REQUEST_REFUSED')) throw thrown;
    // Nothing went to the sink. If it was not the count that was refused, this fails as well, for the true reason.
    const answer = await readPages(ask, query, source, sink);
    counts.refused();
    return { ...answer, requests: answer.requests + 1 };
  }
}

async function readPages(ask: Ask, query: Query, source: Source, sink: TaskSink): Promise<Answer> {
  const { table } = query;
  const chain = {
    table: table.name,
    root: source.tableApi,
    query: compileQuery(query),
    // Keys of several columns, of which one alone is read, may be alike on many pages.
    keyed: table.key.length > 0 && table.key.every((name) => query.select.includes(name)),
  };
  let answer: Answer | undefined;
  let followed = 0;
  const pages = pagesOf(chain, async (url) => {
    try {
      return await readPage(url, ask, source, sink);
    } catch (thrown) {
      // Rows went to the sink: nothing of the question was refused, but a link that the instance itself gave.
      if (answer === undefined || !hasCode(thrown, 'REQUEST_REFUSED')) throw thrown;
      throw linkRefused(table.name, answer.rows, thrown);
    }
  });
  for await (const page of pages) {
    answer = answer === undefined ? answerOf(ask, page) : merge(answer, answerOf(ask, page), ask.key);
    if (page.nextLink === null) return answer;
    if (isFarBeyond(answer.rows, answer.count)) throw endlessRows(table.name, answer.rows, answer.count);
    if (ask.goesOn && page.rows > page.excluded && answer.orders.length > 0 && !isSameGroup(ask, answer))
      return { ...answer, more: true };
    answer = {
      ...answer,
      linked: true,
      skipped: answer.skipped || countsRows(page.nextLink, answer.rows + answer.excluded, ++followed),
    };
  }
  return answer ?? answerOf(ask, NO_PAGE);
}

function linkRefused(table: string, rows: number, cause: TablevaultError): TablevaultError {
  return new TablevaultError(
    'BODY_TRUNCATED',
    `a next link of ${table} was refused after ${plural(rows, 'row')}: ${cause.message}`,
    {
      at: { ...cause.at, table },
      cause,
      retryable: true,
      hint: 'The instance may have restarted, or no longer knows the page: the table is read again.',
    },
  );
}

/** Do the rows so far share one value of a key's first column, that which the read began at? Asked for by it, all of them would come again. */
function isSameGroup({ key, range }: Ask, { last }: Answer): boolean {
  return key?.composite === true && range.ge !== null && last === range.ge;
}

async function readPage(url: string, ask: Ask, { transport }: Source, sink: TaskSink): Promise<PageFacts & Sized> {
  const { purpose, signal } = ask;
  const reply = await transport.get(url, { purpose, table: ask.query.table.name, signal });
  let bytes = 0;
  try {
    sink.begin(ask.exclude, ask.remembers);
    for await (const chunk of reply.body) {
      bytes += chunk.length;
      ask.onBytes?.(chunk.length);
      await sink.write(chunk);
    }
    return { ...(await sink.end()), bytes };
  } catch (thrown) {
    reply.cancel();
    throw thrown;
  }
}

interface Sized {
  readonly bytes: number;
}

const NO_PAGE: PageFacts & Sized = {
  rows: 0,
  excluded: 0,
  known: 0,
  nextLink: null,
  count: null,
  keys: null,
  ends: '',
  bytes: 0,
};

function answerOf({ range, exclude }: Ask, { rows, excluded, keys, count, bytes }: PageFacts & Sized): Answer {
  return {
    ...(keys ?? NO_KEYS),
    asked: range,
    exclude,
    rows: rows - excluded,
    excluded,
    bytes,
    more: false,
    linked: false,
    skipped: false,
    count,
    requests: 1,
  };
}

/** An answer with a page more. */
function merge(before: Answer, page: Answer, key: ScanKey | null): Answer {
  const sums = {
    ...before,
    requests: before.requests + 1,
    bytes: before.bytes + page.bytes,
    excluded: before.excluded + page.excluded,
  };
  if (page.rows === 0) return sums;
  const { linked, skipped, count } = before;
  if (before.rows === 0) return { ...page, ...pick(sums), linked, skipped, count };
  const inOrder = (order: KeyOrder) =>
    key !== null && before.last !== null && page.first !== null && follows(key, order, before.last, page.first);
  return {
    ...sums,
    rows: before.rows + page.rows,
    last: page.last,
    tail: page.tail,
    prior: priorOf(before, page, key),
    sum: addSums(before.sum, page.sum),
    remembered: rememberedOf(before.remembered, page.remembered),
    against: [...before.against, ...page.against],
    least: extreme(key, before.least, page.least, -1),
    greatest: extreme(key, before.greatest, page.greatest, 1),
    orders: before.orders.filter((order) => page.orders.includes(order) && inOrder(order)),
  };
}

/** Over two pages, of which the second may go on with the key that the first ended with. */
function priorOf(before: Answer, page: Answer, key: ScanKey | null): Answer['prior'] {
  if (page.prior !== null) return { key: page.prior.key, rows: before.rows + page.prior.rows };
  const { last } = before;
  if (key?.composite !== true || last === null || page.first === null) return before.prior;
  const isSame = ordersOf(key.type).some((order) => comparator(key.type, order)(last, page.first!) === 0);
  return isSame ? before.prior : { key: last, rows: before.rows };
}

/** Keys drawn from an answer, of which the middle one is taken, and those that are remembered of all pages of one. */
const MOST_DRAWN = 256;
const MOST_REMEMBERED = 1_000_000;

/** Keys of one page more. Those before are added to, since they may be many, and are this answer's own. */
function rememberedOf(before: RememberedKeys | null, page: RememberedKeys | null): RememberedKeys | null {
  if (before === null || page === null || before.hashes.length > MOST_REMEMBERED) return null;
  const hashes = before.hashes as number[];
  for (const hash of page.hashes) hashes.push(hash);
  const sample = [...before.sample, ...page.sample];
  return { hashes, sample: sample.length > MOST_DRAWN ? sample.filter((_, n) => n % 2 === 0) : sample };
}

function pick({ requests, bytes, excluded }: Answer): Pick<Answer, 'requests' | 'bytes' | 'excluded'> {
  return { requests, bytes, excluded };
}

function follows(key: ScanKey, order: KeyOrder, last: Key, first: Key): boolean {
  const between = comparator(key.type, order)(last, first);
  return between < 0 || (between === 0 && key.composite);
}

/** Of GUIDs, by SQL Server's order; of other keys it means nothing unless they are in order, and then the ends are known. */
function extreme(key: ScanKey | null, a: Key | null, b: Key | null, sign: 1 | -1): Key | null {
  if (key?.type.kind !== 'guid' || a === null || b === null) return sign < 0 ? a : b;
  return comparator(key.type, 'sql')(a, b) * sign >= 0 ? a : b;
}
