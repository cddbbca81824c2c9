/**
 * `$metadata` to table schemas: names resolved, base types flattened, every oddity a warning that names the table.
 * A table is never dropped silently, and never guessed at.
 */
import { printableName } from '../core/names.ts';
import type { Column, Navigation, TableSchema } from '../core/schema.ts';
import { type Csdl, type CsdlLimits, type CsdlProperty, type CsdlType, readCsdl } from './csdl.ts';
import { columnTypeOf } from './edm-types.ts';

export interface Model {
  /** In the order of the document. */
  readonly tables: readonly TableSchema[];
  readonly warnings: readonly string[];
}

/**
 * @param source bytes of `$metadata` in any chunking
 * @throws INSTANCE_ANSWER when it is not CSDL XML; BODY_TRUNCATED (retryable) when it ends early
 */
export async function parseMetadata(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  limits?: CsdlLimits,
): Promise<Model> {
  return modelOf(await readCsdl(source, limits));
}

function modelOf(csdl: Csdl): Model {
  const warnings: string[] = [];
  const sensitive = new Set(csdl.sensitiveTargets.map((target) => fullName(target, csdl)));
  const derived = derivedTypes(csdl);
  const tables: TableSchema[] = [];
  const seen = new Set<string>();
  for (const set of csdl.sets) {
    if (seen.has(set.name)) {
      warnings.push(`${set.name}: $metadata lists this entity set twice; the first is used`);
      continue;
    }
    seen.add(set.name);
    const lineage = lineageOf(set.type, csdl);
    if (lineage === undefined) {
      warnings.push(`${set.name}: its entity type ${set.type} is not in $metadata; the table cannot be read`);
      continue;
    }
    const table = tableOf(set.name, lineage, csdl, sensitive, warnings);
    const notRead = propertiesNotRead(lineage, derived);
    tables.push(notRead.length === 0 ? table : { ...table, notRead });
  }
  if (csdl.singletons.length > 0) warnings.push(aboutSingletons(csdl.singletons));
  return { tables, warnings };
}

interface Ancestor {
  readonly fullName: string;
  readonly type: CsdlType;
}

/** The type and its base types, the most basic first; undefined when one is missing or they form a circle. */
function lineageOf(typeName: string, csdl: Csdl): readonly Ancestor[] | undefined {
  const lineage: Ancestor[] = [];
  let name: string | undefined = typeName;
  while (name !== undefined) {
    const full = fullName(name, csdl);
    const type = csdl.types.get(full);
    if (type === undefined || lineage.some((ancestor) => ancestor.fullName === full)) return undefined;
    lineage.unshift({ fullName: full, type });
    name = type.baseType;
  }
  return lineage;
}

/** By the full name of a type: all types that are derived from it, however far. */
function derivedTypes(csdl: Csdl): ReadonlyMap<string, readonly Ancestor[]> {
  const derived = new Map<string, Ancestor[]>();
  for (const full of csdl.types.keys()) {
    const lineage = lineageOf(full, csdl) ?? [];
    const own = lineage.at(-1);
    if (own === undefined) continue;
    for (const { fullName: base } of lineage.slice(0, -1)) derived.set(base, [...(derived.get(base) ?? []), own]);
  }
  return derived;
}

/** What rows of a set may carry beside its columns: properties of types derived from its own, and such as an open type declares nowhere. */
function propertiesNotRead(
  lineage: readonly Ancestor[],
  derived: ReadonlyMap<string, readonly Ancestor[]>,
): readonly string[] {
  const type = lineage.at(-1);
  if (type === undefined) return [];
  const below = (derived.get(type.fullName) ?? []).toSorted((a, b) => (a.fullName < b.fullName ? -1 : 1));
  const notes = below.flatMap(({ fullName: full, type: { properties } }) =>
    properties.length === 0
      ? []
      : [`rows may be of the derived type ${full}; its columns are not read: ${listed(properties)}`],
  );
  const open = [...lineage, ...below].filter((each) => each.type.open).map((each) => ({ name: each.fullName }));
  if (open.length === 0) return notes;
  const types = `${open.length === 1 ? 'type' : 'types'} ${listed(open)}`;
  return [
    ...notes,
    `rows of the open ${types} may carry properties that $metadata does not name; such properties are not read`,
  ];
}

function aboutSingletons(names: readonly string[]): string {
  const what =
    names.length === 1
      ? 'is a singleton, one object and not a table: it is not read'
      : 'are singletons, single objects and not tables: they are not read';
  return `${listed(names.map((name) => ({ name })))} ${what}`;
}

/** In one order, so that the text is the same whatever the order of the document. */
function listed(items: readonly { readonly name: string }[]): string {
  return items
    .map(({ name }) => printableName(name))
    .toSorted()
    .join(', ');
}

function tableOf(
  name: string,
  lineage: readonly Ancestor[],
  csdl: Csdl,
  sensitive: ReadonlySet<string>,
  warnings: string[],
): TableSchema {
  const columns: Column[] = [];
  const navigations: Navigation[] = [];
  /** Annotations may also name the property through the container: `Ns.Container/Set/Property`. */
  const targets = [...sensitive];
  const isSetTarget = (property: string) => targets.some((target) => target.endsWith(`/${name}/${property}`));
  for (const { fullName: owner, type } of lineage) {
    for (const property of type.properties) {
      const marked = property.sensitive || sensitive.has(`${owner}/${property.name}`) || isSetTarget(property.name);
      const column = columnOf(property, marked, csdl);
      if (column === undefined) warnings.push(`${name}.${property.name}: a stream has no value in a row; left out`);
      else columns.push(column);
    }
    navigations.push(...type.navigations.map(navigationOf));
  }
  const key = lineage.flatMap(({ type }) => type.key);
  const strange = key.find((part) => !columns.some((column) => column.name === part));
  if (strange !== undefined) {
    warnings.push(
      `${name}: its key names ${strange}, which is not one of its columns; it is read as a table without key`,
    );
  }
  if (strange !== undefined) return { name, columns, key: [], navigations };
  // A key is never null (CSDL 4.01, section 6.5), also where `$metadata` forgets to say so.
  const own = columns.map((column) => (key.includes(column.name) ? { ...column, nullable: false } : column));
  return { name, columns: own, key, navigations };
}

function columnOf(property: CsdlProperty, sensitive: boolean, csdl: Csdl): Column | undefined {
  const definition = csdl.definitions.get(fullName(property.type, csdl));
  const type = definition?.underlying ?? property.type;
  if (type === 'Edm.Stream') return undefined;
  return {
    name: property.name,
    edmType: property.type,
    type: columnTypeOf(type, {
      precision: property.precision ?? definition?.precision,
      scale: property.scale ?? definition?.scale,
    }),
    nullable: property.nullable,
    sensitive,
  };
}

function navigationOf({ name, type }: { readonly name: string; readonly type: string }): Navigation {
  const collection = /^Collection\((.*)\)$/.exec(type)?.[1];
  const target = collection ?? type;
  return { name, target: target.slice(target.lastIndexOf('.') + 1), collection: collection !== undefined };
}

/** An alias at the head of a qualified name, replaced by its namespace. */
function fullName(name: string, { aliases }: Csdl): string {
  const path = name.split('/');
  const head = path[0] ?? '';
  const dot = head.lastIndexOf('.');
  const namespace = aliases.get(head.slice(0, Math.max(dot, 0)));
  if (namespace !== undefined) path[0] = `${namespace}${head.slice(dot)}`;
  return path.join('/');
}
