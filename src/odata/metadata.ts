/**
 * `$metadata` to table schemas: names resolved, base types flattened, every oddity a warning that names the table.
 * A table is never dropped silently, and never guessed at.
 */
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
    tables.push(tableOf(set.name, lineage, csdl, sensitive, warnings));
  }
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
