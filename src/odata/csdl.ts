/**
 * CSDL XML as it stands in `$metadata`, read as a stream into plain data; nothing is resolved here.
 *
 * Limits keep a hostile document small: bytes, depth, number of elements; a DOCTYPE (the door of entity bombs) is refused outright.
 * @see OData CSDL XML Representation 4.01
 */
import { type SaxesAttributePlain, SaxesParser, type SaxesTagPlain } from 'saxes';
import { TablevaultError } from '../core/errors.ts';
import { type CsdlElement as Element, otherThanV4 } from './csdl-version.ts';
import type { Facets } from './edm-types.ts';

export interface CsdlProperty extends Facets {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  sensitive: boolean;
}

export interface CsdlNavigation {
  readonly name: string;
  readonly type: string;
}

/** An entity type; complex types and enumerations need no more than to be known not to be primitive, and are not kept. */
export interface CsdlType {
  readonly name: string;
  readonly baseType: string | undefined;
  /** May its rows carry properties that are declared nowhere? */
  readonly open: boolean;
  readonly key: string[];
  readonly properties: CsdlProperty[];
  readonly navigations: CsdlNavigation[];
}

export interface Csdl {
  /** By full name, with the namespace. */
  readonly types: ReadonlyMap<string, CsdlType>;
  readonly definitions: ReadonlyMap<string, { readonly underlying: string } & Facets>;
  readonly sets: readonly { readonly name: string; readonly type: string }[];
  /** Names of the single objects beside the sets. */
  readonly singletons: readonly string[];
  /** Targets (`Ns.Type/Property`) that out-of-line annotations mark as sensitive. */
  readonly sensitiveTargets: readonly string[];
  /** Alias to namespace. */
  readonly aliases: ReadonlyMap<string, string>;
}

export interface CsdlLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxElements: number;
}

export const CSDL_LIMITS: CsdlLimits = { maxBytes: 128 * 1024 * 1024, maxDepth: 32, maxElements: 2_000_000 };

/** Last part of an annotation's term that tells of something not to be copied about. */
const SENSITIVE_TERM = /password|sensitive|secret|credential|confidential/i;

/**
 * @throws INSTANCE_ANSWER when it is not CSDL, or past a limit
 * @throws BODY_TRUNCATED (retryable) when it ends early
 */
export async function readCsdl(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  limits: CsdlLimits = CSDL_LIMITS,
): Promise<Csdl> {
  const collector = collectCsdl();
  const parser = new SaxesParser<{ xmlns: false }>({ xmlns: false });
  const path: Element[] = [];
  let elements = 0;
  let closedRoot = false;
  let ending = false;

  parser.on('doctype', () => {
    throw unusable('it holds a DOCTYPE, which no $metadata needs and which can hide an entity bomb');
  });
  parser.on('error', (error) => {
    if (ending && !closedRoot) throw truncated(error);
    throw unusable(`it is not well-formed XML (${error.message})`, { cause: error, retryable: true });
  });
  parser.on('attribute', (attribute: SaxesAttributePlain) => {
    if (attribute.value.length > 1_000_000) throw unusable('one of its attributes is longer than a million characters');
  });
  parser.on('opentag', (tag: SaxesTagPlain) => {
    elements += 1;
    if (elements > limits.maxElements) throw unusable(`it holds more than ${limits.maxElements} elements`);
    if (path.length >= limits.maxDepth) throw unusable(`its elements are nested deeper than ${limits.maxDepth}`);
    const element = { name: localName(tag.name), attributes: tag.attributes };
    if (path.length === 0 && element.name !== 'Edmx') {
      throw unusable(
        `its root element is <${element.name.slice(0, 40)}>, not <Edmx> (perhaps a sign-in or error page)`,
      );
    }
    path.push(element);
    const other = otherThanV4(path);
    if (other !== undefined) throw notV4(other);
    collector.open(path);
  });
  parser.on('text', (text) => collector.text(path, text));
  parser.on('closetag', () => {
    collector.close(path);
    path.pop();
    if (path.length === 0) closedRoot = true;
  });

  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw chunk === undefined ? truncated(cause) : unusable('it is not UTF-8', { cause, retryable: true });
    }
  };
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > limits.maxBytes) throw unusable(`it is larger than ${Math.round(limits.maxBytes / 1024 / 1024)} MB`);
    parser.write(decode(chunk));
  }
  ending = true;
  if (bytes === 0) throw truncated(undefined);
  parser.write(decode());
  if (!closedRoot) throw truncated(undefined);
  parser.close();
  return collector.done();
}

