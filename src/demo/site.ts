/** Routes of the instance's own site: the page, discovery, version, identity, and the Table API; faults and errors of all of them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TrustedApplication } from './applications.ts';
import type { Faults } from './faults.ts';
import { type Answer, answerIdentity, json } from './identity.ts';
import type { FaultAction, WriteOrder } from './options.ts';
import type { Personality } from './personality.ts';
import { Refusal, refusalBody } from './refusal.ts';
import { httpDate, retryAfter } from './retry-after.ts';
import { sendBody } from './send.ts';
import { answerTableApi, misfit, type TableApi } from './tableapi.ts';
import type { WitnessBook } from './witness.ts';

export interface Site {
  readonly api: TableApi;
  readonly url: string;
  readonly applications: ReadonlyMap<string, TrustedApplication>;
  readonly database: string;
  readonly faults: Faults;
  readonly witness: WitnessBook;
  readonly page: () => string;
  /** Writes changes of rows at once. */
  readonly write: (order: WriteOrder) => void;
}

const VERSION = '26.1.0.0';

/** Answers one request; never throws. */
export async function answerSite(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const method = request.method ?? 'GET';
  const url = request.url ?? '/';
  const record = site.witness.begin('instance', method, url, request.headers);
  const started = performance.now();
  const gone = new AbortController();
  response.once('close', () => {
    record.ms = performance.now() - started;
    gone.abort(new Error('the connection is closed'));
  });
  const whole = (answer: Answer) => {
    record.status = answer.status;
    if (response.headersSent || response.destroyed) return;
    const body = method === 'HEAD' ? '' : answer.body;
    record.bytes += Buffer.byteLength(body);
    record.complete = true;
    response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
    response.end(body);
  };
  /** A small answer with a fault in its body. */
  const sendFaulty = (answer: Answer, fault: { readonly action: FaultAction; readonly afterBytes: number }) => {
    const { action, afterBytes } = fault;
    if (action !== 'cut' && action !== 'cut-clean' && action !== 'hang-in-body') throw misfit(action);
    return sendBody(response, [Buffer.from(answer.body)], {
      ...{ status: answer.status, headers: answer.headers, coding: null, chunkBytes: 0, bytesPerSecond: null },
      fault: { action, afterBytes },
      mustStop: () => false,
      clock: site.api.clock,
      record,
      signal: gone.signal,
    });
  };
  try {
    const { retryAfterAs, clockAheadMs } = site.api.limits();
    if (retryAfterAs === 'date' || clockAheadMs !== 0)
      response.setHeader('date', httpDate(site.api.clock.now() + clockAheadMs));
    let fault = site.faults.match(method, url);
    if (fault !== null && typeof fault.action === 'object' && 'write' in fault.action) {
      site.write(fault.action.write);
      fault = null;
    }
    if (fault !== null && applyAtOnce(site, fault.action, request, whole)) return;
    const [path = '/', search = ''] = splitUrl(url);
    const below = belowTableApi(path, site.api.personality().tableApiSite);
    if (below !== undefined) {
      const inner = decodePath(below);
      await answerTableApi(site.api, { request, response, path: inner, search, record, fault, signal: gone.signal });
    } else if (fault !== null) {
      await sendFaulty(await answerElsewhere(site, request, path), fault);
    } else {
      whole(await answerElsewhere(site, request, path));
    }
  } catch (thrown) {
    if (gone.signal.aborted) return;
    if (!(thrown instanceof Refusal) || response.headersSent) {
      // A fault of the demo itself, or one in the middle of a body: cut, so that it can never look like an end.
      if (!(thrown instanceof Refusal))
        process.emitWarning(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
      response.destroy();
      return;
    }
    const personality = site.api.personality();
    const status = thrown.status === 0 ? personality.requestErrorStatus : thrown.status;
    const refusal = new Refusal(thrown.message, { status, type: thrown.type });
    whole({
      status,
      headers: { 'content-type': 'application/json; charset=utf-8', ...thrown.headers },
      body: refusalBody(refusal, personality.errorShape),
    });
  }
}

/** The path below the OData root; undefined elsewhere. A second site serves the same. */
function belowTableApi(path: string, sites: Personality['tableApiSite']): string | undefined {
  const found = /^\/tableapi(2?)\/odata(?:\/(.*))?$/s.exec(path);
  return found === null || (found[1] === '2' && sites !== 'two') ? undefined : (found[2] ?? '');
}

/** Faults that need no answer of the site itself. True when the request is done with. */
function applyAtOnce(
  site: Site,
  action: FaultAction,
  request: IncomingMessage,
  whole: (answer: Answer) => void,
): boolean {
  if (typeof action === 'object') {
    if ('write' in action) return false;
    const { retryAfterSeconds: seconds } = action;
    const headers =
      seconds === undefined ? {} : { 'retry-after': retryAfter(seconds, site.api.limits(), site.api.clock.now()) };
    const refusal = new Refusal('A fault on order.', { status: action.status, type: 'OrderedFault' });
    const body = action.body ?? refusalBody(refusal, site.api.personality().errorShape);
    whole({ status: action.status, headers: { 'content-type': 'application/json', ...headers }, body });
    return true;
  }
  switch (action) {
    case 'reset':
      request.socket.resetAndDestroy();
      return true;
    case 'hang':
      return true;
    case 'html':
      whole({
        status: 200,
        headers: { 'content-type': 'text/html' },
        body: '<html><body>Please sign in</body></html>',
      });
      return true;
    case 'redirect-foreign':
      whole({ status: 302, headers: { location: `${site.api.foreignUrl}${request.url}` }, body: '' });
      return true;
    default:
      return false;
  }
}

async function answerElsewhere(site: Site, request: IncomingMessage, path: string): Promise<Answer> {
  if (path === '/id' || path.startsWith('/id/')) {
    const { tokens, limits } = site.api;
    const { authorityAnswers } = site.api.personality();
    const settings = {
      ...{ issuer: `${site.url}/id`, tokens, applications: site.applications, limits: limits() },
      loose: authorityAnswers === 'loose',
    };
    return answerIdentity(request, path.slice(3), settings);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return json(405, { message: 'Method not allowed' }, { allow: 'GET' });
  const { discovery } = site.api.personality();
  if (path === '/tools/auto-discovery' && (discovery === 'tools' || discovery === 'both'))
    return json(200, discoveryDocument(site));
  if (path === '/sys/auto-discovery' && (discovery === 'sys' || discovery === 'both'))
    return json(200, discoveryDocument(site));
  if (path === '/tools/ver')
    return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: VERSION };
  if (path === '/') return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: site.page() };
  return json(404, { message: 'Not found' });
}

