/**
 * Where an instance keeps its Table API and its identity authority: asked anonymously, judged before anything else is sent.
 */
import * as z from 'zod';
import { hasCode, TablevaultError } from '../core/errors.ts';
import type { Endpoints } from '../core/pipeline.ts';
import { below, refuseGlobalIdentity, usableUrl } from './origins.ts';
import type { RequestPatience, Transport } from './transport.ts';

const siteSchema = z.object({
  Type: z.string(),
  Url: z.string(),
  Status: z.string().nullish(),
  StatusDescription: z.string().nullish(),
});
const documentSchema = z.object({
  Host: z.string().nullish(),
  DbName: z.string().nullish(),
  WebSites: z.array(z.unknown()),
});

export interface Site {
  /** `TableAPI`, `ID`, … */
  readonly type: string;
  readonly url: string;
  /** `Working`, `NotWorking`, `Unknown`. */
  readonly status: string;
  readonly statusDescription: string;
}

export interface Discovery {
  /** URL of the document that answered; null when the instance has none. */
  readonly source: string | null;
  readonly databaseName: string | null;
  readonly sites: readonly Site[];
}

export interface ChosenEndpoints {
  /**
   * OData roots that come into question, each ends in a slash: a configured address as it is, then with `odata/`, of which the first that
   * answers is taken; or the sites that discovery lists, of which one alone must answer.
   */
  readonly tableApis: readonly string[];
  /** Was it listed, configured, or is it only the usual place? */
  readonly tableApiFrom: 'configured' | 'discovered' | 'usual place';
  /** Table API sites that discovery lists on another origin, beside those of the instance's own: nothing is sent there. */
  readonly elsewhere: readonly string[];
  readonly authority: string;
  readonly warnings: readonly string[];
}

/** What is known of an instance that was not asked, or has no document. */
export const NOTHING_DISCOVERED: Discovery = { source: null, databaseName: null, sites: [] };
/** A few lines of text that whoever starts a run waits for. */
const PATIENCE: RequestPatience = { firstByteTimeoutMs: 30_000, idleTimeoutMs: 30_000, bodyTimeoutMs: 30_000 };
/** The newer address first. */
const PATHS = ['tools/auto-discovery', 'sys/auto-discovery'];

/**
 * Asks both addresses in turn, without a credential.
 * @throws what the transport throws when the instance cannot be reached; an instance that merely has no document gives no sites
 */
async function discover(transport: Transport, instance: string): Promise<Discovery> {
  for (const path of PATHS) {
    const url = below(instance, path);
    const text = await readText(transport, url, 'auto-discovery', 'application/json');
    const discovery = text === undefined ? undefined : parseDiscovery(text, url);
    if (discovery !== undefined) return discovery;
  }
  return NOTHING_DISCOVERED;
}

/**
 * What the instance tells of its sites; where it lists several authorities and one is needed, only those that answer.
 * @throws what the transport throws when the instance cannot be reached
 */
export async function discoverWorking(
  transport: Transport,
  instance: string,
  needsAuthority: boolean,
): Promise<Discovery> {
  const discovery = await discover(transport, instance);
  return needsAuthority ? withoutDeadAuthorities(transport, discovery, instance) : discovery;
}

/**
 * The discovery without authorities that do not answer, where it lists several: asked without a credential. Where none answers, all stay.
 */
async function withoutDeadAuthorities(
  transport: Transport,
  discovery: Discovery,
  instance: string,
): Promise<Discovery> {
  const urls = siteUrls(discovery, 'ID', instance);
  if (urls.length < 2) return discovery;
  const dead = new Set<string>();
  for (const { href } of urls) {
    const document = below(href, '.well-known/openid-configuration');
    try {
      if ((await readText(transport, document, 'the identity document', 'application/json')) === undefined)
        dead.add(href);
    } catch (thrown) {
      // Down, not only absent: this one is not the one to ask for a token.
      if (!hasCode(thrown, 'INSTANCE_UNREACHABLE', 'INSTANCE_ANSWER')) throw thrown;
      dead.add(href);
    }
  }
  if (dead.size === urls.length) return discovery;
  const isDead = ({ type, url }: Site) => isOfType(type, 'ID') && dead.has(new URL(url, below(instance, '')).href);
  return { ...discovery, sites: discovery.sites.filter((site) => !isDead(site)) };
}

