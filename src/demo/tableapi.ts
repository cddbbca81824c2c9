/** The Table API at `/tableapi/odata/`: who may call, when, and what is answered. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { BlockCache } from './blocks.ts';
import type { Database } from './database.ts';
import type { JsonForm } from './encode.ts';
import { entitySets, metadataXml, restamped, serviceDocument } from './metadata.ts';
import type { DemoLimits, FaultAction, Personality } from './options.ts';
import { parseQuery, type Query } from './query.ts';
import { type Continuation, planRead, type ReadPlan } from './read.ts';
import { Refusal } from './refusal.ts';
import type { Rights } from './rights.ts';
import { mergeRights } from './rights.ts';
import { chooseCoding, sendBody } from './send.ts';
import type { Sessions } from './sessions.ts';
import type { Slots } from './slots.ts';
import type { Identity, TokenStore } from './tokens.ts';
import type { RequestRecord } from './witness.ts';

export interface TableApi {
  readonly db: Database;
  readonly tokens: TokenStore;
  readonly sessions: Sessions;
  readonly slots: Slots;
  readonly blocks: BlockCache;
  readonly clock: Clock;
  readonly personality: () => Personality;
  readonly limits: () => DemoLimits;
  readonly rights: () => Rights;
  /** `http://127.0.0.1:port/tableapi/odata/`. */
  readonly root: string;
  readonly foreignUrl: string;
  /** Called with each authenticated request, to notice a token in use by two. */
  readonly noticeCaller: (tokenId: string, request: IncomingMessage) => void;
}

export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path after `/tableapi/odata/`, without query, decoded. */
  readonly path: string;
  readonly search: string;
  readonly record: RequestRecord;
  readonly fault: { readonly action: FaultAction; readonly afterBytes: number } | null;
  readonly signal: AbortSignal;
}

/** Answers one call. Throws a refusal for what is answered with an error. */
export async function answerTableApi(api: TableApi, call: Call): Promise<void> {
  const { request, signal } = call;
  const limits = api.limits();
  if (Buffer.byteLength(request.url ?? '') > api.personality().maxUrlBytes) {
    throw new Refusal('The request target is too long.', { status: 414, type: 'UriTooLong' });
  }
  const identity = authenticate(api, request);
  if (call.fault?.action === 'revoke-token') {
    api.tokens.revoke(readCredential(request).token);
    throw unauthorized('The token was revoked.');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw new Refusal('The Table API is read-only.', {
      status: 405,
      type: 'MethodNotAllowed',
      headers: { allow: 'GET' },
    });
  }
  const session = api.sessions.enter(identity);
  try {
    const slot = await api.slots.acquire(signal);
    try {
      if (limits.latencyMs > 0) await api.clock.sleep(limits.latencyMs, signal);
      const mustStop = () => limits.cutAtSessionEnd && api.clock.now() >= session.endsAt;
      await answerPath(api, call, mergeRights(api.rights(), identity.rights), mustStop);
    } finally {
      slot.release();
    }
  } finally {
    session.leave();
  }
}

function authenticate(api: TableApi, request: IncomingMessage): Identity {
  const { token, given } = readCredential(request);
  if (given > 1) throw unauthorized('Only one of Authorization, X-Api-Key and Api-Key may be sent.');
  if (token === undefined) throw unauthorized('A token is required.');
  const identity = api.tokens.identify(token);
  if (identity === undefined) throw unauthorized('The token is unknown, expired or revoked.');
  if (given === 1 && request.headers.authorization === undefined && identity.kind === 'service') {
    throw unauthorized('An access token is sent as Authorization: Bearer.');
  }
  if (!identity.scopes.includes('read')) {
    throw new Refusal('The token does not have the scope read.', { status: 403, type: 'InsufficientScope' });
  }
  api.noticeCaller(identity.tokenId, request);
  return identity;
}

function readCredential(request: IncomingMessage): { readonly token: string | undefined; readonly given: number } {
  const bearer = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const names = ['authorization', 'x-api-key', 'api-key'].filter((name) => request.headers[name] !== undefined);
  const key = request.headers['x-api-key'] ?? request.headers['api-key'];
  return {
    token: request.headers.authorization === undefined ? (key as string | undefined) : bearer,
    given: names.length,
  };
}

