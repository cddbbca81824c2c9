/** Filters bound to a table: permissions of each column checked, literals read by its type, and a predicate over rows made of it. */
import type { Database } from './database.ts';
import type { Condition, Literal } from './filter-parse.ts';
import type { DemoColumn, FilterKind, SqlType, Value } from './model.ts';
import { valueOrder } from './order.ts';
import type { KeyKind, Personality } from './personality.ts';
import { badRequest, Refusal } from './refusal.ts';
import type { RowRef, TableData } from './table.ts';

export interface BoundFilter {
  /** True for every row when there is nothing to test. */
  readonly test: ((row: RowRef) => boolean) | null;
  /** What the filter says about a single key column; a row outside cannot pass. */
  readonly key: { readonly ge: Value; readonly le: Value; readonly among: readonly Value[] | null };
}

type Names = Pick<
  Personality,
  | 'guidOrder'
  | 'keyFilter'
  | 'keyFilterRefused'
  | 'keyFilterEffect'
  | 'filterReferences'
  | 'defaultFilters'
  | 'defaultFilterQuestions'
  | 'groupNull'
  | 'dateLiterals'
>;

/** Binds conditions to a table. Throws a refusal. */
export function bindFilter(db: Database, table: TableData, conditions: readonly Condition[], how: Names): BoundFilter {
  const tests: ((row: RowRef) => boolean)[] = [];
  const single = table.keys.length === 1 ? table.keys[0]!.column : -1;
  let ge: Value = null;
  let le: Value = null;
  let among: readonly Value[] | null = null;
  const named = new Set<string>();
  for (const condition of conditions) {
    const { read, column, index, owner } = resolvePath(db, table, condition.path, how);
    if (condition.path.length === 1) named.add(column.name);
    if (column.defaultEquals !== null && how.defaultFilterQuestions !== 'taken') {
      const details = { status: how.defaultFilterQuestions, type: 'FilterFailed' };
      throw new Refusal(`The filter on ${column.name} failed.`, details);
    }
    const literals = readLiterals(condition, column, owner, how);
    if (condition.path.length === 1 && column.pk > 0 && how.keyFilterEffect === 'ignored') continue;
    tests.push(testOf(condition, column, literals, read, how));
    if (condition.path.length === 1 && index === single) {
      const first = literals[0]!;
      const compare = valueOrder(column.type, how.guidOrder);
      if (condition.operator === 'ge' && (ge === null || compare(first, ge) > 0)) ge = first;
      else if (condition.operator === 'le' && (le === null || compare(first, le) < 0)) le = first;
      else if (condition.operator !== 'like' && condition.operator !== 'ge' && condition.operator !== 'le')
        among = literals;
    }
  }
  if (how.defaultFilters === true || (how.defaultFilters === 'unfiltered' && conditions.length === 0)) {
    table.columns.forEach((column, i) => {
      if (column.defaultEquals === null || named.has(column.name)) return;
      const wanted = literalValue({ kind: 'bare', text: column.defaultEquals.toLowerCase() }, column.type, how);
      tests.push((row) => table.value(row, i) === wanted);
    });
  }
  return { test: tests.length === 0 ? null : (row) => tests.every((test) => test(row)), key: { ge, le, among } };
}

function resolvePath(db: Database, table: TableData, path: readonly string[], how: Names) {
  let at = table;
  let follow: ((row: RowRef) => { table: TableData; row: RowRef } | undefined) | null = null;
  for (const segment of path.slice(0, -1)) {
    const from = at;
    const index = from.columns.findIndex((column) => column.references !== null && referenceName(column) === segment);
    const column = from.columns[index];
    const target = column === undefined ? undefined : db.tables.get(column.references!);
    if (column === undefined || target === undefined) {
      throw badRequest(`Table ${from.name} has no reference ${segment}.`, 'InvalidFilter');
    }
    if (how.filterReferences === 'owners' && !column.owner) {
      throw badRequest(`A filter may not follow the reference ${segment} of ${from.name}.`, 'InvalidFilter');
    }
    const before = follow;
    follow = (row) => {
      const place = before === null ? { table: from, row } : before(row);
      if (place === undefined) return undefined;
      const key = from.value(place.row, index);
      const found = key === null ? undefined : target.find(key);
      return found === undefined ? undefined : { table: target, row: found };
    };
    at = target;
  }
  const last = path[path.length - 1]!;
  const index = at.columns.findIndex((column) => column.name === last);
  const column = at.columns[index];
  if (column === undefined) throw badRequest(`Table ${at.name} has no column ${last}.`, 'InvalidFilter');
  const walk = follow;
  const end = at;
  const read = (row: RowRef): Value | undefined => {
    if (walk === null) return end.value(row, index);
    const place = walk(row);
    return place === undefined ? undefined : end.value(place.row, index);
  };
  return { read, column, index, owner: end };
}

/** Name of the navigation property of a reference column: that of `X_Id` is `X_Reference`. */
export function referenceName(column: DemoColumn): string {
  return `${column.name.replace(/_Id$/, '')}_Reference`;
}

const KIND_OF: Readonly<Record<Condition['operator'], FilterKind | 'in'>> = {
  eq: 'Equals',
  any: 'Equals',
  ge: 'GreaterThanOrLessThan',
  le: 'GreaterThanOrLessThan',
  like: 'Like',
  in: 'in',
};

