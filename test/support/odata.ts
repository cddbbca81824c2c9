/** An OData server in this process, without HTTP: answers the engine's requests as a test wants, so that no test waits. */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { Clock } from '../../src/core/clock.ts';
import { TablevaultError } from '../../src/core/errors.ts';
import type { RunEvent } from '../../src/core/events.ts';
import { compareGuidsAsSqlServer } from '../../src/core/guid.ts';
import type { Pipeline } from '../../src/core/pipeline.ts';
import type { Column, ColumnType, TableSchema } from '../../src/core/schema.ts';
import type { Batch } from '../../src/decode/columns.ts';
import { type Value, valueAt } from '../../src/decode/values.ts';
import type { Instance } from '../../src/instance/open.ts';
import { MOST_GROUP_BYTES } from '../../src/parquet/group-bytes.ts';
import type { SinkHooks, TaskSink, TaskSpec } from '../../src/parquet/task.ts';
import { BatchSink } from '../../src/read/batch-sink.ts';
import { CountKnowledge } from '../../src/read/counts.ts';
import { type ChosenTable, type PlannedTable, planTables } from '../../src/read/plan.ts';
import { probeInstance } from '../../src/read/probe.ts';
import { readTable, type TableRead } from '../../src/read/table.ts';
import { readTask, type TaskResult } from '../../src/read/task.ts';
import { column } from './decode.ts';

export type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;

export interface FakeTable {
  readonly schema: TableSchema;
  rows: readonly Row[];
}

/** `['Id', 'guid']`, with a further `null` where the column is nullable. */
export type ColumnSpec = readonly [name: string, kind: Exclude<ColumnType['kind'], 'decimal'>, nullable?: null];

export function tableOf(
  name: string,
  key: readonly string[],
  columns: readonly ColumnSpec[],
  rows: readonly Row[],
): FakeTable {
  const schema: TableSchema = {
    name,
    key,
    navigations: [],
    columns: columns.map(([each, kind, nullable]): Column => column(each, { kind } as ColumnType, nullable === null)),
  };
  return { schema, rows };
}