function unauthorized(message: string): Refusal {
  return new Refusal(message, { status: 401, type: 'Unauthorized', headers: { 'www-authenticate': 'Bearer' } });
}

async function answerPath(api: TableApi, call: Call, rights: Rights, mustStop: () => boolean): Promise<void> {
  const personality = api.personality();
  const { path } = call;
  const rows = path !== '' && path !== '$metadata' && !path.endsWith('/$count');
  if (!rows && call.fault !== null && needsRows(call.fault.action)) throw misfit(call.fault.action);
  if (path === '')
    return send(
      api,
      call,
      [serviceDocument(api.db, personality, api.root)],
      'application/json;odata.metadata=minimal',
      mustStop,
    );
  if (path === '$metadata')
    return send(api, call, [restamped(metadataXml(api.db, personality), personality)], 'application/xml', mustStop);
  const counting = path.endsWith('/$count');
  const name = counting ? path.slice(0, -'/$count'.length) : path;
  const table = entitySets(api.db, personality).get(name);
  if (table === undefined || (counting && !personality.count)) {
    throw new Refusal(`There is no entity set ${name}.`, { status: 404, type: 'NotFound' });
  }
  if (rights.forbiddenTables.includes(name) || (name === 'Dmv_Table_Info' && personality.tableInfo === 'forbidden')) {
    throw new Refusal(`You have no permission to read ${name}.`, { status: 403, type: 'Forbidden' });
  }
  const query = parseQuery(call.search, personality);
  const form = formOf(call.request, personality, query);
  const empty = name === 'Dmv_Table_Info' && personality.tableInfo === 'empty';
  const plan = planRead({
    db: api.db,
    table,
    query,
    personality,
    rights: empty ? { ...rights, maxRows: 0 } : rights,
    form,
    blocks: api.blocks,
  });
  if (counting) return send(api, call, [String(empty ? 0 : plan.count())], 'text/plain', mustStop);
  const type = `application/json;odata.metadata=minimal${form.ieee754 ? ';IEEE754Compatible=true' : ''};charset=utf-8`;
  return send(api, call, pageBody(api, call, name, query, plan), type, mustStop);
}

function formOf(request: IncomingMessage, personality: Personality, query: Query): JsonForm {
  const asked = /IEEE754Compatible\s*=\s*true/i.test(request.headers.accept ?? '');
  const { decimals, dates, times, instants, binaries, guidCase, nulls, properties, json, escapes, extraProperties } =
    personality;
  const language = (query.culture ?? request.headers['accept-language'] ?? 'bg').slice(0, 2).toLowerCase();
  return {
    ...{ decimals, dates, times, instants, binaries, guidCase, nulls, properties, json, escapes, extraProperties },
    ieee754: personality.ieee754 === 'honoured' && asked,
    language: personality.multiLanguage === 'accept-language' ? language : null,
  };
}