function isOfType(type: string, wanted: string): boolean {
  return type.toLowerCase() === wanted.toLowerCase();
}

/** Version of the instance, from `/tools/ver`; null when it does not tell. */
export async function readVersion(transport: Transport, instance: string): Promise<string | null> {
  const text = await readText(transport, below(instance, 'tools/ver'), 'the version', 'text/plain');
  const version = text?.trim() ?? '';
  return /^[\w.+ ()-]{1,60}$/.test(version) ? version : null;
}

/** The body as text; undefined when the instance answers that there is no such thing, or with something else. */
async function readText(
  transport: Transport,
  url: string,
  purpose: string,
  accept: string,
): Promise<string | undefined> {
  try {
    const { bytes } = await transport.getBytes(url, {
      purpose,
      accept,
      credentials: false,
      patience: PATIENCE,
      maxBytes: 1024 * 1024,
    });
    return Buffer.from(bytes).toString('utf8');
  } catch (thrown) {
    if (thrown instanceof TablevaultError && isAbsence(thrown)) return undefined;
    throw thrown;
  }
}

/** Not found, forbidden, redirected to a sign-in page, far too large: it is not offered. A gateway's 502 to 504 is a fault to report. */
function isAbsence({ code, at }: TablevaultError): boolean {
  const status = Number(at['status'] ?? 0);
  if (status > 500 && status !== 501) return false;
  return [
    'REQUEST_REFUSED',
    'AUTH_TOKEN',
    'AUTH_FORBIDDEN',
    'INSTANCE_ANSWER',
    'BODY_INVALID',
    'FOREIGN_ORIGIN',
  ].includes(code);
}

/** Undefined when it is not a discovery document. A site that is not understood is left out: a newer version may add kinds. */
function parseDiscovery(text: string, source: string): Discovery | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
  const document = documentSchema.safeParse(json);
  if (!document.success) return undefined;
  const sites = document.data.WebSites.flatMap((item) => {
    const site = siteSchema.safeParse(item);
    if (!site.success) return [];
    const { Type: type, Url: url, Status: status, StatusDescription: statusDescription } = site.data;
    return [{ type, url, status: status ?? 'Unknown', statusDescription: statusDescription ?? '' }];
  });
  return { source, databaseName: document.data.DbName ?? null, sites };
}

/** Is every address configured that a run needs? Then the instance is asked for none, and for nothing else beside the Table API. */
export function allConfigured(endpoints: Endpoints, needsAuthority: boolean): boolean {
  return endpoints.tableApi !== undefined && (endpoints.identity !== undefined || !needsAuthority);
}

/**
 * The endpoints to use: configured ones first, then what discovery lists on the instance's own origin, then the usual places.
 *
 * @param needsAuthority false for a reference token, which never meets the authority
 * @throws FOREIGN_ORIGIN when discovery names another origin alone, AMBIGUOUS_ENDPOINT when it lists several authorities, AUTH_AUTHORITY for
 *   the global identity
 */
export function chooseEndpoints(
  discovery: Discovery,
  instance: string,
  endpoints: Endpoints,
  needsAuthority: boolean,
): ChosenEndpoints {
  const chosen = chooseTableApis(discovery, instance, endpoints);
  const authority = needsAuthority ? chooseAuthority(discovery, instance, endpoints) : endpoints.identity;
  const chosenAuthority = trimmed(authority ?? below(instance, 'id'));
  if (needsAuthority) refuseGlobalIdentity(new URL(chosenAuthority), 'the identity authority');
  const used = [
    ...(chosen.tableApis.length === 1 ? chosen.tableApis : []),
    ...(needsAuthority ? [chosenAuthority] : []),
  ];
  return { ...chosen, authority: chosenAuthority, warnings: statusWarnings(discovery, instance, used) };
}