/** What kind of key a table has, for filters on it. */
function keyKind(table: TableData): KeyKind {
  if (table.keys.length > 1) return 'composite';
  switch (table.columns[table.keys[0]!.column]!.type.kind) {
    case 'guid':
      return 'guid';
    case 'text':
      return 'text';
    case 'date':
    case 'datetime':
    case 'time':
      return 'date';
    default:
      return 'number';
  }
}

function readLiterals(condition: Condition, column: DemoColumn, owner: TableData, how: Names): readonly Value[] {
  const kind = KIND_OF[condition.operator];
  const ranged = column.pk > 0 && kind === 'GreaterThanOrLessThan';
  const refused = ranged && (!how.keyFilter || how.keyFilterRefused.includes(keyKind(owner)));
  if (refused || !(kind === 'in' ? column.in : column.filters.includes(kind))) {
    throw badRequest(`The column ${column.name} does not take the filter '${condition.operator}'.`, 'FilterNotAllowed');
  }
  return condition.literals.map((literal) => {
    if (literal.kind === 'null') {
      if (condition.operator === 'eq' || (condition.operator === 'any' && how.groupNull !== 'refused')) return null;
      throw badRequest(`null can only be compared by 'eq' (column ${column.name}).`, 'InvalidFilter');
    }
    if (condition.operator === 'like' && literal.kind !== 'text') {
      throw badRequest(`'like' takes a text in quotes (column ${column.name}).`, 'InvalidFilter');
    }
    return condition.operator === 'like' ? (literal as { text: string }).text : literalValue(literal, column.type, how);
  });
}

function testOf(
  condition: Condition,
  column: DemoColumn,
  literals: readonly Value[],
  read: (row: RowRef) => Value | undefined,
  how: Names,
): (row: RowRef) => boolean {
  const kind = KIND_OF[condition.operator];
  const nulls = column.includesNulls.includes(kind === 'in' ? 'Equals' : kind);
  const order = valueOrder(column.type, how.guidOrder);
  const first = literals[0]!;
  const against = (pass: (value: Value) => boolean) => (row: RowRef) => {
    const value = read(row);
    if (value === undefined) return false;
    return value === null ? nulls : pass(value);
  };
  switch (condition.operator) {
    case 'eq':
      return first === null ? (row) => read(row) === null : against((value) => order(value, first) === 0);
    case 'ge':
      return against((value) => order(value, first) >= 0);
    case 'le':
      return against((value) => order(value, first) <= 0);
    case 'in':
    case 'any': {
      if (condition.operator === 'any' && literals.includes(null)) {
        const others = literals.filter((literal) => literal !== null);
        return (row) => {
          const value = read(row) ?? null;
          return value === null ? how.groupNull === 'matches' : others.some((literal) => order(value, literal) === 0);
        };
      }
      const exact = new Set(literals);
      if (column.type.kind === 'guid') return against((value) => exact.has(value));
      return against((value) => literals.some((literal) => order(value, literal) === 0));
    }
    case 'like': {
      const pattern = likePattern(String(first));
      return against((value) => pattern.test(String(value)));
    }
  }
}

/** `%` and `_` as in SQL, case-insensitive as SQL Server's usual collations. */
function likePattern(text: string): RegExp {
  const body = text
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '[\\s\\S]*')
    .replaceAll('_', '[\\s\\S]');
  return new RegExp(`^${body}$`, 'iu');
}

/** A literal as a value of the column's type. Throws a refusal. */
function literalValue(literal: Literal, type: SqlType, how: Pick<Names, 'dateLiterals'>): Value {
  const text = literal.kind === 'null' ? '' : literal.text;
  const wrong = () => badRequest(`'${text}' is not a literal of the type ${type.kind}.`, 'InvalidLiteral');
  if ((literal.kind === 'text') !== (type.kind === 'text')) throw wrong();
  const matched = (pattern: RegExp) => {
    const match = pattern.exec(text);
    if (match === null) throw wrong();
    return match;
  };
  switch (type.kind) {
    case 'text':
      return text;
    case 'guid':
      return matched(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)[0].toLowerCase();
    case 'bit':
      return matched(/^(true|false)$/)[0] === 'true';
    case 'int':
    case 'smallint':
    case 'tinyint':
      return Number(matched(/^-?\d{1,15}$/)[0]);
    case 'bigint':
      return BigInt(matched(/^-?\d{1,19}$/)[0]);
    case 'float':
      return Number(matched(/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/)[0]);
    case 'decimal':
      return matched(/^-?\d+(\.\d+)?$/)[0];
    case 'datetime': {
      const [, date, time] = matched(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z$/);
      return `${date}T${how.dateLiterals === 'cut' ? '00:00:00' : time}.000000Z`;
    }
    case 'date': {
      // A date column holds midnight: a time beyond it in the literal matters for `ge` alone.
      const [, date, time] = matched(/^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)Z)?$/);
      const midnight = time === undefined || time === '00:00:00' || how.dateLiterals === 'cut';
      return midnight ? date! : `${date}T${time}`;
    }
    case 'time':
      return `${matched(/^\d\d:\d\d:\d\d(\.\d{1,6})?$/)[0]
        .padEnd(9, '.')
        .padEnd(15, '0')}`;
    default:
      throw wrong();
  }
}