/** The chunks of `{"@odata.context":…,"value":[…],"@odata.nextLink":…}`. */
function* pageBody(api: TableApi, call: Call, name: string, query: Query, plan: ReadPlan): Generator<Buffer> {
  const personality = api.personality();
  const fault = call.fault?.action;
  const space = personality.json === 'pretty' ? '\n  ' : '';
  const colon = personality.json === 'pretty' ? ': ' : ':';
  const columns = plan.selected === null ? '' : `(${plan.selected.join(',')})`;
  let head = `{${space}"@odata.context"${colon}${JSON.stringify(`${api.root}$metadata#${name}${columns}`)},`;
  if (query.count) head += `${space}"@odata.count"${colon}${plan.count()},`;
  const linkText = (continuation: Continuation) => {
    const link = linkOf(api, call, name, fault, continuation);
    return link === null ? '' : `${space}"@odata.nextLink"${colon}${JSON.stringify(link)}`;
  };
  const first = personality.nextLinkPosition === 'before' && query.top !== null;
  const rows = plan.chunks();
  const held: Buffer[] = [];
  let link = '';
  if (first) {
    let step = rows.next();
    for (; !step.done; step = rows.next()) held.push(step.value);
    link = fault === 'short' ? '' : linkText(step.value);
    if (link !== '') head += `${link},`;
  }
  yield Buffer.from(`${head}${space}"value"${colon}[`);
  let opened = false;
  let last: Buffer | null = null;
  const sent = function* (chunk: Buffer): Generator<Buffer> {
    yield opened ? chunk : chunk.subarray(1);
    opened = true;
    last = chunk;
  };
  let continuation: Continuation = null;
  const source = first ? held[Symbol.iterator]() : rows;
  for (;;) {
    const step = source.next();
    if (step.done) {
      if (!first) continuation = step.value ?? null;
      break;
    }
    if (fault === 'short') {
      yield* sent(half(step.value));
      break;
    }
    yield* sent(step.value);
    if (fault === 'error-in-stream' || fault === 'error-in-stream-open') break;
  }
  if (fault === 'duplicate-row' && last !== null) yield last;
  if (fault === 'error-in-stream' || fault === 'error-in-stream-open') {
    yield Buffer.from(
      `${opened ? ',' : ''}{"error":{"message":"The connection to the database was lost.","code":500,"type":"SqlException"}}`,
    );
    if (fault === 'error-in-stream-open') return;
  }
  if (!first && fault !== 'short') link = linkText(continuation);
  yield Buffer.from(
    `${personality.json === 'pretty' ? '\n  ' : ''}]${first || link === '' ? '' : `,${link}`}${space === '' ? '' : '\n'}}`,
  );
}

/** The first half of a chunk, in bytes and cut between rows. */
function half(chunk: Buffer): Buffer {
  const at = chunk.lastIndexOf('},', Math.floor(chunk.length / 2));
  return at < 0 ? chunk.subarray(0, 0) : chunk.subarray(0, at + 1);
}

function linkOf(
  api: TableApi,
  call: Call,
  name: string,
  fault: FaultAction | undefined,
  continuation: Continuation,
): string | null {
  if (fault === 'link-foreign') return `${api.foreignUrl}/tableapi/odata/${name}?${continuation ?? ''}`;
  if (fault === 'link-loop') return `${api.root}${encodeURIComponent(name)}${call.search}`;
  if (continuation === null) return null;
  const relative = `${encodeURIComponent(name)}?${continuation}`;
  return api.personality().nextLink === 'absolute' ? api.root + relative : relative;
}

async function send(
  api: TableApi,
  call: Call,
  chunks: Iterable<Buffer | string>,
  type: string,
  mustStop: () => boolean,
): Promise<void> {
  const personality = api.personality();
  const fault = call.fault;
  const inBody =
    fault?.action === 'cut' || fault?.action === 'cut-clean' || fault?.action === 'hang-in-body' ? fault.action : null;
  await sendBody(call.response, buffers(chunks), {
    status: 200,
    headers: { 'content-type': type, 'odata-version': '4.0', 'cache-control': 'no-store', vary: 'accept-encoding' },
    coding: chooseCoding(call.request.headers['accept-encoding'] as string | undefined, personality.compression),
    chunkBytes: personality.chunkBytes,
    bytesPerSecond: api.limits().bytesPerSecond,
    fault: inBody === null ? null : { action: inBody, afterBytes: fault!.afterBytes },
    mustStop,
    clock: api.clock,
    record: call.record,
    signal: call.signal,
  });
}

function* buffers(chunks: Iterable<Buffer | string>): Generator<Buffer> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

/** Does a fault happen to the rows of a page? */
function needsRows(action: FaultAction): boolean {
  return !BODY_FAULTS.some((other) => other === action);
}

const BODY_FAULTS = ['cut', 'cut-clean', 'hang-in-body'] as const;

/** A fault ordered for an answer it cannot befall must not pass for one that did. */
export function misfit(action: FaultAction): Refusal {
  const name = typeof action === 'string' ? action : `status ${action.status}`;
  return new Refusal(`The ordered fault '${name}' does not fit this request.`, { status: 501, type: 'MisfitFault' });
}
