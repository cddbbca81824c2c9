/** A plain client of the demo instance, and an exact reader of JSON, for its own tests. */
import { type DemoInstance, type DemoOptions, type Row, startDemo, type Value } from '../../../src/demo/instance.ts';

/** A JSON number by its text, so that no digit is lost. */
export class Num {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Json = null | boolean | string | Num | Json[] | { [name: string]: Json };

/** Parses JSON with numbers kept as text. Throws on anything that is not JSON to its end. */
export function parseExact(text: string): Json {
  let at = 0;
  const fail = (): never => {
    throw new Error(`not JSON at ${at}: ${text.slice(at, at + 40)}`);
  };
  const space = () => {
    while (/\s/.test(text[at] ?? 'x')) at++;
  };
  const take = (token: string) => {
    if (!text.startsWith(token, at)) fail();
    at += token.length;
  };
  const value = (): Json => {
    space();
    const c = text[at];
    let result: Json;
    if (c === '{') {
      result = {};
      take('{');
      space();
      while (text[at] !== '}') {
        const name = value() as string;
        space();
        take(':');
        if (Object.hasOwn(result, name)) fail();
        result[name] = value();
        space();
        if (text[at] === ',') at++;
        else if (text[at] !== '}') fail();
        space();
      }
      at++;
    } else if (c === '[') {
      result = [];
      take('[');
      space();
      while (text[at] !== ']') {
        result.push(value());
        space();
        if (text[at] === ',') at++;
        else if (text[at] !== ']') fail();
        space();
      }
      at++;
    } else if (c === '"') {
      let end = at + 1;
      while (text[end] !== '"') {
        if (end >= text.length) fail();
        end += text[end] === '\\' ? 2 : 1;
      }
      result = JSON.parse(text.slice(at, end + 1)) as string;
      at = end + 1;
    } else {
      const word = /(true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?)/y;
      word.lastIndex = at;
      const match = word.exec(text) ?? fail();
      at = word.lastIndex;
      result =
        match[0] === 'null' ? null : match[0] === 'true' ? true : match[0] === 'false' ? false : new Num(match[0]);
    }
    return result;
  };
  const result = value();
  space();
  return at === text.length ? result : fail();
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Page extends Reply {
  readonly body: { [name: string]: Json };
  readonly rows: { [name: string]: Json }[];
  readonly nextLink: string | undefined;
}

export interface Client {
  readonly demo: DemoInstance;
  /** Any path of the instance. */
  raw(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** A path below the OData root, with the reference token. */
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** The same, read as a page of rows; throws when it is none. */
  page(path: string, headers?: Record<string, string>): Promise<Page>;
  /** All pages by their links. */
  all(path: string): Promise<{ rows: { [name: string]: Json }[]; pages: number }>;
  token(fields: Record<string, string>): Promise<{ status: number; body: Record<string, unknown> }>;
  close(): Promise<void>;
}

export async function startClient(options: DemoOptions = {}): Promise<Client> {
  const demo = await startDemo(options);
  const raw = async (path: string, headers: Record<string, string> = {}): Promise<Reply> => {
    const response = await fetch(path.startsWith('http') ? path : demo.url + path, { headers, redirect: 'manual' });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const get = (path: string, headers?: Record<string, string>) =>
    raw(`/tableapi/odata/${path}`, headers ?? { 'x-api-key': demo.credentials.referenceToken });
  const page = async (path: string, headers?: Record<string, string>): Promise<Page> => {
    const reply = await get(path, headers);
    if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.text.slice(0, 300)}`);
    const body = parseExact(reply.text) as { [name: string]: Json };
    const rows = body['value'] as { [name: string]: Json }[];
    return { ...reply, body, rows, nextLink: body['@odata.nextLink'] as string | undefined };
  };
  return {
    demo,
    raw,
    get,
    page,
    async all(path) {
      const rows: { [name: string]: Json }[] = [];
      let pages = 0;
      for (let link: string | undefined = path; link !== undefined; pages++) {
        const next: Page = await page(link.replace(/^http.*\/odata\//, ''));
        rows.push(...next.rows);
        link = next.nextLink;
      }
      return { rows, pages };
    },
    async token(fields) {
      const response = await fetch(`${demo.url}/id/connect/token`, {
        method: 'POST',
        body: new URLSearchParams(fields),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    close: () => demo.close(),
  };
}

/** A value as this client understood it, in the form of the true rows; `kind` is that of the column's type. */
function plainValue(value: Json | undefined, kind: string): Value | undefined {
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  if (kind === 'decimal') return value instanceof Num ? value.text : String(value);
  if (kind === 'bigint') return BigInt(value instanceof Num ? value.text : String(value));
  if (value instanceof Num) return Number(value.text);
  const text = String(value);
  if (kind === 'datetime')
    return text.replace(/(?:\.(\d+))?Z$/, (_, f: string | undefined) => `.${(f ?? '').padEnd(6, '0')}Z`);
  if (kind === 'time')
    return text.replace(/(?:\.(\d+))?$/, (_, f: string | undefined) => `.${(f ?? '').padEnd(6, '0')}`);
  return text;
}

/** Rows of a page in the form of the true rows. */
export function plainRows(client: Client, table: string, rows: readonly { [name: string]: Json }[]): Row[] {
  const kinds = new Map(client.demo.tables.find((t) => t.name === table)!.columns.map((c) => [c.name, c.type.kind]));
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, plainValue(value, kinds.get(name) ?? '') as Value]),
    ),
  );
}
