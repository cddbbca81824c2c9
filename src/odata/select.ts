/** Which tables and columns a pipeline reads: globs in, schemas out, and every pattern that hits nothing told. */
import { TablevaultError } from '../core/errors.ts';
import { chooseByGlobs, globMatcher, idleGlobs, unknownTable } from '../core/globs.ts';
import { caseTwin, columnNameProblem, printableName, tableNameProblem } from '../core/names.ts';
import { nearNames } from '../core/near-names.ts';
import type { TableOverride } from '../core/pipeline.ts';
import { type Column, ROW_VERSION, type TableSchema } from '../core/schema.ts';
import { plural } from '../core/words.ts';
import type { Model } from './metadata.ts';

const LIST_HINT = '`tablevault tables` lists what the instance offers to this identity.';

export interface TableChoice {
  /** In the model's order. */
  readonly tables: readonly TableSchema[];
  readonly warnings: readonly string[];
}

/**
 * Tables that a glob of `include` matches and none of `exclude`.
 *
 * @param overrides names of tables that the pipeline has settings for: they must exist, or a filter would silently not apply
 * @throws TABLE_UNKNOWN when a pattern of `include` or an override matches nothing, or nothing is left
 * @throws INSTANCE_ANSWER when a chosen table has a name that cannot be a file, a URL part or a SQL identifier
 */
export function selectTables(
  model: Model,
  include: readonly string[],
  exclude: readonly string[],
  overrides: readonly string[] = [],
): TableChoice {
  const names = model.tables.map(({ name }) => name);
  const wanted = chooseByGlobs(model.tables, include, { none: 'tables.include: no table', hint: LIST_HINT });
  for (const name of overrides) {
    if (!names.includes(name))
      throw unknownTable(`tables.overrides: there is no table ${printableName(name)}`, name, names, LIST_HINT);
  }
  const unwanted = exclude.map(globMatcher);
  const tables = wanted.filter(({ name }) => !unwanted.some((matches) => matches(name)));
  if (tables.length === 0) {
    throw new TablevaultError('TABLE_UNKNOWN', `tables: nothing is left of ${plural(names.length, 'table')}`, {
      hint: 'Widen tables.include or narrow tables.exclude; `tablevault tables` lists what the instance offers.',
    });
  }
  const chosen = tables.map(({ name }) => name);
  for (const table of tables) {
    const problem = tableProblem(table, chosen);
    if (problem !== undefined) {
      throw new TablevaultError(
        'INSTANCE_ANSWER',
        `the table ${printableName(table.name)} cannot be read: ${problem}`,
        {
          hint: 'Leave it out with tables.exclude, and report it to the vendor.',
        },
      );
    }
  }
  return {
    tables,
    warnings: idleGlobs(exclude, names).map((pattern) => `tables.exclude: no table matches "${pattern}"`),
  };
}

/** Why this table cannot be read under the names it has; undefined when it can. */
export function tableProblem(table: TableSchema, chosen: readonly string[]): string | undefined {
  const own = tableNameProblem(table.name);
  if (own !== undefined) return `its name ${own}`;
  const twin = caseTwin(table.name, chosen);
  if (twin !== undefined) return `its name differs from ${twin} by upper and lower case alone`;
  const columns = table.columns.map(({ name }) => name);
  const seen = new Set<string>();
  for (const name of columns) {
    const problem = columnNameProblem(name);
    if (problem !== undefined) return `the name of its column "${printableName(name)}" ${problem}`;
    if (seen.has(name.toLowerCase())) return `it has the column ${name} twice (upper and lower case do not count)`;
    seen.add(name.toLowerCase());
  }
  return columns.length === 0 ? 'it has no columns' : undefined;
}

export interface ColumnChoice {
  /**
   * The table with the types of its key columns as they are read: a GUID that is kept as text has no place in a range of keys. Its other
   * columns keep their declared types, which filters go by.
   */
  readonly table: TableSchema;
  /** In the schema's order. */
  readonly columns: readonly Column[];
  readonly leftOut: readonly { readonly name: string; readonly reason: 'not selected' | 'sensitive' }[];
}

