/**
 * Filters that the Table API documents, as data, and their text.
 *
 * Documented are only `and`; `eq` (also with null), `ge`, `le`, `in`, `like`; and one group form `(F eq a or F eq b …)`. There is no `lt`,
 * `gt`, `ne`, `or`, `not`: what has no shape here cannot be sent.
 */
import { TablevaultError } from '../core/errors.ts';
import type { ColumnType, TableSchema } from '../core/schema.ts';

/**
 * A value of a column: GUIDs, decimals, dates (`YYYY-MM-DD`), times and instants (ISO 8601, UTC) as text, instants also as microseconds
 * since 1970 (bigint), integers as number or bigint, binary as base64 text.
 */
export type FilterValue = string | number | bigint | boolean;

export type Filter =
  | { readonly op: 'and'; readonly terms: readonly Filter[] }
  /** `null` asks for rows where the column is null. */
  | { readonly op: 'eq'; readonly column: string; readonly value: FilterValue | null }
  | { readonly op: 'ge' | 'le'; readonly column: string; readonly value: FilterValue }
  | { readonly op: 'in'; readonly column: string; readonly values: readonly FilterValue[] }
  | { readonly op: 'like'; readonly column: string; readonly pattern: string }
  /** `(F eq a or F eq b …)`, the one group form. */
  | { readonly op: 'anyOf'; readonly column: string; readonly values: readonly (FilterValue | null)[] }
  /** A filter written by the user, sent as it is. */
  | { readonly op: 'text'; readonly text: string };

/** All of `filters` at once; undefined entries are left out, and undefined comes back when nothing is left. */
export function allOf(...filters: readonly (Filter | undefined)[]): Filter | undefined {
  const terms = filters.filter((filter) => filter !== undefined);
  return terms.length < 2 ? terms[0] : { op: 'and', terms };
}

/**
 * The text of `$filter`, not yet percent-encoded. A column may be a path through references (`Document_Reference/State`); its values are
 * then written by their JavaScript type, since the table's schema does not know the column.
 *
 * @throws USAGE when a value cannot be written exactly as a literal of the column's type
 */
export function compileFilter(filter: Filter, table: TableSchema): string {
  switch (filter.op) {
    case 'and':
      if (filter.terms.length === 0) throw cannotWrite(table.name, 'an empty "and"');
      return filter.terms
        .map((term) => asOperand(compileFilter(term, table), term.op === 'text' && filter.terms.length > 1))
        .join(' and ');
    case 'eq':
    case 'ge':
    case 'le':
      return `${filter.column} ${filter.op} ${literalFor(filter.value, filter.column, table)}`;
    case 'in':
      if (filter.values.length === 0) throw cannotWrite(table.name, 'an empty "in"');
      return `${filter.column} in (${filter.values.map((value) => literalFor(value, filter.column, table)).join(',')})`;
    case 'like':
      return `${filter.column} like ${quoted(filter.pattern)}`;
    case 'anyOf': {
      if (filter.values.length === 0) throw cannotWrite(table.name, 'an empty group of "or"');
      const terms = filter.values.map((value) => `${filter.column} eq ${literalFor(value, filter.column, table)}`);
      return `(${terms.join(' or ')})`;
    }
    case 'text':
      return filter.text;
  }
}

/** A user's text beside other terms: in parentheses when an `or` of its own would otherwise swallow them. */
function asOperand(text: string, foreign: boolean): string {
  return foreign && hasOuterOr(text) ? `(${text})` : text;
}

/** Does a filter name this column itself, not within a quoted text and not at the end of a path? */
export function namesColumn(filter: Filter | undefined, column: string): boolean {
  if (filter === undefined) return false;
  if (filter.op === 'and') return filter.terms.some((term) => namesColumn(term, column));
  if (filter.op !== 'text') return filter.column === column;
  const names: readonly string[] = withoutQuoted(filter.text).match(/[\p{L}\p{N}_/.]+/gu) ?? [];
  return names.includes(column);
}