function discoveryDocument(site: Site): unknown {
  const { tableApiSite } = site.api.personality();
  const entry = (type: string, url: string, status = 'Working') => ({
    Type: type,
    Status: status,
    StatusDescription: status === 'Working' ? '' : 'The site does not answer.',
    Url: url,
    System: false,
    AdditionalProperties: {},
  });
  const tableApi = {
    listed: [entry('TableAPI', `${site.url}/tableapi`)],
    private: [],
    'not-working': [entry('TableAPI', `${site.url}/tableapi`, 'NotWorking')],
    two: [entry('TableAPI', `${site.url}/tableapi`), entry('TableAPI', `${site.url}/tableapi2`)],
    foreign: [entry('TableAPI', `${site.api.foreignUrl}/tableapi`)],
    'one-of-two': [entry('TableAPI', `${site.url}/tableapi-old`), entry('TableAPI', `${site.url}/tableapi`)],
  }[tableApiSite];
  return {
    Host: new URL(site.url).host,
    DbName: site.database,
    WebSites: [entry('ID', `${site.url}/id`), ...tableApi, entry('DomainAPI', `${site.url}/api`, 'Unknown')],
  };
}

function splitUrl(url: string): readonly [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at)];
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new Refusal('The path is not properly percent-encoded.', { status: 400, type: 'InvalidPath' });
  }
}
