/** `$metadata` (CSDL XML) and the service document. */
import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';
import { referenceName } from './filter-eval.ts';
import type { DemoColumn } from './model.ts';
import type { Personality } from './options.ts';
import type { TableData } from './table.ts';

/** Names that a careful client refuses; all of them serve the rows of the first table. */
export const HOSTILE_NAMES = [
  '../outside',
  'CON',
  'NUL.txt',
  `A${'a'.repeat(299)}`,
  'a&b<c>"d',
  'gen_currencies',
  'with space',
];

/** The entity sets by name, hostile ones included. */
export function entitySets(db: Database, personality: Personality): ReadonlyMap<string, TableData> {
  const sets = new Map(db.tables);
  const first = db.tables.values().next().value;
  if (personality.hostileNames && first !== undefined) for (const name of HOSTILE_NAMES) sets.set(name, first);
  return sets;
}

export function serviceDocument(db: Database, personality: Personality, root: string): string {
  const value = [...entitySets(db, personality).keys()].map((name) => ({ name, kind: 'EntitySet', url: name }));
  return JSON.stringify({ '@odata.context': `${root}$metadata`, value });
}

export function metadataXml(db: Database, personality: Personality): string {
  const tables = [...db.tables.values()];
  const types = tables.map((table) => entityType(db, table, personality)).join('');
  const sets = [...entitySets(db, personality)].map(([name, table]) => entitySet(db, name, table)).join('');
  return `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:DataServices>
    <Schema Namespace="Erp" xmlns="http://docs.oasis-open.org/odata/ns/edm">
${types}      <Term Name="Password" Type="Edm.Boolean" AppliesTo="Property"/>
      <EntityContainer Name="Container">
${sets}      </EntityContainer>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
`;
}

/** The same document, or one of other bytes that says the same. */
export function restamped(xml: string, { metadataText }: Personality): string {
  if (metadataText === 'same') return xml;
  const stamp = randomBytes(6).toString('hex');
  return `${xml.replaceAll('\n', `\n${' '.repeat(stamp.charCodeAt(0) % 5)}`)}<!-- generated ${stamp} -->\n`;
}

interface Link {
  readonly name: string;
  readonly column: DemoColumn;
  readonly target: TableData;
  readonly targetKey: string;
}

/** Navigation properties: one for each reference to a served table with a single key, unless its name is taken. */
function linksOf(db: Database, table: TableData): readonly Link[] {
  const taken = new Set(table.columns.map((column) => column.name));
  return table.columns.flatMap((column) => {
    const target = column.references === null || column.name === '' ? undefined : db.tables.get(column.references);
    const name = referenceName(column);
    if (target?.keys.length !== 1 || taken.has(name)) return [];
    taken.add(name);
    return [{ name, column, target, targetKey: target.columns[target.keys[0]!.column]!.name }];
  });
}

function entityType(db: Database, table: TableData, personality: Personality): string {
  const keys = table.keys.map(
    (key) => `          <PropertyRef Name="${escapeXml(table.columns[key.column]!.name)}"/>\n`,
  );
  const properties = table.columns
    .filter((column) => column.name !== '')
    .map((column) => property(column, personality));
  const links = linksOf(db, table).map(
    (link) =>
      `        <NavigationProperty Name="${link.name}" Type="Erp.${escapeXml(link.target.name)}"${nullable(link.column)}>\n` +
      `          <ReferentialConstraint Property="${link.column.name}" ReferencedProperty="${link.targetKey}"/>\n` +
      '        </NavigationProperty>\n',
  );
  return (
    `      <EntityType Name="${escapeXml(table.name)}">\n` +
    (keys.length === 0 ? '' : `        <Key>\n${keys.join('')}        </Key>\n`) +
    `${properties.join('')}${links.join('')}      </EntityType>\n`
  );
}

function property(column: DemoColumn, personality: Personality): string {
  const head = `        <Property Name="${escapeXml(column.name)}" ${edmType(column, personality)}${nullable(column)}`;
  if (!column.password || !personality.passwordsMarked) return `${head}/>\n`;
  return `${head}>\n          <Annotation Term="Erp.Password" Bool="true"/>\n        </Property>\n`;
}

function nullable(column: DemoColumn): string {
  return column.nullable ? '' : ' Nullable="false"';
}

/** The Edm type of a column as `$metadata` names it, without facets. */
export function edmTypeName(column: DemoColumn, personality: Personality): string {
  switch (column.type.kind) {
    case 'guid':
      return 'Edm.Guid';
    case 'bit':
      return 'Edm.Boolean';
    case 'int':
      return 'Edm.Int32';
    case 'smallint':
      return 'Edm.Int16';
    case 'tinyint':
      return 'Edm.Byte';
    case 'bigint':
      return 'Edm.Int64';
    case 'float':
      return 'Edm.Double';
    case 'decimal':
      return 'Edm.Decimal';
    case 'datetime':
      return 'Edm.DateTimeOffset';
    case 'date':
      return personality.dates === 'Date' ? 'Edm.Date' : 'Edm.DateTimeOffset';
    case 'time':
      return personality.times === 'TimeOfDay' ? 'Edm.TimeOfDay' : 'Edm.Duration';
    case 'rowversion':
    case 'binary':
      return 'Edm.Binary';
    case 'text':
      return 'Edm.String';
  }
}

function edmType(column: DemoColumn, personality: Personality): string {
  const name = edmTypeName(column, personality);
  const type = column.type;
  const facets = (() => {
    switch (type.kind) {
      case 'decimal':
        return ` Precision="${type.precision}" Scale="${type.scale}"`;
      case 'text':
        return type.length === null ? '' : ` MaxLength="${type.length}"`;
      case 'rowversion':
        return ' MaxLength="8"';
      case 'datetime':
      case 'time':
        return ' Precision="6"';
      default:
        return '';
    }
  })();
  return `Type="${name}"${facets}`;
}

function entitySet(db: Database, name: string, table: TableData): string {
  const bindings = linksOf(db, table).map(
    (link) => `          <NavigationPropertyBinding Path="${link.name}" Target="${escapeXml(link.target.name)}"/>\n`,
  );
  const head = `        <EntitySet Name="${escapeXml(name)}" EntityType="Erp.${escapeXml(table.name)}"`;
  return bindings.length === 0 ? `${head}/>\n` : `${head}>\n${bindings.join('')}        </EntitySet>\n`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