function withoutQuoted(text: string): string {
  return text.replace(/'(?:[^']|'')*'/g, "''");
}

/** Is there an `or` outside quotes and parentheses? */
export function hasOuterOr(text: string): boolean {
  const outside = withoutQuoted(text);
  let depth = 0;
  for (const word of outside.match(/[()]|[^\s()]+/g) ?? []) {
    if (word === '(') depth += 1;
    else if (word === ')') depth -= 1;
    else if (depth === 0 && word.toLowerCase() === 'or') return true;
  }
  return false;
}

function literalFor(value: FilterValue | null, column: string, table: TableSchema): string {
  if (value === null) return 'null';
  const type = table.columns.find(({ name }) => name === column)?.type;
  if (type === undefined && !column.includes('/'))
    throw cannotWrite(table.name, `a filter on the unknown column ${column}`);
  const literal = type === undefined ? literalByValue(value) : compileLiteral(value, type);
  if (literal === undefined) {
    throw cannotWrite(table.name, `this value of ${column} (${type?.kind ?? typeof value}) as a literal of a filter`);
  }
  return literal;
}

/**
 * An OData literal of exactly this value, or undefined when the type does not take it.
 * @see OData ABNF 4.01, rule `primitiveLiteral`; date literals as the vendor documents them, `YYYY-MM-DDThh:mm:ssZ`
 */
function compileLiteral(value: FilterValue, type: ColumnType): string | undefined {
  switch (type.kind) {
    case 'guid':
      return matching(value, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)?.toLowerCase();
    case 'text':
      return typeof value === 'string' ? quoted(value) : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? String(value) : undefined;
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'int32':
    case 'int64':
      if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return String(value);
      return matching(value, /^-?[0-9]{1,19}$/);
    case 'decimal':
    case 'decimalText':
      if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return String(value);
      return matching(value, /^-?[0-9]+(\.[0-9]+)?$/);
    case 'float32':
    case 'float64':
      return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
    case 'timestamp':
      return typeof value === 'bigint' ? instantOfMicros(value) : instantOfText(value);
    case 'date':
      return matching(value, /^\d{4}-\d{2}-\d{2}$/);
    case 'time':
      return matching(value, /^\d{2}:\d{2}:\d{2}(\.\d{1,12})?$/);
    case 'binary': {
      const base64 = matching(value, /^[A-Za-z0-9+/]*={0,2}$/);
      return base64 === undefined ? undefined : `binary'${Buffer.from(base64, 'base64').toString('base64url')}'`;
    }
    case 'json':
      return undefined;
  }
}

/** For paths through references: the literal by the shape of the value alone. */
function literalByValue(value: FilterValue): string | undefined {
  if (typeof value !== 'string') {
    return typeof value !== 'number' || Number.isFinite(value) ? String(value) : undefined;
  }
  return compileLiteral(value, { kind: 'guid' }) ?? instantOfText(value) ?? quoted(value);
}

function matching(value: FilterValue, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Fractions of a second are written only where there are any: the documented form has none. */
function instantOfText(value: FilterValue): string | undefined {
  const match = typeof value === 'string' ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z$/.exec(value) : null;
  if (match === null) return undefined;
  const fraction = (match[2] ?? '').replace(/\.?0*$/, '');
  return `${match[1]}${fraction}Z`;
}

function instantOfMicros(micros: bigint): string | undefined {
  const ms = micros / 1000n - (micros % 1000n < 0n ? 1n : 0n);
  const date = new Date(Number(ms));
  const year = Number.isNaN(date.getTime()) ? 0 : date.getUTCFullYear();
  if (year < 1 || year > 9999) return undefined;
  const sub = String(micros - ms * 1000n).padStart(3, '0');
  return instantOfText(date.toISOString().replace('Z', `${sub}Z`));
}

function cannotWrite(table: string, what: string): TablevaultError {
  return new TablevaultError('USAGE', `cannot write ${what}`, {
    at: { table },
    hint: 'Check the filter: the Table API takes eq, ge, le, in and like on the columns of this table.',
  });
}