/** What the elements mean: called with the path from the root to the element that opens, holds text, or closes. */
function collectCsdl() {
  const types = new Map<string, CsdlType>();
  const definitions = new Map<string, { readonly underlying: string } & Facets>();
  const sets: { name: string; type: string }[] = [];
  const singletons: string[] = [];
  const sensitiveTargets: string[] = [];
  const aliases = new Map<string, string>();
  let namespace = '';
  let type: CsdlType | undefined;
  let property: CsdlProperty | undefined;
  /** The annotation being read: marks its target when it closes without having said false. */
  let annotation: { readonly target: 'property' | string; holds: boolean } | undefined;

  function open(path: readonly Element[]): void {
    const { name, attributes: at } = last(path);
    const parent = path.at(-2)?.name;
    switch (name) {
      case 'Schema':
        namespace = at['Namespace'] ?? '';
        if (at['Alias'] !== undefined) aliases.set(at['Alias'], namespace);
        break;
      case 'EntityType':
        if (parent !== 'Schema') break;
        type = {
          name: at['Name'] ?? '',
          baseType: at['BaseType'],
          open: at['OpenType'] === 'true',
          key: [],
          properties: [],
          navigations: [],
        };
        types.set(`${namespace}.${type.name}`, type);
        break;
      case 'TypeDefinition':
        definitions.set(`${namespace}.${at['Name'] ?? ''}`, {
          underlying: at['UnderlyingType'] ?? '',
          precision: at['Precision'],
          scale: at['Scale'],
        });
        break;
      case 'PropertyRef':
        if (parent === 'Key') type?.key.push(at['Name'] ?? '');
        break;
      case 'Property':
        if (parent !== 'EntityType' || type === undefined) break;
        property = {
          name: at['Name'] ?? '',
          type: at['Type'] ?? '',
          nullable: at['Nullable'] !== 'false',
          precision: at['Precision'],
          scale: at['Scale'],
          sensitive: false,
        };
        type.properties.push(property);
        break;
      case 'NavigationProperty':
        if (parent === 'EntityType') type?.navigations.push({ name: at['Name'] ?? '', type: at['Type'] ?? '' });
        break;
      case 'EntitySet':
        if (parent === 'EntityContainer') sets.push({ name: at['Name'] ?? '', type: at['EntityType'] ?? '' });
        break;
      case 'Singleton':
        if (parent === 'EntityContainer') singletons.push(at['Name'] ?? '');
        break;
      case 'Annotation':
        openAnnotation(at, parent, path.at(-2)?.attributes['Target']);
        break;
      default:
        break;
    }
  }

  function openAnnotation(at: Element['attributes'], parent: string | undefined, outOfLine: string | undefined): void {
    const term = (at['Term'] ?? '').split('.').at(-1) ?? '';
    if (!SENSITIVE_TERM.test(term) || annotation !== undefined) return;
    const holds = at['Bool'] !== 'false';
    if (parent === 'Property' && property !== undefined) annotation = { target: 'property', holds };
    else if (parent === 'Annotations' && outOfLine !== undefined) annotation = { target: outOfLine, holds };
  }

  function text(path: readonly Element[], value: string): void {
    if (annotation !== undefined && path.at(-1)?.name === 'Bool' && value.trim() === 'false') annotation.holds = false;
  }

  function close(path: readonly Element[]): void {
    const parent = path.at(-2)?.name;
    switch (last(path).name) {
      case 'Annotation':
        if (annotation === undefined || (parent !== 'Property' && parent !== 'Annotations')) break;
        if (annotation.holds && annotation.target !== 'property') sensitiveTargets.push(annotation.target);
        if (annotation.holds && annotation.target === 'property' && property !== undefined) property.sensitive = true;
        annotation = undefined;
        break;
      case 'Property':
        property = undefined;
        break;
      case 'EntityType':
        type = undefined;
        break;
      default:
        break;
    }
  }

  return { open, text, close, done: (): Csdl => ({ types, definitions, sets, singletons, sensitiveTargets, aliases }) };
}

function last(path: readonly Element[]): Element {
  return path.at(-1) ?? { name: '', attributes: {} };
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

function unusable(why: string, more: { readonly cause?: unknown; readonly retryable?: true } = {}): TablevaultError {
  return new TablevaultError('INSTANCE_ANSWER', `$metadata of the instance cannot be used: ${why}`, {
    hint: 'Check that endpoints.tableApi (or what discovery found) is the Table API; `tablevault doctor` shows the address.',
    ...more,
  });
}

function notV4(what: string): TablevaultError {
  return new TablevaultError(
    'INSTANCE_ANSWER',
    `$metadata of the instance cannot be used: it is that of ${what}, not of OData V4`,
    {
      at: { odata: what },
      hint: 'tablevault reads OData V4 only, which the Table API speaks: check that endpoints.tableApi (or what discovery found) is the Table API.',
    },
  );
}

function truncated(cause: unknown): TablevaultError {
  return new TablevaultError('BODY_TRUNCATED', '$metadata of the instance ends before its last element', {
    retryable: true,
    hint: 'Run again; if that does not help, a proxy between here and the instance may cut long answers.',
    cause,
  });
}
