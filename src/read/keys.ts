/** Reads of a table's keys alone. */
import { TablevaultError } from '../core/errors.ts';
import type { Guid } from '../core/guid.ts';
import type { TableSchema } from '../core/schema.ts';
import { Batch } from '../decode/columns.ts';
import { guidAt, guidWords, isKey } from '../decode/keys.ts';
import { ResponseDecoder } from '../decode/response.ts';
import type { Instance } from '../instance/open.ts';
import type { Filter } from '../odata/filters.ts';
import { resolveNextLink } from '../odata/links.ts';
import { compileQuery } from '../odata/query.ts';
import { KeySampler } from '../scan/ranges.ts';

export interface KeyScan {
  readonly rows: number;
  /** Keys drawn evenly, in the order they came. */
  readonly sample: readonly Guid[];
  readonly requests: number;
  /** Did the wanted key come? */
  readonly found: boolean;
}

const SAMPLE_KEYS = 8192;
const MAX_ROW_BYTES = 64 * 1024;

/** Reads the key column alone (a few percent of a table's bytes): how many rows there are, and keys to cut the table at. */
export async function scanKeys(
  instance: Instance,
  table: TableSchema,
  key: string,
  filter: Filter | undefined,
  signal: AbortSignal,
  wanted?: Guid,
): Promise<KeyScan> {
  const column = table.columns.find(({ name }) => name === key);
  if (column === undefined) throw new TablevaultError('BUG', `${table.name} has no column ${key}`);
  const batch = new Batch([column]);
  const buffer = batch.columns[0]!;
  const words = wanted === undefined ? undefined : guidWords(wanted);
  let found = false;
  const sampler = new KeySampler(SAMPLE_KEYS);
  const decoder = new ResponseDecoder([key], {
    table: table.name,
    absentIsNull: false,
    onUnknownProperty: () => undefined,
    maxRowBytes: MAX_ROW_BYTES,
    keyOf: (row) => String(row[key]),
    lastKey: () => undefined,
  });
  const drain = () => {
    for (;;) {
      const step = decoder.step(batch, () => true);
      for (let row = 0; row < batch.rows; row++) {
        if (sampler.wants()) sampler.add(guidAt(buffer, row));
        if (words !== undefined && isKey(buffer, row, words)) found = true;
      }
      batch.clear();
      if (step !== 'full') return step;
    }
  };
  const seen = new Set<string>();
  let url = new URL(compileQuery({ table, select: [key], filter }), instance.tableApi).href;
  for (let requests = 1; ; requests++) {
    seen.add(url);
    const reply = await instance.transport.get(url, { purpose: 'keys', table: table.name, signal });
    decoder.begin();
    try {
      for await (const chunk of reply.body) {
        decoder.push(chunk);
        drain();
      }
      decoder.finish();
      drain();
    } catch (thrown) {
      reply.cancel();
      throw thrown;
    }
    const { nextLink } = decoder.envelope();
    if (nextLink === null) return { rows: sampler.count, sample: sampler.sample(), requests, found };
    url = resolveNextLink(instance.tableApi, nextLink, url);
    if (seen.has(url))
      throw new TablevaultError('PAGING_LOOP', `the pages of ${table.name} do not end`, { at: { table: table.name } });
  }
}
