/** The addresses of a pipeline: instance, endpoints, destination. Nothing here opens a connection. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isGlobalIdentity, parseAddress } from '../core/address.ts';

/** Either the normalised value or what is wrong with it. */
export type Checked = { readonly value: string } | { readonly wrong: string; readonly secret?: true };

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
  const parsed = parseAddress(text);
  if ('wrong' in parsed) return parsed;
  const { hostname, origin, pathname } = parsed.url;
  if (isGlobalIdentity(hostname)) {
    return {
      wrong: `names ${hostname}, the global identity, which issues no tokens for an instance's APIs; name the instance itself`,
    };
  }
  return { value: `${origin}${pathname.replace(/\/+$/, '')}` };
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
