/** Rows as JSON, in the form that the personality and the request ask for. */
import { hashText, mix } from './hash.ts';
import type { DemoColumn, Value } from './model.ts';
import type { Personality } from './personality.ts';
import type { Rights } from './rights.ts';
import type { RowRef, TableData } from './table.ts';

/** All that the bytes of a row depend on besides the row and the columns. */
export interface JsonForm
  extends Pick<
    Personality,
    | 'decimals'
    | 'dates'
    | 'times'
    | 'instants'
    | 'binaries'
    | 'guidCase'
    | 'nulls'
    | 'properties'
    | 'json'
    | 'escapes'
    | 'extraProperties'
    | 'controlPrefix'
  > {
  /** Int64 and Decimal as strings. */
  readonly ieee754: boolean;
  /** Language of multi-language texts; null leaves them as they are. */
  readonly language: string | null;
}

export interface RowEncoder {
  readonly table: TableData;
  /** Same text, same bytes for the same rows. */
  readonly signature: string;
  /** Do rows that differ in key and version alone differ in bytes there alone, in places of one width? */
  readonly patchable: boolean;
  /** The JSON of a row with a comma before it. */
  encode(row: RowRef): string;
}

export interface EncoderRequest {
  readonly table: TableData;
  /** Positions of the columns, in the order of the request. */
  readonly columns: readonly number[];
  readonly form: JsonForm;
  readonly rights: Pick<Rights, 'hiddenColumns' | 'hiddenColumnsAs'>;
}

export function compileEncoder(request: EncoderRequest): RowEncoder {
  const { table, form, rights } = request;
  const hidden = new Set(rights.hiddenColumns[table.name] ?? []);
  const columns = request.columns.filter(
    (i) => rights.hiddenColumnsAs === 'null' || !hidden.has(table.columns[i]!.name),
  );
  const space = SPACES[form.json];
  const parts = columns.map((index) => {
    const column = table.columns[index]!;
    return {
      index,
      read: table.reader(index),
      name: `${space.before}${JSON.stringify(column.name)}${space.colon}`,
      write: hidden.has(column.name) ? () => 'null' : escaped(column, writerOf(column, form), form),
      omitsNull: form.nulls === 'omitted' || (form.nulls === 'mixed' && hashText(column.name) % 2 === 0),
    };
  });
  const open = `,${space.open}{`;
  const close = `${space.close}}`;
  const shuffled = form.properties === 'shuffled';
  const etag = form.extraProperties.includes('etag');
  const unknown = form.extraProperties.includes('unknown');
  const signature = JSON.stringify([
    table.name,
    table.schemaVersion,
    columns,
    form,
    rights.hiddenColumnsAs,
    [...hidden],
  ]);
  return {
    table,
    signature,
    patchable:
      form.json === 'compact' &&
      form.escapes !== 'everywhere' &&
      !shuffled &&
      !etag &&
      form.guidCase === 'lower' &&
      form.binaries === 'base64',
    encode(row) {
      let text = open;
      let comma = false;
      if (etag) {
        text += `"${form.controlPrefix}etag":"W/\\"${row.rowVersion}\\""`;
        comma = true;
      }
      const turn = shuffled ? mix(row.ordinal, 77) % Math.max(1, parts.length) : 0;
      for (let i = 0; i < parts.length; i++) {
        const part = parts[turn === 0 ? i : (i + turn) % parts.length]!;
        const value = part.read(row);
        const json = value === null ? table.jsonAt(row.ordinal, part.index) : undefined;
        if (value === null && json === undefined && part.omitsNull) continue;
        if (comma) text += ',';
        comma = true;
        text += part.name + (value === null ? (json ?? 'null') : part.write(value));
      }
      if (unknown) text += `${comma ? ',' : ''}"Undeclared_Property":{"a":[1,"x",{"b":null}]}`;
      return text + close;
    },
  };
}

/** White space around the rows, before the name of a property and before its value. */
const SPACES = {
  compact: { open: '', before: '', colon: ':', close: '' },
  pretty: { open: '\n    ', before: '\n      ', colon: ': ', close: '\n    ' },
  spaced: { open: '\r\n\t ', before: '\t \r\n', colon: ' \n:\r\t\n ', close: ' \n\t\r' },
} as const;

