/**
 * A server that costs next to nothing: speaks as much of an instance as a snapshot needs (discovery, version, service document, `$metadata`,
 * `Dmv_Table_Info`, key ranges, `$top`, `$count`), and answers with bytes made beforehand, into which it only writes the key of a row. Any
 * credential is good. Row n has the content of row n modulo the rows made, and the n-th key.
 *
 * Runs as a process of its own; see snapshot-server.ts for its other end.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Column, ColumnType } from '../../src/core/schema.ts';
import { ORDER_LINES_KEY, orderLineColumns, orderLinePages, sequentialGuid, serialOf } from './order-lines.ts';

export const ORDER_LINES = 'Crm_Sales_Order_Lines';
const BLOCK_ROWS = 1000;
const KEY_BYTES = 8;

export interface PageServerOptions {
  readonly rows: number;
  /** Rows made beforehand, in thousands; they repeat after that. */
  readonly blocks: number;
  /** Does it tell how many rows there are? Without, a table is read in one response. */
  readonly tellsRows: boolean;
}

export interface PageServer {
  readonly url: string;
  readonly requests: () => number;
  close(): Promise<void>;
}

/** A thousand rows as JSON, each with a comma before it. */
interface Block {
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
  /** Where the first eight digits of the key of row i stand: the only ones that change. */
  readonly keys: Uint32Array;
}

export async function startPageServer(options: PageServerOptions): Promise<PageServer> {
  const blocks = orderLinePages(options.blocks, BLOCK_ROWS).map(blockOf);
  let requests = 0;
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    requests++;
    const url = new URL(request.url ?? '/', origin);
    answer(url, origin, response, options, blocks).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: origin,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  url: URL,
  origin: string,
  response: ServerResponse,
  options: PageServerOptions,
  blocks: readonly Block[],
): Promise<void> {
  const root = '/tableapi/odata/';
  switch (url.pathname) {
    case '/tools/auto-discovery': {
      const site = (type: string, path: string) => ({ Type: type, Status: 'Working', Url: `${origin}/${path}` });
      return json(response, {
        Host: '127.0.0.1',
        DbName: 'BENCH',
        WebSites: [site('TableAPI', 'tableapi'), site('ID', 'id')],
      });
    }
    case '/tools/ver':
      response.end('26.1.0.0');
      return;
    case root:
      return json(response, { value: tableNames(options).map((name) => ({ name, kind: 'EntitySet', url: name })) });
    case `${root}$metadata`:
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end(metadata(options));
      return;
    case `${root}Dmv_Table_Info`:
      return json(response, { value: [{ Table_Name: ORDER_LINES, Row_Count: options.rows }] });
    case `${root}${ORDER_LINES}`:
      return sendRows(response, url.searchParams, options, blocks);
    default:
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"message":"Not found.","code":404,"type":"NotFound"}');
  }
}

