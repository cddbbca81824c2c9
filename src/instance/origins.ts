/** Which addresses may be asked at all, and where a credential may go: the one rule, in one place. */
import { TablevaultError } from '../core/errors.ts';

/** Hosts of the vendor's global identity: it signs people in and never issues tokens for an instance's APIs. */
const GLOBAL_IDENTITY = /(^|\.)id\.erp\.net$/i;

/**
 * `text` as a URL that may be used: https, or plain http to this machine; no user name, query or fragment.
 *
 * @param what where it was written, e.g. `endpoints.identity`
 * @throws CONFIG_INVALID with what to change
 */
export function usableUrl(text: string, what: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new TablevaultError('CONFIG_INVALID', `${what} is not a URL`, {
      hint: `Write the whole address, such as https://demodb.my.erp.net.`,
      cause,
    });
  }
  const problem = urlProblem(url);
  if (problem !== undefined) {
    throw new TablevaultError('CONFIG_INVALID', `${what}, ${url.origin}${url.pathname}, cannot be used: ${problem}`, {
      hint: 'Write it as https://host or https://host/path; plain http is for this machine alone.',
    });
  }
  return url;
}

function urlProblem(url: URL): string | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'it is neither https nor http';
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) return 'plain http would send the credential in clear';
  if (url.username !== '' || url.password !== '') return 'it carries a user name or password';
  if (url.search !== '' || url.hash !== '') return 'it carries a query or a fragment';
  return undefined;
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

/** @throws AUTH_AUTHORITY when `url` is the vendor's global identity */
export function refuseGlobalIdentity(url: URL, what: string): void {
  if (!GLOBAL_IDENTITY.test(url.hostname)) return;
  throw new TablevaultError('AUTH_AUTHORITY', `${what} names the global identity ${url.hostname}`, {
    hint: "It only signs people in and issues no tokens for an instance's APIs: name the instance itself, such as https://demodb.my.erp.net, whose authority is <instance>/id.",
  });
}

/** `path` below `base`, whether or not `base` ends in a slash. */
export function below(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}/${path}`;
}