/** With escapes everywhere: the same string with each sign escaped that is no letter or digit. */
function escaped(column: DemoColumn, write: (value: Value) => string, form: JsonForm): (value: Value) => string {
  if (form.escapes !== 'everywhere' || column.type.kind === 'text') return write;
  return (value) => {
    const text = write(value);
    return text.startsWith('"') ? `"${text.slice(1, -1).replace(/[^0-9A-Za-z]/g, escapeSign)}"` : text;
  };
}

function escapeSign(sign: string): string {
  return sign === '/' ? '\\/' : `\\u${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

function writerOf(column: DemoColumn, form: JsonForm): (value: Value) => string {
  const quoted = form.escapes === 'minimal' ? (text: string) => JSON.stringify(text) : escapeAll;
  switch (column.type.kind) {
    case 'decimal':
      return decimalWriter(form);
    case 'bigint':
      return form.ieee754 ? (value) => `"${value}"` : (value) => String(value);
    case 'guid':
      return form.guidCase === 'upper' ? (value) => `"${String(value).toUpperCase()}"` : (value) => `"${value}"`;
    case 'datetime':
      return form.instants === 'offset'
        ? (value) => `"${withOffset(String(value))}"`
        : (value) => `"${trimFraction(String(value))}"`;
    case 'date':
      return form.dates === 'Date' ? (value) => `"${value}"` : (value) => `"${value}T00:00:00Z"`;
    case 'time':
      return form.times === 'TimeOfDay'
        ? (value) => `"${trimFraction(String(value))}"`
        : (value) => `"${durationText(String(value))}"`;
    case 'binary':
    case 'rowversion':
      return form.binaries === 'base64'
        ? (value) => `"${value}"`
        : (value) => `"${String(value).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}"`;
    case 'text':
      if (column.multiLanguage && form.language !== null && form.language !== 'en') {
        return (value) => quoted(`${value} [${form.language}]`);
      }
      return (value) => quoted(String(value));
    case 'float':
      return (value) => JSON.stringify(value);
    default:
      return (value) => String(value);
  }
}

function decimalWriter(form: JsonForm): (value: Value) => string {
  if (form.ieee754 || form.decimals === 'strings') return (value) => `"${value}"`;
  switch (form.decimals) {
    case 'trimmed':
      return (value) => {
        const text = String(value);
        return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
      };
    case 'exponent':
      return (value) => exponentText(String(value));
    default:
      return (value) => String(value);
  }
}

/** `-12.50` as `-1.250E+1`. */
function exponentText(text: string): string {
  const negative = text.startsWith('-');
  const [left = '0', right = ''] = text.replace('-', '').split('.');
  const all = (left + right).replace(/^0+(?=\d)/, '');
  const exponent = all.length - 1 - right.length;
  return `${negative ? '-' : ''}${all[0]}.${all.slice(1) || '0'}E${exponent < 0 ? '' : '+'}${exponent}`;
}

/** Fractions as .NET writes them: none when zero, else without zeros at the end. True values always carry six digits. */
function trimFraction(text: string): string {
  const zone = text.endsWith('Z');
  let end = zone ? text.length - 1 : text.length;
  while (text.charCodeAt(end - 1) === 48) end--;
  if (text.charCodeAt(end - 1) === 46) end--;
  return zone ? `${text.slice(0, end)}Z` : text.slice(0, end);
}

/** The same instant in the zone of the server, two hours east; where that leaves the year 9999, in UTC. */
function withOffset(text: string): string {
  const shifted = new Date(Date.parse(`${text.slice(0, 19)}Z`) + 7_200_000);
  if (shifted.getUTCFullYear() > 9999) return trimFraction(text);
  return `${trimFraction(`${shifted.toISOString().slice(0, 19)}${text.slice(19, 26)}`)}+02:00`;
}

/** `hh:mm:ss.ffffff` as an ISO 8601 duration. */
function durationText(text: string): string {
  const [hours = '0', minutes = '0', seconds = '0'] = text.split(':');
  return `PT${Number(hours)}H${Number(minutes)}M${Number(seconds)}S`;
}

function escapeAll(text: string): string {
  return JSON.stringify(text)
    .replaceAll('/', '\\/')
    .replace(/[<>&'\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
