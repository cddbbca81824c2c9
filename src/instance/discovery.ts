/**
 * Where an instance keeps its Table API and its identity authority: asked anonymously, judged before anything else is sent.
 */
import * as z from 'zod';
import { TablevaultError } from '../core/errors.ts';
import type { Endpoints } from '../core/pipeline.ts';
import { below, refuseGlobalIdentity, usableUrl } from './origins.ts';
import type { Transport } from './transport.ts';

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
  /** OData root, ends in `/odata/`. */
  readonly tableApi: string;
  /** Was it listed, configured, or is it only the usual place? */
  readonly tableApiFrom: 'configured' | 'discovered' | 'usual place';
  readonly authority: string;
  readonly warnings: readonly string[];
}

const NOTHING: Discovery = { source: null, databaseName: null, sites: [] };
/** The newer address first. */
const PATHS = ['tools/auto-discovery', 'sys/auto-discovery'];

/**
 * Asks both addresses in turn, without a credential.
 * @throws what the transport throws when the instance cannot be reached; an instance that merely has no document gives no sites
 */
export async function discover(transport: Transport, instance: string): Promise<Discovery> {
  for (const path of PATHS) {
    const url = below(instance, path);
    const text = await readText(transport, url, 'auto-discovery', 'application/json');
    const discovery = text === undefined ? undefined : parseDiscovery(text, url);
    if (discovery !== undefined) return discovery;
  }
  return NOTHING;
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
    const { bytes } = await transport.getBytes(url, { purpose, accept, credentials: false, maxBytes: 1024 * 1024 });
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

/**
 * The endpoints to use: configured ones first, then what discovery lists on the instance's own origin, then the usual places.
 *
 * @param needsAuthority false for a reference token, which never meets the authority
 * @throws FOREIGN_ORIGIN when discovery names another origin, AMBIGUOUS_ENDPOINT when it lists several, AUTH_AUTHORITY for the global identity
 */
export function chooseEndpoints(
  discovery: Discovery,
  instance: string,
  endpoints: Endpoints,
  needsAuthority: boolean,
): ChosenEndpoints {
  const warnings: string[] = [];
  const own = new URL(instance);
  const pick = (type: string, key: keyof Endpoints): string | undefined => {
    const configured = endpoints[key];
    if (configured !== undefined) return usableUrl(configured, `endpoints.${key}`).href;
    const urls = siteUrls(discovery, type, instance);
    if (urls.length > 1) throw ambiguous(type, key, urls);
    const url = urls[0];
    if (url !== undefined && url.origin !== own.origin) throw foreign(type, key, url, own);
    return url?.href;
  };
  const tableApi = pick('TableAPI', 'tableApi');
  const authority = needsAuthority ? pick('ID', 'identity') : endpoints.identity;
  const chosenAuthority = (authority ?? below(instance, 'id')).replace(/\/+$/, '');
  if (needsAuthority) refuseGlobalIdentity(new URL(chosenAuthority), 'the identity authority');
  for (const site of discovery.sites) {
    const matters = site.type === 'TableAPI' || (site.type === 'ID' && needsAuthority);
    if (matters && site.status !== 'Working') {
      const why = site.statusDescription === '' ? '' : `: ${site.statusDescription.replace(/\s+/g, ' ').slice(0, 200)}`;
      warnings.push(`the instance reports its ${site.type} site as ${site.status}${why}`);
    }
  }
  return {
    tableApi: odataRoot(tableApi ?? below(instance, 'tableapi')),
    tableApiFrom:
      endpoints.tableApi !== undefined ? 'configured' : tableApi !== undefined ? 'discovered' : 'usual place',
    authority: chosenAuthority,
    warnings,
  };
}

/** Different addresses of the sites of a type, in the order of the document. */
function siteUrls(discovery: Discovery, type: string, instance: string): readonly URL[] {
  const urls = new Map<string, URL>();
  for (const site of discovery.sites) {
    if (site.type.toLowerCase() !== type.toLowerCase()) continue;
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

function ambiguous(type: string, key: keyof Endpoints, urls: readonly URL[]): TablevaultError {
  const list = urls.map(({ href }) => href).join(', ');
  return new TablevaultError('AMBIGUOUS_ENDPOINT', `the instance has ${urls.length} sites of type ${type}: ${list}`, {
    hint: `Choose one in the pipeline: endpoints: { ${key}: ${urls[0]?.href ?? ''} }.`,
  });
}

function foreign(type: string, key: keyof Endpoints, url: URL, own: URL): TablevaultError {
  const line = url.host === own.host ? `${own.origin}${url.pathname}` : url.href;
  return new TablevaultError(
    'FOREIGN_ORIGIN',
    `auto-discovery of ${own.origin} names a ${type} site on another origin, ${url.origin}; nothing was sent there`,
    { hint: `If that is right, add this line to the pipeline: endpoints: { ${key}: ${line} }.` },
  );
}

function odataRoot(site: string): string {
  const bare = site.replace(/\/+$/, '');
  return bare.endsWith('/odata') ? `${bare}/` : `${bare}/odata/`;
}
