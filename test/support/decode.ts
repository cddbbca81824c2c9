import { isUtf8 } from 'node:buffer';
import { TablevaultError } from '../../src/core/errors.ts';
import type { Column, ColumnType } from '../../src/core/schema.ts';
import { Batch } from '../../src/decode/columns.ts';
import { type Envelope, ResponseDecoder } from '../../src/decode/response.ts';
import { type Value, valueAt } from '../../src/decode/values.ts';

export function column(name: string, type: ColumnType, nullable = true): Column {
  return { name, type, edmType: type.kind, nullable, sensitive: false };
}

export interface Decoded {
  readonly rows: readonly Readonly<Record<string, Value>>[];
  readonly envelope: Envelope;
  readonly unknown: readonly string[];
}

/** Decodes a body cut at the given positions. */
export function decodeBody(
  columns: readonly Column[],
  body: Uint8Array | string,
  options: {
    readonly cuts?: readonly number[];
    readonly absentIsNull?: boolean;
    readonly maxRowBytes?: number;
    readonly batchRows?: number;
    readonly keyless?: boolean;
  } = {},
): Decoded {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const unknown: string[] = [];
  const decoder = new ResponseDecoder(
    columns.map(({ name }) => name),
    {
      table: 'T',
      absentIsNull: options.absentIsNull ?? false,
      onUnknownProperty: (name) => unknown.push(name),
      maxRowBytes: options.maxRowBytes ?? 1024 * 1024,
      keyOf: (row) => (options.keyless ? '' : String(row['Id'] ?? '')),
      lastKey: () => undefined,
      key: ['Id'],
    },
  );
  const batch = new Batch(columns);
  batch.limit = options.batchRows ?? 2048;
  const rows: Record<string, Value>[] = [];
  const take = () => {
    // What takes the batches checks their text, once for each batch.
    for (const { wide, data, offsets } of batch.columns) {
      if (wide && !isUtf8(data.subarray(0, offsets[batch.rows])))
        throw new TablevaultError('BODY_INVALID', 'a text is not UTF-8');
    }
    for (let row = 0; row < batch.rows; row++) {
      rows.push(Object.fromEntries(batch.columns.map((buffer) => [buffer.column.name, valueAt(buffer, row)])));
    }
    batch.clear();
  };
  const drain = () => {
    for (;;) {
      const step = decoder.step(batch, () => true);
      take();
      if (step !== 'full') return step;
    }
  };
  decoder.begin();
  const cuts = [
    ...new Set([0, ...(options.cuts ?? []).filter((cut) => cut > 0 && cut < bytes.length), bytes.length]),
  ].sort((a, b) => a - b);
  for (let i = 1; i < cuts.length; i++) {
    decoder.push(bytes.subarray(cuts[i - 1], cuts[i]));
    drain();
  }
  decoder.finish();
  const end = drain();
  if (end !== 'done') throw new Error(`the decoder ended by ${end}`);
  return { rows, envelope: decoder.envelope(), unknown };
}
