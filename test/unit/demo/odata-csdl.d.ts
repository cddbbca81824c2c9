/** The part of the OData committee's converter that the tests use; the package has no types of its own. */
declare module 'odata-csdl' {
  /** CSDL XML to CSDL JSON. Throws on XML that is not CSDL. */
  export function xml2json(
    xml: Buffer,
    options?: { readonly strict?: boolean; readonly messages?: unknown[] },
  ): Record<string, unknown>;
}