async function sendRows(
  response: ServerResponse,
  query: URLSearchParams,
  options: PageServerOptions,
  blocks: readonly Block[],
): Promise<void> {
  const filter = query.get('$filter') ?? '';
  const bound = (op: string) => new RegExp(`${ORDER_LINES_KEY} ${op} ([0-9a-f-]{36})`).exec(filter)?.[1];
  const [ge, le] = [bound('ge'), bound('le')];
  const from = ge === undefined ? 0 : serialOf(ge);
  const through = le === undefined ? options.rows : Math.min(options.rows, serialOf(le) + 1);
  const to = Math.max(from, Math.min(through, from + Number(query.get('$top') ?? Number.POSITIVE_INFINITY)));
  response.writeHead(200, { 'content-type': 'application/json;charset=utf-8', 'odata-version': '4.0' });
  const count = query.get('$count') === 'true' ? `"@odata.count":${through - from},` : '';
  response.write(`{${count}"value":[`);
  const keysOnly = query.get('$select') === ORDER_LINES_KEY;
  for (let at = from; at < to; ) {
    const end = Math.min(to, at - (at % BLOCK_ROWS) + BLOCK_ROWS);
    const bytes = keysOnly ? keysJson(at, end) : patched(blocks[Math.floor(at / BLOCK_ROWS) % blocks.length]!, at, end);
    const room = response.write(at === from ? bytes.subarray(1) : bytes);
    if (!room && !response.destroyed) await drained(response);
    if (response.destroyed) return;
    at = end;
  }
  response.end(']}');
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

function keysJson(from: number, to: number): Buffer {
  const rows = Array.from({ length: to - from }, (_, i) => `,{"${ORDER_LINES_KEY}":"${sequentialGuid(from + i)}"}`);
  return Buffer.from(rows.join(''), 'latin1');
}

/** Rows `from` to `to`, all of one block, with their keys. */
function patched(block: Block, from: number, to: number): Buffer {
  const first = from % BLOCK_ROWS;
  const start = block.offsets[first]!;
  const bytes = Buffer.from(block.bytes.subarray(start, block.offsets[first + to - from]));
  for (let row = from; row < to; row++) {
    const at = block.keys[first + row - from]! - start;
    bytes.write(sequentialGuid(row).slice(0, KEY_BYTES), at, 'latin1');
  }
  return bytes;
}

function blockOf(page: Uint8Array): Block {
  const body = Buffer.from(page.buffer, page.byteOffset, page.length);
  const start = body.indexOf('"value":[') + '"value":['.length;
  const bytes = Buffer.concat([Buffer.from(','), body.subarray(start, body.length - 2)]);
  const offsets = new Uint32Array(BLOCK_ROWS + 1);
  const keys = new Uint32Array(BLOCK_ROWS);
  const [open, key] = [`,{"${orderLineColumns[0]!.name}":`, `"${ORDER_LINES_KEY}":"`];
  for (let row = 0, at = 0; row < BLOCK_ROWS; row++) {
    offsets[row] = at;
    keys[row] = bytes.indexOf(key, at) + key.length;
    at = row === BLOCK_ROWS - 1 ? bytes.length : bytes.indexOf(open, at + 1);
    offsets[row + 1] = at;
  }
  return { bytes, offsets, keys };
}

function tableNames({ tellsRows }: PageServerOptions): readonly string[] {
  return tellsRows ? [ORDER_LINES, 'Dmv_Table_Info'] : [ORDER_LINES];
}

function metadata(options: PageServerOptions): string {
  const property = (name: string, type: string, nullable: boolean) =>
    `<Property Name="${name}" ${type} Nullable="${nullable}"/>`;
  const lines = orderLineColumns.map(({ name, type, nullable }: Column) => property(name, edmType(type), nullable));
  const info = [
    property('Table_Name', 'Type="Edm.String"', false),
    property('Row_Count', 'Type="Edm.Int64"', false),
  ].join('');
  const sets = tableNames(options).map((name) => `<EntitySet Name="${name}" EntityType="Erp.${name}"/>`);
  return `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Erp" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="${ORDER_LINES}"><Key><PropertyRef Name="${ORDER_LINES_KEY}"/></Key>${lines.join('')}</EntityType>
<EntityType Name="Dmv_Table_Info">${info}</EntityType>
<EntityContainer Name="Container">${sets.join('')}</EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>`;
}

function edmType(type: ColumnType): string {
  switch (type.kind) {
    case 'decimal':
      return `Type="Edm.Decimal" Precision="${type.precision}" Scale="${type.scale}"`;
    case 'guid':
      return 'Type="Edm.Guid"';
    case 'boolean':
      return 'Type="Edm.Boolean"';
    case 'int32':
      return 'Type="Edm.Int32"';
    case 'date':
      return 'Type="Edm.Date"';
    case 'timestamp':
      return 'Type="Edm.DateTimeOffset"';
    case 'binary':
      return 'Type="Edm.Binary"';
    default:
      return 'Type="Edm.String"';
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}
