/** An instance on loopback whose rows are JSON texts, sent byte by byte as they are given: for spellings that no serializer writes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RawTable {
  /** `[name, attributes]`, e.g. `['F', 'Type="Edm.Double"']`. */
  readonly columns: readonly (readonly [string, string])[];
  /** Names of key columns. */
  readonly key: readonly string[];
  /** JSON texts of whole rows, in the order of the key. The first key column is the first member of each. */
  readonly rows: readonly string[];
}

export interface RawInstance {
  readonly origin: string;
  close(): Promise<void>;
}

/** Serves tables with filters `Key ge|le value` and `$top`; it has no `$count` and no links. */
export async function startRawInstance(tables: Readonly<Record<string, RawTable>>): Promise<RawInstance> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const send = (status: number, body: string, type = 'application/json') => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    const name = decodeURIComponent(url.pathname).split('/tableapi/odata/')[1];
    if (url.pathname === '/tools/ver') return send(200, '26.2.1', 'text/plain');
    if (name === undefined) return send(404, '{}');
    if (name === '')
      return send(200, JSON.stringify({ value: Object.keys(tables).map((each) => ({ name: each, url: each })) }));
    if (name === '$metadata') return send(200, metadata(tables), 'application/xml');
    const table = tables[name];
    if (table === undefined) return send(404, '{"error":{"message":"no such table"}}');
    if (url.searchParams.has('$count')) return send(400, '{"error":{"message":"$count is not known"}}');
    const top = Number(url.searchParams.get('$top') ?? Number.POSITIVE_INFINITY);
    const rows = matching(table, url.searchParams.get('$filter') ?? '').slice(0, top);
    return send(200, `{"@odata.context":"x","value":[${rows.join(',')}]}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Rows are in the order of their keys, so that a bound is a place among them. */
function matching({ rows }: RawTable, filter: string): readonly string[] {
  const place = (value: string) => rows.findIndex((row) => row.includes(value.replaceAll("'", '')));
  const ge = /\w+ ge (\S+)/.exec(filter)?.[1];
  const le = /\w+ le (\S+)/.exec(filter)?.[1];
  return rows.slice(ge === undefined ? 0 : place(ge), le === undefined ? rows.length : place(le) + 1);
}

function metadata(tables: Readonly<Record<string, RawTable>>): string {
  const types = Object.entries(tables).map(([name, { columns, key }]) => {
    const refs = key.map((column) => `<PropertyRef Name="${column}"/>`).join('');
    const properties = columns.map(([column, attributes]) => `<Property Name="${column}" ${attributes}/>`).join('');
    return `<EntityType Name="${name}">${refs === '' ? '' : `<Key>${refs}</Key>`}${properties}</EntityType>`;
  });
  const sets = Object.keys(tables).map((name) => `<EntitySet Name="${name}" EntityType="N.${name}"/>`);
  return `<?xml version="1.0"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="N" xmlns="http://docs.oasis-open.org/odata/ns/edm">${types.join('')}
<EntityContainer Name="C">${sets.join('')}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`;
}
