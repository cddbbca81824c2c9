/** Addresses: do they name this machine, may a credential be sent there, and which proxy leads to them. */
import { TablevaultError } from './errors.ts';

/** Is this a name of this machine? @param hostname as `URL` gives it: an IPv6 address in brackets */
export function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Is it the vendor's global identity? It signs people in and never issues tokens for an instance's APIs. */
export function isGlobalIdentity(hostname: string): boolean {
  return /(^|\.)id\.erp\.net\.?$/i.test(hostname);
}

/** An address that may be sent a credential, or why it may not, as the end of a sentence that begins with where it was written. */
export type ParsedAddress =
  | { readonly url: URL }
  /** `secret`: the text holds one and must not be shown. */
  | { readonly wrong: string; readonly secret?: true };

/** `text` as an address that may be sent a credential: https, or plain http to this machine; no user name, query or fragment. */
export function parseAddress(text: string): ParsedAddress {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) {
    return { wrong: 'must be an address that begins with https://, such as https://demodb.my.erp.net' };
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return { wrong: 'holds a user name or password; the credential belongs under auth, as a reference', secret: true };
  }
  if (url.search !== '' || url.hash !== '') return { wrong: 'must not hold a query or fragment' };
  if (url.protocol === 'http:' && !isThisMachine(url.hostname)) {
    return {
      wrong: 'must be https; plain http is for loopback only, since credentials would cross the network in clear',
    };
  }
  return { url };
}

/** An address for people, without a user name; with a password, all before the last `@` is left out, for it may hold an `@` or a `/` itself. */
export function withoutUser(address: string): string {
  return address.replace(/\/\/[^@:]*:.*@/s, '//…@').replace(/\/\/[^/@]*@/, '//…@');
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy through which an address is asked, by `HTTPS_PROXY` and `NO_PROXY` (or in lower case, which wins); undefined where it is asked
 * directly. Plain http and this machine always are.
 *
 * `NO_PROXY` lists names by commas or spaces. A name stands for itself and for all below it, with or without a leading `.` or `*.`; with
 * `:port` it stands for that port alone; `*` stands for everything.
 *
 * @throws TablevaultError `CONFIG_INVALID` when HTTPS_PROXY is no http(s) address, or has more than a host; it never shows the value
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const text = variable(env, 'HTTPS_PROXY');
  if (text === '' || url.protocol !== 'https:' || isThisMachine(url.hostname) || isExempt(url, env)) return undefined;
  const address = text.includes('://') ? text : `http://${text}`;
  const proxy = URL.canParse(address) && /^https?:\/\//i.test(address) ? new URL(address) : undefined;
  if (proxy !== undefined && isDecodable(proxy.username) && isDecodable(proxy.password) && isOnlyHost(proxy))
    return proxy;
  throw new TablevaultError('CONFIG_INVALID', 'HTTPS_PROXY is not an http(s) address of a host alone', {
    hint: 'Write it as http://host:port or http://user:password@host:port; in a password @ / ? # % are written %40 %2F %3F %23 %25.',
  });
}

/** No path or more behind the host: `http://user:12/secret@proxy` is the host `user` to a URL, and the rest of a password its path. */
const isOnlyHost = ({ pathname, search, hash }: URL): boolean => /^\/?$/.test(pathname) && search === '' && hash === '';

/** Is every % in it an escape? */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function isExempt({ hostname, port }: URL, env: Environment): boolean {
  const host = plainHost(hostname);
  return variable(env, 'NO_PROXY')
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === '*') return true;
      const [, named = entry, itsPort] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
      const name = plainHost(named.replace(/^\*?\./, ''));
      if (name === '' || (itsPort !== undefined && itsPort !== (port || '443'))) return false;
      return host === name || host.endsWith(`.${name}`);
    });
}

/** A host as it is compared: in lower case, without the dot that may end it, an IPv6 address in its one short form (RFC 5952). */
function plainHost(name: string): string {
  const host = bare(name).toLowerCase().replace(/\.$/, '');
  if (!host.includes(':')) return host;
  const address = `http://[${host}]`;
  return URL.canParse(address) ? bare(new URL(address).hostname) : host;
}

/** An IPv6 address without its brackets; any other name as it is. */
export function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function variable(env: Environment, name: string): string {
  return env[name.toLowerCase()] || env[name] || '';
}