function chooseTableApis(
  discovery: Discovery,
  instance: string,
  { tableApi }: Endpoints,
): Pick<ChosenEndpoints, 'tableApis' | 'tableApiFrom' | 'elsewhere'> {
  if (tableApi !== undefined) {
    const asItIs = `${trimmed(usableUrl(tableApi, 'endpoints.tableApi').href)}/`;
    const tableApis = [...new Set([asItIs, odataRoot(asItIs)])];
    return { tableApis, tableApiFrom: 'configured', elsewhere: [] };
  }
  const { origin } = new URL(instance);
  const urls = siteUrls(discovery, 'TableAPI', instance);
  const own = urls.filter((url) => url.origin === origin);
  const elsewhere = urls.filter((url) => url.origin !== origin);
  if (own.length === 0 && elsewhere.length > 0) throw foreign('TableAPI', 'tableApi', elsewhere, new URL(instance));
  const roots = own.length === 0 ? [below(instance, 'tableapi')] : own.map(({ href }) => href);
  return {
    tableApis: [...new Set(roots.map(odataRoot))],
    tableApiFrom: own.length === 0 ? 'usual place' : 'discovered',
    elsewhere: elsewhere.map(({ href }) => href),
  };
}

/** Undefined where neither the pipeline nor discovery names one. */
function chooseAuthority(discovery: Discovery, instance: string, { identity }: Endpoints): string | undefined {
  if (identity !== undefined) return usableUrl(identity, 'endpoints.identity').href;
  const own = new URL(instance);
  const urls = siteUrls(discovery, 'ID', instance);
  if (urls.length > 1) throw ambiguous('ID', 'identity', urls, discovery);
  const [url] = urls;
  if (url !== undefined && url.origin !== own.origin) throw foreign('ID', 'identity', [url], own);
  return url?.href;
}

/** What the instance reports of the sites that are used and do not work. */
function statusWarnings(discovery: Discovery, instance: string, used: readonly string[]): readonly string[] {
  const bare = (address: string) => trimmed(address).replace(/\/odata$/, '');
  const places = new Set(used.map(bare));
  return discovery.sites.flatMap(({ type, url, status, statusDescription }) => {
    if (status === 'Working' || !places.has(bare(new URL(url, below(instance, '')).href))) return [];
    const why = statusDescription === '' ? '' : `: ${statusDescription.replace(/\s+/g, ' ').slice(0, 200)}`;
    return [`the instance reports its ${type} site as ${status}${why}`];
  });
}

/** Different addresses of the sites of a type, in the order of the document. */
function siteUrls(discovery: Discovery, type: string, instance: string): readonly URL[] {
  const urls = new Map<string, URL>();
  for (const site of discovery.sites) {
    if (!isOfType(site.type, type)) continue;
    let url: URL;
    try {
      url = new URL(site.url, below(instance, ''));
    } catch {
      throw new TablevaultError(
        'INSTANCE_ANSWER',
        `auto-discovery gives the ${type} site an address that is not a URL`,
        {
          hint: 'Name the address in the pipeline, below endpoints:.',
        },
      );
    }
    urls.set(url.href.replace(/\/+$/, ''), url);
  }
  return [...urls.values()];
}

function ambiguous(type: string, key: keyof Endpoints, urls: readonly URL[], { sites }: Discovery): TablevaultError {
  const list = urls.map(({ href }) => href).join(', ');
  const working = sites.find((site) => isOfType(site.type, type) && site.status === 'Working');
  return new TablevaultError('AMBIGUOUS_ENDPOINT', `the instance has ${urls.length} sites of type ${type}: ${list}`, {
    hint: `Choose one in the pipeline: endpoints: { ${key}: ${working?.url ?? urls[0]?.href ?? ''} }.`,
  });
}

function foreign(type: string, key: keyof Endpoints, urls: readonly URL[], own: URL): TablevaultError {
  const lines = urls.map((url) => (url.host === own.host ? `${own.origin}${url.pathname}` : url.href));
  const origins = [...new Set(urls.map(({ origin }) => origin))].join(', ');
  return new TablevaultError(
    'FOREIGN_ORIGIN',
    `auto-discovery of ${own.origin} names a ${type} site on another origin, ${origins}; nothing was sent there`,
    {
      hint: `If that is right, add this line to the pipeline: endpoints: { ${key}: ${lines.join(' } or endpoints: { ')} }.`,
    },
  );
}

function odataRoot(site: string): string {
  const bare = trimmed(site);
  return bare.endsWith('/odata') ? `${bare}/` : `${bare}/odata/`;
}

function trimmed(address: string): string {
  return address.replace(/\/+$/, '');
}
