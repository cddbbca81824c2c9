/** Refuses addresses that may not be sent a credential (`core/address.ts` has the rules), and composes addresses. */
import { isGlobalIdentity, parseAddress } from '../core/address.ts';
import { TablevaultError } from '../core/errors.ts';

/**
 * `text` as a URL that may be used.
 *
 * @param what where it was written, e.g. `endpoints.identity`
 * @throws CONFIG_INVALID with what to change
 */
export function usableUrl(text: string, what: string): URL {
  const parsed = parseAddress(text);
  if ('url' in parsed) return parsed.url;
  throw new TablevaultError('CONFIG_INVALID', `${what} ${parsed.wrong}`, {
    hint: 'Write it as https://host or https://host/path; plain http is for this machine alone.',
  });
}

/** @throws AUTH_AUTHORITY when `url` is the vendor's global identity */
export function refuseGlobalIdentity(url: URL, what: string): void {
  if (!isGlobalIdentity(url.hostname)) return;
  throw new TablevaultError('AUTH_AUTHORITY', `${what} names the global identity ${url.hostname}`, {
    hint: "It only signs people in and issues no tokens for an instance's APIs: name the instance itself, such as https://demodb.my.erp.net, whose authority is <instance>/id.",
  });
}

/** `path` below `base`, whether or not `base` ends in a slash. */
export function below(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}/${path}`;
}