/** A GUID; ascending n ascend in SQL Server's order and in that of text. */
export function guid(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** A table `T` of `n` rows with a GUID key and a name. */
export function guidTable(n: number, name = 'T'): FakeTable {
  const rows = Array.from({ length: n }, (_, i) => ({ Id: guid(i), Name: `n${i}` }));
  return tableOf(
    name,
    ['Id'],
    [
      ['Id', 'guid'],
      ['Name', 'text'],
    ],
    rows,
  );
}

export interface FakeRequest {
  readonly table: FakeTable;
  readonly select: readonly string[];
  readonly filter: string;
  readonly top: number | null;
  readonly count: boolean;
  readonly skip: number;
  readonly url: URL;
  /** Number of the request, from 0. */
  readonly n: number;
  /** Rows that the filter lets pass, in the order of the table. */
  readonly matching: readonly Row[];
}

export interface FakeAnswer {
  /** Default: those that match, `top` at most. */
  readonly rows?: readonly Row[];
  readonly count?: number | undefined;
  /** Path with query, below the root. */
  readonly link?: string | undefined;
  /** In place of all else. */
  readonly status?: number;
  readonly body?: string;
  /** Names of the control information, as OData 4.01 spells it. */
  readonly v401?: boolean;
}

export type Behave = (request: FakeRequest) => FakeAnswer | undefined;

const ROOT = 'http://erp.test/tableapi/odata/';

/** True counts, `$top` kept to, no links. */
export const honest: Behave = ({ matching, count }) => (count ? { count: matching.length } : {});

export interface Fake {
  readonly instance: Instance;
  readonly requests: string[];
}

/** A read that asks for more does not end. */
const MOST_REQUESTS = 20_000;

/** @param behave what it does with a request; undefined is what an honest server without counts does */
export function fakeInstance(tables: readonly FakeTable[], behave: Behave): Fake {
  const requests: string[] = [];
  const answer = (href: string): string => {
    const url = new URL(href);
    const table = tables.find(
      ({ schema }) =>
        ROOT.endsWith(url.pathname) === false && decodeURIComponent(url.pathname).endsWith(`/${schema.name}`),
    );
    if (table === undefined) throw refused(href, 404);
    const query = url.searchParams;
    const request: FakeRequest = {
      table,
      select: (query.get('$select') ?? '').split(',').filter(Boolean),
      filter: query.get('$filter') ?? '',
      top: query.has('$top') ? Number(query.get('$top')) : null,
      count: query.get('$count') === 'true',
      skip: Number(query.get('$skip') ?? 0),
      url,
      n: requests.length,
      matching: filterRows(table, query.get('$filter') ?? ''),
    };
    if (requests.length > MOST_REQUESTS) throw new Error(`no end after ${MOST_REQUESTS} requests`);
    requests.push(decodeURIComponent(url.pathname.replace(/.*\/odata\//, '') + url.search));
    const given = behave(request) ?? {};
    if (given.status !== undefined) throw refused(href, given.status);
    if (given.body !== undefined) return given.body;
    const rows = given.rows ?? (request.top === null ? request.matching : request.matching.slice(0, request.top));
    const at = given.v401 ? '@' : '@odata.';
    const columns = request.select.length > 0 ? request.select : table.schema.columns.map(({ name }) => name);
    return JSON.stringify({
      ...(given.count === undefined ? {} : { [`${at}count`]: given.count }),
      value: rows.map((row) => Object.fromEntries(columns.map((name) => [name, row[name] ?? null]))),
      ...(given.link === undefined ? {} : { [`${at}nextLink`]: new URL(given.link, ROOT).href }),
    });
  };
  const transport = {
    get: async (url: string, { signal }: { readonly signal?: AbortSignal }) => {
      signal?.throwIfAborted();
      return { url, status: 200, headers: {}, body: [Buffer.from(answer(url))], cancel: () => {} };
    },
    getBytes: async (url: string) => ({ url, status: 200, headers: {}, bytes: Buffer.from(answer(url)) }),
    stats: () => ({ requests: requests.length }),
  };
  const model = { tables: tables.map(({ schema }) => schema), warnings: [] };
  return { requests, instance: { tableApi: ROOT, transport, model } as unknown as Instance };
}

function refused(url: string, status: number): TablevaultError {
  const code = status === 403 ? 'AUTH_FORBIDDEN' : 'REQUEST_REFUSED';
  return new TablevaultError(code, `the instance refused ${new URL(url).pathname} (${status})`, { at: { status } });
}

/** `and`, `eq`, `ge`, `le` and the group form, by the order that the table's key types have in SQL Server. */
function filterRows({ rows }: FakeTable, text: string): readonly Row[] {
  const terms = text === '' ? [] : text.split(' and ');
  const tests = terms.map((term): ((row: Row) => boolean) => {
    if (term.startsWith('(')) {
      const values = [...term.matchAll(/(\w+) eq ([^\s()]+)/g)];
      return (row) => values.some(([, name, value]) => row[name!] === literal(value!));
    }
    const [, name, op, value] = /^(\w+) (eq|ge|le) (.+)$/.exec(term) ?? [];
    if (name === undefined || value === undefined) throw new Error(`the test's server does not know ${term}`);
    const wanted = literal(value);
    return (row) => {
      const cell = row[name] ?? null;
      if (op === 'eq' || cell === null || wanted === null) return op === 'eq' && cell === wanted;
      const order = compareCells(cell, wanted);
      return op === 'ge' ? order >= 0 : order <= 0;
    };
  });
  return rows.filter((row) => tests.every((test) => test(row)));
}

function compareCells(a: Cell, b: Cell): number {
  if (typeof a === 'string' && typeof b === 'string' && a.length === 36 && b.length === 36)
    return compareGuidsAsSqlServer(a, b);
  // An instant with a fraction of a second is longer than, and after, the same without.
  if (typeof a === 'string' && typeof b === 'string' && /T.*Z$/.test(a) && /T.*Z$/.test(b))
    return compareCells(a.slice(0, -1), b.slice(0, -1));
  return a === b ? 0 : (a ?? 0) < (b ?? 0) ? -1 : 1;
}

function literal(text: string): Cell {
  if (text === 'null') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

// ── The engine against it ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Outcome {
  readonly read: TableRead<TaskResult> | null;
  readonly planned: PlannedTable | null;
  readonly rows: readonly Readonly<Record<string, Value>>[];
  readonly error: TablevaultError | null;
  readonly requests: readonly string[];
  readonly events: readonly RunEvent[];
}

/** Time that passes as soon as it is waited for. */
const clock: Clock = { now: () => Date.parse('2026-01-01T00:00:00Z'), sleep: async () => {} };

const LIMITS: Pipeline['limits'] = {
  concurrency: 2,
  pageRows: 1000,
  memoryMb: 512,
  resumeWithinMs: 1,
  deadlineMs: 1e9,
};

/** Plans and reads a table as a snapshot does, with the rows kept here. */
export async function readFake(
  tables: readonly FakeTable[],
  behave: Behave,
  {
    hints = [],
    name,
    ...more
  }: Partial<Pick<ChosenTable, 'accept' | 'filter'>> & {
    readonly name?: string;
    readonly hints?: Parameters<typeof planTables>[1]['hints'];
  } = {},
): Promise<Outcome> {
  const { instance, requests } = fakeInstance(tables, behave);
  const events: RunEvent[] = [];
  const signal = new AbortController().signal;
  const chosen = tables.map(
    ({ schema }): ChosenTable => ({
      table: schema,
      columns: schema.columns,
      leftOut: [],
      filter: undefined,
      accept: undefined,
      fingerprint: 'f',
      ...more,
    }),
  );
  const kept = new Map<number, Record<string, Value>[]>();
  let opened = 0;
  const emit = (event: RunEvent) => void events.push(event);
  const open = async (spec: TaskSpec, hooks: SinkHooks): Promise<TaskSink> => {
    const rows: Record<string, Value>[] = [];
    const id = opened++;
    kept.set(id, rows);
    const take = async (batch: Batch) => {
      for (let row = 0; row < batch.rows; row++)
        rows.push(Object.fromEntries(batch.columns.map((each) => [each.column.name, valueAt(each, row)])));
    };
    const sink = new BatchSink({ spec, hooks, eager: false, take });
    const end = sink.finish.bind(sink);
    sink.abort = () => void kept.delete(id);
    sink.finish = async () => (await end()).map((part) => ({ ...part, sha256: String(id) }));
    return sink;
  };
  let planned: PlannedTable | undefined;
  try {
    const probe = await probeInstance(instance, chosen, signal);
    const counts = new CountKnowledge(probe.capabilities.count);
    const wanted = chosen.filter(({ table }) => name === undefined || table.name === name).slice(0, 1);
    const pipeline = { limits: LIMITS } as Pipeline;
    [planned] = await planTables(wanted, { instance, probe, counts, hints, pipeline, signal, emit });
    if (planned === undefined) throw new Error('no such table');
    if (planned.refusal !== null) throw planned.refusal;
    const parquet = { types: 'portable', compression: 'zstd', partRows: 1e9 } as const;
    const context = {
      instance,
      pool: { open },
      parquet,
      capabilities: probe.capabilities,
      counts,
      clock,
      emit,
      signal,
      tempDir: join(tmpdir(), `tablevault-engine-${process.pid}-${Math.random().toString(36).slice(2)}`),
      groupBytes: MOST_GROUP_BYTES,
      maxRowBytes: 64 * 1024 * 1024,
    };
    let id = 0;
    const limit = pLimit(LIMITS.concurrency);
    const read = await readTable<TaskResult>(planned, context, (plan, range, inner, onSeen) =>
      limit(() => {
        inner.throwIfAborted();
        return readTask({ plan, range, fingerprint: 'f', id: `${id++}`, onSeen }, { ...context, signal: inner });
      }),
    );
    const rows = read.tasks.flatMap(({ parts }) => parts.flatMap(({ sha256 }) => kept.get(Number(sha256)) ?? []));
    return { read, planned, rows, error: null, requests, events };
  } catch (thrown) {
    if (!(thrown instanceof TablevaultError)) throw thrown;
    return { read: null, planned: planned ?? null, rows: [], error: thrown, requests, events };
  }
}
