/** The addresses of a pipeline: instance, endpoints, destination. Nothing here opens a connection. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Either the normalised value or what is wrong with it. */
export type Checked = { readonly value: string } | { readonly wrong: string; readonly secret?: true };

/** Signs people in and never issues tokens for an instance's APIs. */
const GLOBAL_IDENTITY = 'id.erp.net';

/** `https://host[:port][/path]` without a trailing slash; plain http only for loopback. */
export function checkInstance(text: string): Checked {
  const checked = checkHttpAddress(text);
  if ('wrong' in checked) return checked;
  const { pathname } = new URL(checked.value);
  const site = /^\/(id|tableapi|api|domain)(\/|$)/i.exec(pathname);
  if (site === null) return checked;
  return { wrong: `must be the address of the whole instance, without ${pathname}` };
}

/** Like an instance's address; a path is usual. */
export function checkHttpAddress(text: string): Checked {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) {
    return { wrong: 'must be an address that begins with https://, such as https://demodb.my.erp.net' };
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return { wrong: 'holds a user name or password; the credential belongs under auth, as a reference', secret: true };
  }
  if (url.search !== '' || url.hash !== '') return { wrong: 'must not hold a query or fragment' };
  if (url.hostname.replace(/\.$/, '') === GLOBAL_IDENTITY) {
    return {
      wrong: `names ${GLOBAL_IDENTITY}, the global identity, which issues no tokens for an instance's APIs; name the instance itself`,
    };
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return {
      wrong: 'must be https; plain http is for loopback only, since credentials would cross the network in clear',
    };
  }
  return { value: `${url.origin}${url.pathname.replace(/\/+$/, '')}` };
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** `s3://bucket[/prefix]` without a trailing slash, or an absolute folder; relative folders count from `folder`. */
export function checkDestination(text: string, folder: string): Checked {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { value: resolve(folder, text) };
  if (scheme === 's3') return checkS3(text);
  if (scheme === 'file' && URL.canParse(text)) {
    try {
      return { value: fileURLToPath(text) };
    } catch {
      return { wrong: 'is not the address of a folder on this machine' };
    }
  }
  return { wrong: `must be a folder or s3://bucket/prefix; ${scheme}: is not supported` };
}

function checkS3(text: string): Checked {
  const [bucket, ...rest] = text.slice('s3://'.length).split('/');
  if (text.includes('@')) {
    return { wrong: 'holds a user name or key; S3 credentials come from the standard AWS variables', secret: true };
  }
  if (!/^s3:\/\//i.test(text) || bucket === undefined || !/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(bucket)) {
    return { wrong: 'must be s3://bucket or s3://bucket/prefix' };
  }
  const prefix = rest.filter((step) => step !== '');
  if (prefix.some((step) => step === '.' || step === '..')) return { wrong: 'must not hold . or .. in its prefix' };
  return { value: ['s3:/', bucket, ...prefix].join('/') };
}
