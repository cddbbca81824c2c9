/**
 * Decode alone: response bytes to typed columns as the product's writers do it (envelope, rows, key order, UTF-8 check), against
 * `JSON.parse` of the same bytes, one thread each. `JSON.parse` is given whole pages in one piece; turning bytes to a string is part of
 * its work, for it takes no bytes (by `Buffer.toString` or `TextDecoder`, whichever is faster here), and is also told apart. What would follow it (taking values out of objects) is not counted.
 */
import { MOST_GROUP_BYTES } from '../src/parquet/group-bytes.ts';
import { type Inbox, RowSource } from '../src/parquet/row-source.ts';
import type { TaskSpec, ToWriter } from '../src/parquet/task.ts';
import { type Checksums, checksumsOf } from './lib/expected.ts';
import { ORDER_LINES_KEY, orderLineColumns, orderLinePages } from './lib/order-lines.ts';
import { assertSame, program } from './lib/program.ts';
import type { DecodeResult } from './lib/results.ts';
import { ratios, spread } from './lib/stats.ts';

const CHUNK_BYTES = 64 * 1024;
const PAGE_ROWS = 1000;

/** A way to make a string of bytes. */
interface ToText {
  readonly name: string;
  readonly of: (bytes: Uint8Array) => string;
}

const utf8 = new TextDecoder();
const TO_TEXT: readonly ToText[] = [
  { name: 'Buffer.toString', of: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString() },
  { name: 'TextDecoder', of: (bytes) => utf8.decode(bytes) },
];

await program('decode', async ({ smoke, say }): Promise<DecodeResult> => {
  const pages = orderLinePages(smoke ? 8 : 110, PAGE_ROWS);
  const bytes = pages.reduce((sum, page) => sum + page.length, 0);
  const rounds = smoke ? 3 : 7;
  const expected = checksumsOf(pages);
  assertSame('values decoded', sumsByDecoder(pages), expected);
  const toText = fastest(pages, expected.rows);
  say(`bytes to strings by ${toText.name}`);
  const ours: number[] = [];
  const parse: number[] = [];
  const parseOfText: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const a = rowsPerSecond(() => decode(pages), expected.rows);
    const b = rowsPerSecond(() => parseBytes(pages, toText), expected.rows);
    const c = rowsPerSecond(parseTexts(pages), expected.rows);
    if (round < 0) continue;
    ours.push(a);
    parse.push(b);
    parseOfText.push(c);
    say(`${Math.round(a)} rows/s, JSON.parse ${Math.round(b)}: ${(a / b).toFixed(2)} ×`);
  }
  return {
    rows: expected.rows,
    bytes,
    rounds,
    chunkBytes: CHUNK_BYTES,
    bytesToString: toText.name,
    decoderRowsPerSecond: spread(ours),
    jsonParseRowsPerSecond: spread(parse),
    jsonParseOfTextRowsPerSecond: spread(parseOfText),
    ratio: ratios(ours, parse),
    ratioToParseOfText: ratios(ours, parseOfText),
  };
});

function rowsPerSecond(work: () => number, rows: number): number {
  const from = performance.now();
  const got = work();
  const ms = performance.now() - from;
  assertSame('rows', got, rows);
  return (rows / ms) * 1000;
}

function decode(pages: readonly Uint8Array[], onBatch?: (source: RowSource) => void): number {
  const source = sourceOf(pages);
  let rows = 0;
  while (source.pull(Number.POSITIVE_INFINITY)) {
    rows += source.batch.rows;
    onBatch?.(source);
  }
  return rows;
}

function sourceOf(pages: readonly Uint8Array[]): RowSource {
  const spec: TaskSpec = {
    table: 'Crm_Sales_Order_Lines',
    columns: orderLineColumns,
    key: [ORDER_LINES_KEY],
    profile: 'portable',
    compression: 'zstd',
    partRows: 500_000,
    path: '',
    metadata: {},
    absentIsNull: false,
    groupBytes: MOST_GROUP_BYTES,
    maxRowBytes: 64 * 1024 * 1024,
  };
  return new RowSource(spec, inboxOf(pages), () => undefined);
}

/** Stands in for the channel between threads. */
function inboxOf(pages: readonly Uint8Array[]): Inbox {
  let bytes: Uint8Array = new Uint8Array();
  const messages = (function* (): Generator<ToWriter> {
    for (const page of pages) {
      yield { type: 'begin', exclude: null, remembers: false };
      for (let at = 0; at < page.length; at += CHUNK_BYTES) {
        bytes = page.subarray(at, at + CHUNK_BYTES);
        yield { type: 'chunk', length: bytes.length };
      }
      yield { type: 'end' };
    }
    yield { type: 'finish' };
  })();
  return { take: () => messages.next().value as ToWriter, chunk: () => bytes };
}

function sumsByDecoder(pages: readonly Uint8Array[]): Checksums {
  const sums = { rows: 0, amountCents: 0, lineNumbers: 0, productCodes: 0, descriptionChars: 0 };
  const at = (name: string) => orderLineColumns.findIndex((column) => column.name === name);
  const [amount, line, code, text] = [
    at('Line_Amount'),
    at('Line_No'),
    at('Product_Code_Id'),
    at('Product_Description'),
  ];
  decode(pages, ({ batch }) => {
    const { columns, rows } = batch;
    const { offsets, data } = columns[text]!;
    for (let row = 0; row < rows; row++) {
      sums.amountCents += Number(columns[amount]!.i64[row]);
      sums.lineNumbers += columns[line]!.i32[row]!;
      if (!columns[code]!.isNull(row)) sums.productCodes++;
      sums.descriptionChars += Buffer.from(data.subarray(offsets[row], offsets[row + 1])).toString().length;
    }
    sums.rows += rows;
  });
  return sums;
}

/** The faster way on these pages, by the better of three turns each. */
function fastest(pages: readonly Uint8Array[], rows: number): ToText {
  const speeds = TO_TEXT.map((way) =>
    Math.max(...[0, 1, 2].map(() => rowsPerSecond(() => parseBytes(pages, way), rows))),
  );
  return TO_TEXT[speeds.indexOf(Math.max(...speeds))]!;
}

function parseBytes(pages: readonly Uint8Array[], toText: ToText): number {
  let rows = 0;
  for (const page of pages) rows += rowsIn(JSON.parse(toText.of(page)));
  return rows;
}

/** The strings are made before the clock starts, anew for each round: V8 keeps no parsed form of them. */
function parseTexts(pages: readonly Uint8Array[]): () => number {
  const texts = pages.map((page) => Buffer.from(page.buffer, page.byteOffset, page.length).toString());
  return () => texts.reduce((rows, text) => rows + rowsIn(JSON.parse(text)), 0);
}

function rowsIn(body: { readonly value: readonly unknown[] }): number {
  return body.value.length;
}
