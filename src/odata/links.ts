/** Next links, resolved within the Table API alone. */
import { TablevaultError } from '../core/errors.ts';

/**
 * The absolute URL of an `@odata.nextLink`, checked: a link decides where the credential is sent next, and the server that wrote it may
 * stand behind a proxy that calls it by another name, or lie.
 *
 * @param root the OData root, ending in `/odata/`
 * @param link as it came, absolute or relative
 * @param requestUrl URL of the response that carried the link; a link such as `?$skiptoken=…` is relative to it
 * @throws FOREIGN_ORIGIN when it leaves the root's origin
 * @throws BODY_INVALID when it is not a URL, carries a user name, or leaves the root's path
 * @see OData JSON Format 4.01, section 4.5.5: links may be relative to the request URL
 */
export function resolveNextLink(root: string, link: string, requestUrl: string = root): string {
  const base = new URL(root);
  let target: URL;
  try {
    target = new URL(link, requestUrl);
  } catch (cause) {
    throw new TablevaultError('BODY_INVALID', 'the next link of a page is not a URL', {
      at: { link: shorten(link) },
      hint: 'The instance answered with a broken page; if it happens again, report it to the vendor.',
      cause,
    });
  }
  if (target.origin !== base.origin) {
    throw new TablevaultError(
      'FOREIGN_ORIGIN',
      `the next link of a page leads to another origin, ${target.origin}; nothing was sent there`,
      {
        at: { root: base.origin, link: shorten(`${target.origin}${target.pathname}`) },
        hint: `If ${target.origin} really serves this instance, name it in the pipeline: endpoints: { tableApi: ${target.origin}${base.pathname} }`,
      },
    );
  }
  if (target.username !== '' || target.password !== '') {
    throw new TablevaultError('BODY_INVALID', 'the next link of a page carries a user name or password', {
      at: { root: base.origin },
      hint: 'The instance answered with a broken page; if it happens again, report it to the vendor.',
    });
  }
  // An encoded slash could climb out behind a server that decodes it before it reads the path.
  if (!target.pathname.startsWith(base.pathname) || /%2f|%5c/i.test(target.pathname)) {
    throw new TablevaultError('BODY_INVALID', 'the next link of a page leads out of the Table API', {
      at: { root: base.pathname, link: shorten(target.pathname) },
      hint: 'If the Table API has another address, name it in the pipeline below endpoints: tableApi.',
    });
  }
  target.hash = '';
  return target.href;
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 197)}…` : text;
}
