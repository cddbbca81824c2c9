/**
 * Of which OData is a `$metadata`? V1 to V3 share the shape of V4 but not its meaning (types, literals, paging), so such a document is never
 * read as one of V4.
 *
 * @see OData CSDL XML Representation 4.01, sections 3.1 and 4.1; for the older versions [MC-EDMX] and [MC-CSDL]
 */

/** An element: its name without prefix, and its attributes as they stand. */
export interface CsdlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Namespaces of the versions before V4, of edmx and edm. */
const OLD_NAMESPACE = /^http:\/\/schemas\.microsoft\.com\/ado\//i;

/**
 * What the document is of when it is none of V4, such as `an OData V2 service (…)`; undefined while nothing speaks against V4.
 *
 * @param path from the root to the element that opens
 */
export function otherThanV4(path: readonly CsdlElement[]): string | undefined {
  const [root, second] = path;
  if (root === undefined || path.length > 3) return undefined;
  const version = root.attributes['Version'] ?? '4.0';
  const told = second?.name === 'DataServices' ? dataServiceVersion(second) : undefined;
  const old =
    !/^4(\.|$)/.test(version.trim()) ||
    (told !== undefined && !/^4(\.|$)/.test(told)) ||
    path.some(({ attributes }) => namespaces(attributes).some((namespace) => OLD_NAMESPACE.test(namespace)));
  // The element after the root tells which version it is.
  if (!old || second === undefined) return undefined;
  const older = /^4(\.|$)/.test(version) || version === '1.0';
  const which = /^[123](\.|$)/.test(told ?? '')
    ? `V${told?.slice(0, 1)} service`
    : older
      ? 'service of V1 to V3'
      : 'service of another version';
  const facts = [`Edmx Version ${version.slice(0, 20)}`, ...(told === undefined ? [] : [`DataServiceVersion ${told}`])];
  return `an OData ${which} (${facts.join(', ')})`;
}

/** `m:DataServiceVersion`, whatever its prefix; that of the service is told even where a lower one would do. */
function dataServiceVersion({ attributes }: CsdlElement): string | undefined {
  const of = (wanted: string) =>
    Object.entries(attributes).find(([name]) => name.slice(name.indexOf(':') + 1) === wanted)?.[1];
  const text = (of('DataServiceVersion') ?? of('MaxDataServiceVersion'))?.trim();
  return text === undefined || text === '' ? undefined : text.slice(0, 20);
}

/** Of edmx and edm only: other namespaces of the same origin, such as that of annotations, may stand in a document of V4. */
function namespaces(attributes: CsdlElement['attributes']): readonly string[] {
  return Object.entries(attributes).flatMap(([name, value]) =>
    (name === 'xmlns' || name.startsWith('xmlns:')) && /\/edmx?\/?$/i.test(value) ? [value] : [],
  );
}
