import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../src/decode/columns.ts';
import { type Value, valueAt } from '../../../src/decode/values.ts';
import { MOST_GROUP_BYTES } from '../../../src/parquet/group-bytes.ts';
import type { TaskSpec } from '../../../src/parquet/task.ts';
import { BatchSink, type BatchSinkOptions } from '../../../src/read/batch-sink.ts';
import { column } from '../../support/decode.ts';

const columns = [column('Id', { kind: 'guid' }, false), column('Name', { kind: 'text' })];
const guid = (n: number) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`;
const body = (from: number, to: number, more = '') =>
  `{"value":[${Array.from({ length: to - from }, (_, n) => `{"Id":"${guid(from + n)}","Name":"n${from + n}"}`).join(',')}]${more}}`;

function sinkOf(more: Partial<BatchSinkOptions> = {}) {
  const batches: Value[][] = [];
  const spec: TaskSpec = {
    table: 'T',
    columns,
    key: ['Id'],
    profile: 'portable',
    compression: 'zstd',
    partRows: 1,
    path: '',
    metadata: {},
    absentIsNull: false,
    groupBytes: MOST_GROUP_BYTES,
    maxRowBytes: 1024 * 1024,
  };
  const take = async (batch: Batch) => {
    batches.push(Array.from({ length: batch.rows }, (_, row) => valueAt(batch.columns[1]!, row)));
  };
  const sink = new BatchSink({ spec, hooks: {}, take, eager: false, ...more });
  const write = async (text: string, size = text.length) => {
    for (let at = 0; at < text.length; at += size) await sink.write(Buffer.from(text.slice(at, at + size)));
  };
  return { sink, batches, write };
}

describe('rows that are decoded here and now', () => {
  it('are handed on whole, in order, however the response is cut', async () => {
    for (const size of [1, 7, 100, 1_000_000]) {
      const { sink, batches, write } = sinkOf();
      sink.begin(null);
      await write(body(0, 5_000), size);
      const page = await sink.end();
      expect(page).toMatchObject({ rows: 5_000, excluded: 0, nextLink: null });
      expect(batches.flat()).toEqual(Array.from({ length: 5_000 }, (_, n) => `n${n}`));
      expect(sink.rows).toBe(5_000);
      expect(await sink.finish()).toMatchObject([{ rows: 5_000, path: '' }]);
    }
  });

  it('come with each piece when they are wanted at once, and only in full batches when not', async () => {
    const eager = sinkOf({ eager: true });
    eager.sink.begin(null);
    await eager.write(body(0, 100), 600);
    expect(eager.batches.length).toBeGreaterThan(2);
    const patient = sinkOf();
    patient.sink.begin(null);
    await patient.write(body(0, 100), 600);
    expect(patient.batches).toEqual([]);
    await patient.sink.end();
    expect(patient.batches).toHaveLength(1);
  });

  it('leave out the row that came before', async () => {
    const { sink, batches, write } = sinkOf();
    sink.begin(null);
    await write(body(0, 3, ',"@odata.nextLink":"T?more"'));
    expect(await sink.end()).toMatchObject({ rows: 3, nextLink: 'T?more' });
    sink.begin(guid(2) as never);
    await write(body(2, 5));
    expect(await sink.end()).toMatchObject({ rows: 3, excluded: 1, keys: { first: guid(3), orders: ['sql', 'text'] } });
    expect(batches.flat()).toEqual(['n0', 'n1', 'n2', 'n3', 'n4']);
  });

  it('are never more than were asked for, also from a server that sends more', async () => {
    for (const maxRows of [1, 2_047, 2_048, 2_049, 3_000]) {
      const { sink, batches, write } = sinkOf({ maxRows });
      sink.begin(null);
      await write(body(0, 5_000), 10_000);
      expect(sink.full).toBe(true);
      await sink.handOver();
      expect(batches.flat()).toHaveLength(maxRows);
    }
  });

  it('are not handed on beyond what the taker has taken', async () => {
    let taken = 0;
    let release = () => undefined as undefined;
    const { sink, write } = sinkOf({
      take: () => {
        taken += 1;
        return new Promise((resolve) => {
          release = () => resolve() as undefined;
        });
      },
    });
    sink.begin(null);
    const writing = write(body(0, 5_000));
    await new Promise((later) => setTimeout(later, 20));
    expect(taken).toBe(1);
    release();
    await new Promise((later) => setTimeout(later, 20));
    expect(taken).toBe(2);
    release();
    await writing;
  });

  it('of a response that ends early, or is no UTF-8, are an error', async () => {
    const cut = sinkOf();
    cut.sink.begin(null);
    await cut.write(body(0, 3).slice(0, -2));
    await expect(cut.sink.end()).rejects.toMatchObject({ code: 'BODY_TRUNCATED', retryable: true });
    const broken = sinkOf();
    broken.sink.begin(null);
    const bytes = Buffer.from(body(0, 3).replace('n1', 'n?'));
    bytes[bytes.indexOf('n?') + 1] = 0xff;
    await broken.sink.write(bytes);
    await expect(broken.sink.end()).rejects.toMatchObject({
      code: 'BODY_INVALID',
      at: { column: 'Name', key: guid(1) },
    });
  });
});
