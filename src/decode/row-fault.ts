/** Why a row that is complete and valid JSON is not a row of its table, and the error that says so. */
import { TablevaultError } from '../core/errors.ts';
import type { Column } from '../core/schema.ts';
import { yamlKey } from '../core/yaml-key.ts';
import { skipSpace, skipString, skipValue } from './skip.ts';

export interface RowFault {
  readonly kind:
    | 'misfit'
    /** Null in a column that is never null. */
    | 'null'
    | 'absent'
    /** Left out of some rows, and null in others. */
    | 'mixed'
    | 'duplicate'
    | 'notObject'
    /** A name or value that is not UTF-8. */
    | 'notUtf8'
    /** The element tells of an error. */
    | 'error';
  /** Empty where the fault is not that of one property. */
  readonly property: string;
}

/** Where a fault is: the table, the key of the row where it has one, and what else the message's `at` holds. */
export interface FaultPlace {
  readonly table: string;
  /** The column of the property, where there is one. */
  readonly column: Column | undefined;
  /** Is it a column of the key? */
  readonly isKey: boolean;
  /** Empty for rows without a key. */
  readonly key: string;
  /** Number of the row in its answer, from 1. */
  readonly row: number;
  /** The value, which no message shows; undefined where it cannot be told. */
  readonly value: unknown;
  readonly at: Readonly<Record<string, string | number>>;
}

/** The error of a fault that is one of a value or property; it names table, column, key, and the line that would keep the value. */
export function rowFaultError({ kind, property }: RowFault, place: FaultPlace): TablevaultError {
  const { table, key } = place;
  const row = key === '' ? `row ${place.row} of an answer` : `the row with the key ${key}`;
  const at = { ...place.at, ...(key === '' ? {} : { key }), ...(property === '' ? {} : { column: property }) };
  switch (kind) {
    case 'absent':
      return new TablevaultError(
        'BODY_INVALID',
        `${table}: ${row} lacks the property ${property}, which was asked for`,
        {
          at,
          hint: 'The identity may not be allowed to read this column, or the schema changed during the read: exclude the column or ask the administrator.',
        },
      );
    case 'mixed':
      return new TablevaultError(
        'BODY_INVALID',
        `${property} is null in some rows of ${table} and left out of others, such as ${row}`,
        {
          at,
          hint: 'What is left out may be null, or hidden from this identity, and nothing tells which: leave the column out, or ask the administrator.',
        },
      );
    case 'duplicate':
      return new TablevaultError('BODY_INVALID', `${table}: ${row} has the property ${property} twice`, {
        at,
        hint: 'Which of the two values is true cannot be told: report it to whoever runs the instance, or leave the column out.',
      });
    case 'null':
      if (place.isKey) {
        return new TablevaultError('VALUE_MISFIT', `${table}.${property}, a column of the key, is null in ${row}`, {
          at,
          hint: 'A key is never null: report it to whoever runs the instance, and leave the table out with tables.exclude until then.',
        });
      }
      return new TablevaultError(
        'VALUE_MISFIT',
        `${table}.${property} is null in ${row}, but $metadata says that the column is never null; ${keptBy(table, property)}`,
        { at, hint: 'Report it to whoever runs the instance, add that line to the pipeline, or leave the column out.' },
      );
    default:
      return new TablevaultError(
        'VALUE_MISFIT',
        `a value of ${table}.${property} in ${row} does not fit ${place.column?.edmType ?? 'its type'}, the type that $metadata declares${whatCame(place)}; ${keptBy(table, property)}`,
        {
          at,
          hint: 'Nothing is rounded, cut or replaced, and no message shows a value. Correct the value in the ERP, add that line to the pipeline, or leave the column out.',
        },
      );
  }
}

/** What kind of value it is, without a word of it. */
function whatCame({ column, value }: FaultPlace): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string')
    return column?.type.kind === 'text'
      ? ': it holds half a surrogate pair, which UTF-8 cannot hold'
      : ': it is a JSON string';
  return `: it is a JSON ${Array.isArray(value) ? 'array' : typeof value}`;
}

/** The line of a pipeline that stores a column as the text that comes. */
function keptBy(table: string, column: string): string {
  return `this line in the block tables: of the pipeline keeps it as text (or its entry in the overrides: there): overrides: { ${yamlKey(table)}: { types: { ${yamlKey(column)}: text } } }`;
}

/** Longer values are left out: they are no keys. */
const MAX_TEXT_BYTES = 1000;

/**
 * The members of a JSON object that is known to be valid: strings as their content, all else as its text, so that no digit of a key is
 * lost. For messages.
 */
export function membersAsText(buf: Uint8Array, start: number, end: number): Record<string, string> {
  const members: [string, string][] = [];
  const text = (from: number, to: number) => Buffer.from(buf.buffer, buf.byteOffset + from, to - from).toString('utf8');
  let at = skipSpace(buf, start + 1, end);
  while (at < end && buf[at] === 0x22) {
    const nameEnd = skipString(buf, at, end);
    if (typeof nameEnd !== 'number' || nameEnd < 0) break;
    const from = skipSpace(buf, skipSpace(buf, nameEnd, end) + 1, end);
    const to = skipValue(buf, from, end);
    if (typeof to !== 'number' || to < 0) break;
    if (to - from <= MAX_TEXT_BYTES) {
      const value = text(from, to);
      members.push([
        JSON.parse(text(at, nameEnd)) as string,
        value.startsWith('"') ? (JSON.parse(value) as string) : value,
      ]);
    }
    at = skipSpace(buf, skipSpace(buf, to, end) + 1, end);
  }
  return Object.fromEntries(members);
}

/** Name of the largest member of a JSON object whose end has not come: the one that makes it large. Undefined where none has begun. */
export function largestMember(buf: Uint8Array, start: number, end: number): string | undefined {
  let largest: { readonly name: string; readonly bytes: number } | undefined;
  let at = skipSpace(buf, start, end);
  if (buf[at] !== 0x7b) return undefined;
  at = skipSpace(buf, at + 1, end);
  while (at < end && buf[at] === 0x22) {
    const nameEnd = skipString(buf, at, end);
    if (typeof nameEnd !== 'number' || nameEnd < 0) break;
    const name = Buffer.from(buf.buffer, buf.byteOffset + at, nameEnd - at).toString('utf8');
    const from = skipSpace(buf, skipSpace(buf, nameEnd, end) + 1, end);
    const to = skipValue(buf, from, end);
    if (typeof to !== 'number') break;
    const until = to < 0 ? end : to;
    if (until - from > (largest?.bytes ?? 0)) largest = { name, bytes: until - from };
    if (to < 0) break;
    at = skipSpace(buf, skipSpace(buf, to, end) + 1, end);
  }
  return largest === undefined ? undefined : (JSON.parse(largest.name) as string);
}
