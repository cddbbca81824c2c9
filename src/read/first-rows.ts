/** Some rows of a table, without a proof of anything: `$top`, and next links as long as rows are wanting. */
import type { PageFacts } from '../decode/reader.ts';
import { compileQuery, type Query } from '../odata/query.ts';
import type { TaskSink } from '../parquet/task.ts';
import type { Source } from './answer.ts';
import { pagesOf } from './pages.ts';

export interface RowsSink {
  readonly sink: Pick<TaskSink, 'begin' | 'write' | 'end'>;
  /** Says when no more rows are wanted; then what is held back is handed on. */
  readonly full?: () => boolean;
  readonly handOver?: () => Promise<void>;
}

export interface FirstRows {
  readonly query: Omit<Query, 'top'>;
  /** Rows wanted. */
  readonly top: number;
  readonly purpose: string;
  readonly signal: AbortSignal;
}

/** Sends the first rows through a sink. A server that sends more than it was asked for is left as soon as the sink is full. */
export async function readFirstRows(
  { query, top, purpose, signal }: FirstRows,
  { tableApi, transport }: Source,
  { sink, full, handOver }: RowsSink,
): Promise<{ readonly rows: number; readonly requests: number }> {
  const { table } = query;
  const readPage = async (url: string): Promise<Pick<PageFacts, 'rows' | 'nextLink' | 'ends'>> => {
    const reply = await transport.get(url, { purpose, table: table.name, signal });
    try {
      sink.begin(null);
      for await (const chunk of reply.body) {
        await sink.write(chunk);
        if (full?.() !== true) continue;
        await handOver?.();
        return { rows: top, nextLink: null, ends: '' };
      }
      return await sink.end();
    } finally {
      reply.cancel();
    }
  };
  const chain = { table: table.name, root: tableApi, query: compileQuery({ ...query, top }), keyed: false };
  let [rows, requests] = [0, 0];
  for await (const page of pagesOf(chain, readPage)) {
    rows += page.rows;
    requests++;
    if (rows >= top) break;
  }
  return { rows: Math.min(rows, top), requests };
}
