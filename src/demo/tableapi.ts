/** The Table API at `/tableapi/odata/`: who may call, when, and what is answered. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { BlockCache } from './blocks.ts';
import { pageBody } from './body.ts';
import type { Database } from './database.ts';
import type { JsonForm } from './encode.ts';
import { faultName } from './faults.ts';
import { entitySets, metadataXml, serviceDocument } from './metadata.ts';
import type { DemoLimits, FaultAction } from './options.ts';
import type { Personality } from './personality.ts';
import { parseQuery, type Query } from './query.ts';
import { planRead, type ReadPlan } from './read.ts';
import { badRequest, Refusal } from './refusal.ts';
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
  readonly seed: number;
  /** Another number for each read, growing. */
  readonly nextSerial: () => number;
  /** Puts rows at the end of a table. */
  readonly grow: (table: string, rows: number) => void;
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
  if (path === '$metadata') {
    const xml = metadataXml(api.db, personality, api.nextSerial());
    return send(api, call, [xml], 'application/xml', mustStop);
  }
  const counting = path.endsWith('/$count');
  const name = counting ? path.slice(0, -'/$count'.length) : path;
  const table = entitySets(api.db, personality).get(name);
  const countless = !personality.count || personality.counts === 'ignored';
  if (table === undefined || (counting && countless)) {
    throw new Refusal(`There is no entity set ${name}.`, { status: 404, type: 'NotFound' });
  }
  if (rights.forbiddenTables.includes(name) || (name === 'Dmv_Table_Info' && personality.tableInfo === 'forbidden')) {
    throw new Refusal(`You have no permission to read ${name}.`, { status: 403, type: 'Forbidden' });
  }
  const query = parseQuery(call.search, personality);
  const growth = personality.grows[name] ?? personality.grows['*'] ?? 0;
  if (growth > 0 && !table.live) api.grow(table.name, growth);
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
    seed: api.seed,
    serial: api.nextSerial(),
  });
  if (counting) {
    if (personality.counts === 'unfiltered' && query.filter.length > 0)
      throw badRequest('$count takes no $filter.', 'UnsupportedOption');
    const rows = personality.counts === 'page' ? rowsSent(plan) : plan.count();
    return send(api, call, [String(empty ? 0 : rows)], 'text/plain', mustStop);
  }
  const type = `application/json;odata.metadata=minimal${form.ieee754 ? ';IEEE754Compatible=true' : ''};charset=utf-8`;
  const { root, foreignUrl } = api;
  const body = pageBody({
    personality,
    root,
    foreignUrl,
    name,
    search: call.search,
    query,
    plan,
    fault: call.fault?.action,
  });
  return send(api, call, body, type, mustStop);
}

/** Rows that one answer holds. */
function rowsSent(plan: ReadPlan): number {
  const chunks = plan.chunks();
  for (let step = chunks.next(); ; step = chunks.next()) if (step.done) return step.value.rows;
}

function formOf(request: IncomingMessage, personality: Personality, query: Query): JsonForm {
  const asked = /IEEE754Compatible\s*=\s*true/i.test(request.headers.accept ?? '');
  const { decimals, dates, times, instants, binaries, guidCase, nulls, properties, json, escapes } = personality;
  const { extraProperties, controlPrefix } = personality;
  const language = (query.culture ?? request.headers['accept-language'] ?? 'bg').slice(0, 2).toLowerCase();
  return {
    ...{ decimals, dates, times, instants, binaries, guidCase, nulls, properties, json, escapes },
    ...{ extraProperties, controlPrefix },
    ieee754: personality.ieee754 === 'honoured' && asked,
    language: personality.multiLanguage === 'accept-language' ? language : null,
  };
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
  await sendBody(call.response, buffers(chunks, personality.bom), {
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

function* buffers(chunks: Iterable<Buffer | string>, bom: boolean): Generator<Buffer> {
  if (bom) yield Buffer.from('\ufeff');
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

/** Does a fault happen to the rows of a page? */
function needsRows(action: FaultAction): boolean {
  return !BODY_FAULTS.some((other) => other === action);
}

const BODY_FAULTS = ['cut', 'cut-clean', 'hang-in-body'] as const;

/** A fault ordered for an answer it cannot befall must not pass for one that did. */
export function misfit(action: FaultAction): Refusal {
  return new Refusal(`The ordered fault '${faultName(action)}' does not fit this request.`, {
    status: 501,
    type: 'MisfitFault',
  });
}