/**
 * Columns to read. Patterns apply in order, a leading `-` takes away; a list that begins with a `-` begins with all. Key and Row_Version are
 * always read. A sensitive column is read only where a pattern names it literally, not by a glob. Columns that the override keeps as text
 * have that type.
 *
 * @param sensitive `Table.Column` names beside those that `$metadata` marks
 * @throws CONFIG_INVALID when a pattern matches no column, or `types` names one that is not there
 */
export function selectColumns(
  schema: TableSchema,
  override: TableOverride | undefined,
  sensitive: Iterable<string>,
): ColumnChoice {
  const patterns = override?.columns ?? ['*'];
  const names = schema.columns.map(({ name }) => name);
  const chosen = new Set<string>(patterns[0] === undefined || patterns[0].startsWith('-') ? names : []);
  const named = new Set<string>();
  for (const pattern of patterns) {
    const takeAway = pattern.startsWith('-');
    const glob = takeAway ? pattern.slice(1) : pattern;
    const hits = names.filter(globMatcher(glob));
    if (hits.length === 0) throw unknownColumn(schema.name, 'columns: no column matches', glob, names);
    for (const name of hits) {
      if (takeAway) {
        chosen.delete(name);
        named.delete(name);
      } else {
        chosen.add(name);
        if (glob === name) named.add(name);
      }
    }
  }
  const readAs = (column: Column) => typeRead(schema, override, column);
  for (const name of Object.keys(override?.types ?? {})) {
    if (!names.includes(name)) throw unknownColumn(schema.name, 'types: there is no column', name, names);
  }
  const hidden = new Set(sensitive);
  const reasonToLeaveOut = ({ name, sensitive: marked }: Column): 'not selected' | 'sensitive' | undefined => {
    if (schema.key.includes(name) || name === ROW_VERSION) return undefined;
    if (!chosen.has(name)) return 'not selected';
    return (marked || hidden.has(`${schema.name}.${name}`)) && !named.has(name) ? 'sensitive' : undefined;
  };
  const columns: Column[] = [];
  const leftOut: { name: string; reason: 'not selected' | 'sensitive' }[] = [];
  for (const column of schema.columns) {
    const reason = reasonToLeaveOut(column);
    if (reason === undefined) columns.push(readAs(column));
    else leftOut.push({ name: column.name, reason });
  }
  if (columns.length === 0) {
    throw new TablevaultError('CONFIG_INVALID', `tables.overrides.${schema.name}.columns: no column is left to read`, {
      at: { table: schema.name },
      hint: 'Name at least one column, or leave the table out with tables.exclude.',
    });
  }
  const isKey = ({ name }: Column) => schema.key.includes(name);
  const table = { ...schema, columns: schema.columns.map((column) => (isKey(column) ? readAs(column) : column)) };
  return { table, columns, leftOut };
}

/**
 * A column with the type that it is read as. Kept as text, it takes whatever comes: null too, unless it is part of the key.
 */
export function typeRead(schema: TableSchema, override: TableOverride | undefined, column: Column): Column {
  if (!Object.hasOwn(override?.types ?? {}, column.name)) return column;
  return { ...column, type: { kind: 'json' }, nullable: !schema.key.includes(column.name) };
}

/** So many names that a message can hold them. */
const NAMES_SHOWN = 20;

function unknownColumn(table: string, what: string, wanted: string, names: readonly string[]): TablevaultError {
  const near = nearNames(wanted, names);
  const [title, shown] = near.length > 0 ? ['near names', near] : ['its columns', names.slice(0, NAMES_SHOWN)];
  const rest = near.length === 0 && names.length > shown.length ? ', …' : '';
  return new TablevaultError(
    'CONFIG_INVALID',
    `tables.overrides.${table}.${what} "${printableName(wanted)}"; ${title}: ${shown.map(printableName).join(', ')}${rest}`,
    {
      at: { table },
      hint: `Correct the name. Without that entry, \`tablevault tables <pipeline> --columns ${table}\` lists all columns.`,
    },
  );
}
