/**
 * What a body means, told without the decoder: rows with the exact value of each column, or that it must be refused. Slow and plain: numbers
 * are fractions of BigInts, instants are counted by `Date`.
 */
import type { Column, ColumnType } from '../../src/core/schema.ts';
import type { Value } from '../../src/decode/values.ts';
import { parseRaw, type RawJson } from './raw-json.ts';

export type Row = Readonly<Record<string, Value>>;
/** `either`: a limit of the decoder, or a rule that has tests of its own, decides. */
export type Truth =
  | { readonly is: 'rows'; readonly rows: readonly Row[] }
  | { readonly is: 'refused' }
  | { readonly is: 'either' };

const REFUSED: Truth = { is: 'refused' };
/** Names that may tell of an error; test/unit/decode/errors-in-body.test.ts says when. */
const ERROR_NAMES = new Set([
  'error',
  'message',
  'code',
  'type',
  'info',
  'messageFormat',
  'parameters',
  '@error',
  '@odata.error',
]);
/** The decoder refuses deeper nesting. */
const MAX_DEPTH = 200;

export function truthOf(body: Uint8Array, columns: readonly Column[], absentIsNull: boolean): Truth {
  const tree = parseRaw(body);
  if (tree?.kind !== 'object') return REFUSED;
  if (tree.depth > MAX_DEPTH) return { is: 'either' };
  const values = tree.members.filter(([name]) => name === 'value');
  const list = values[0]?.[1];
  if (values.length !== 1 || list?.kind !== 'array') return REFUSED;
  if (!tree.members.every(([name, value]) => isControlSound(name, value, tree.members))) return REFUSED;
  const rows: Row[] = [];
  let either = false;
  for (const item of list.items) {
    if (item.kind !== 'object') return REFUSED;
    either ||= item.members.some(([name]) => ERROR_NAMES.has(name) && !columns.some((column) => column.name === name));
    const row = rowOf(item.members, columns, absentIsNull);
    if (row === undefined) return REFUSED;
    rows.push(row);
  }
  if (isMixed(list.items, columns)) return REFUSED;
  return either ? { is: 'either' } : { is: 'rows', rows };
}

/** Links and counts of one kind agree, and nothing tells of an error. */
function isControlSound(name: string, value: RawJson, members: readonly (readonly [string, RawJson])[]): boolean {
  if (ERROR_NAMES.has(name)) return false;
  if (/^@(odata\.)?nextLink$/.test(name)) {
    if (value.kind !== 'null' && value.kind !== 'string') return false;
    const links = members.flatMap(([each, { kind, ...rest }]) =>
      /^@(odata\.)?nextLink$/.test(each) && kind === 'string' && 'value' in rest && rest.value !== ''
        ? [rest.value]
        : [],
    );
    return new Set(links).size <= 1;
  }
  if (!/^@(odata\.)?count$/.test(name)) return true;
  const counts = members
    .filter(([each, { kind }]) => /^@(odata\.)?count$/.test(each) && kind !== 'null')
    .map(([, each]) => countOf(each));
  return counts.every((count) => count !== undefined) && new Set(counts).size <= 1;
}

function countOf(value: RawJson): number | undefined {
  const count =
    value.kind === 'number'
      ? Number(value.text)
      : value.kind === 'string' && /^\d+$/.test(value.value)
        ? Number(value.value)
        : Number.NaN;
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** Is a column null in some rows, and left out of others? */
function isMixed(items: readonly RawJson[], columns: readonly Column[]): boolean {
  return columns.some(({ name }) => {
    const found = items.map((item) =>
      item.kind === 'object' ? item.members.find(([each]) => each === name)?.[1] : undefined,
    );
    return found.includes(undefined) && found.some((value) => value?.kind === 'null');
  });
}

function rowOf(
  members: readonly (readonly [string, RawJson])[],
  columns: readonly Column[],
  absentIsNull: boolean,
): Row | undefined {
  const row: [string, Value][] = [];
  for (const { name, type, nullable } of columns) {
    const found = members.filter(([each]) => each === name).map(([, value]) => value);
    if (found.length > 1) return undefined;
    const [json] = found;
    if (json === undefined ? !absentIsNull : false) return undefined;
    const value = json === undefined || json.kind === 'null' ? (nullable ? null : undefined) : readAs(json, type);
    if (value === undefined) return undefined;
    row.push([name, value]);
  }
  return Object.fromEntries(row);
}

/** The value as the decoder's `valueAt` spells it; undefined where it does not fit. */
function readAs(json: RawJson, type: ColumnType): Value | undefined {
  const text = json.kind === 'string' ? json.value : undefined;
  const number = text ?? (json.kind === 'number' ? json.text : undefined);
  switch (type.kind) {
    case 'boolean':
      return json.kind === 'boolean' ? json.text === 'true' : undefined;
    case 'int8':
    case 'int16':
    case 'int32':
    case 'int64': {
      const bits = BigInt(type.kind.slice(3));
      return whole(number, -(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n, bits === 64n);
    }
    case 'uint8':
      return whole(number, 0n, 255n, false);
    case 'decimal': {
      const found = number === undefined ? undefined : scaled(number, type.scale);
      return found === undefined || abs(found) >= 10n ** BigInt(type.precision) ? undefined : fixed(found, type.scale);
    }
    case 'decimalText':
      return number !== undefined && NUMBER.test(number) ? number : undefined;
    case 'float32':
    case 'float64':
      return number === undefined ? undefined : float(number, type.kind === 'float32', text !== undefined);
    case 'guid':
      return text !== undefined && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
        ? text.toLowerCase()
        : undefined;
    case 'text':
      return text !== undefined && !HALF_PAIR.test(text) ? text : undefined;
    case 'binary':
      return text === undefined ? undefined : base64(text);
    case 'timestamp':
      return text === undefined ? undefined : instant(text);
    case 'date':
      return text === undefined ? undefined : day(text);
    case 'time':
      return text === undefined ? undefined : time(text);
    case 'json':
      return text === undefined ? json.text : keptText(text, json.text);
  }
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** Half a surrogate pair. */
const HALF_PAIR = /\p{Surrogate}/u;
/** Beyond these exponents a number other than zero fits nowhere. */
const MAX_EXPONENT = 5000;

/** A number as digits × 10^exponent. */
function parts(
  text: string,
): { readonly digits: bigint; readonly exponent: number; readonly negative: boolean } | undefined {
  if (!NUMBER.test(text)) return undefined;
  const [mantissa = '', exponent = '0'] = text.replace('-', '').split(/[eE]/);
  // The first minus may be the exponent's own.
  const power = Number(text.split(/[eE]/)[1] ?? exponent);
  const [before = '', after = ''] = mantissa.split('.');
  return { digits: BigInt(before + after), exponent: power - after.length, negative: text.startsWith('-') };
}

/** The number × 10^scale, where that is whole. */
function scaled(text: string, scale: number): bigint | undefined {
  const number = parts(text);
  if (number === undefined) return undefined;
  if (number.digits === 0n) return 0n;
  const shift = number.exponent + scale;
  if (Math.abs(shift) > MAX_EXPONENT) return undefined;
  const power = 10n ** BigInt(Math.abs(shift));
  if (shift < 0 && number.digits % power !== 0n) return undefined;
  const found = shift < 0 ? number.digits / power : number.digits * power;
  return number.negative ? -found : found;
}

const abs = (value: bigint) => (value < 0n ? -value : value);

function fixed(unscaled: bigint, scale: number): string {
  const digits = String(abs(unscaled)).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${scale === 0 ? '' : `.${digits.slice(digits.length - scale)}`}`;
}

function whole(text: string | undefined, least: bigint, most: bigint, asText: boolean): string | number | undefined {
  const found = text === undefined ? undefined : scaled(text, 0);
  if (found === undefined || found < least || found > most) return undefined;
  return asText ? String(found) : Number(found);
}

function float(text: string, single: boolean, quoted: boolean): number | undefined {
  if (quoted && text === 'NaN') return Number.NaN;
  if (quoted && /^-?INF$/.test(text)) return text === 'INF' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const number = parts(text);
  if (number === undefined) return undefined;
  const double = Number(text);
  const value = single ? nearestSingle(text) : double;
  return Number.isFinite(value) && (value !== 0 || number.digits === 0n) ? value : undefined;
}

/** Of the singles about a number the one at the least distance; of two, the one with an even last bit. */
function nearestSingle(text: string): number {
  const rounded = Math.fround(Math.abs(Number(text)));
  const negative = text.startsWith('-');
  if (rounded === 0 && !(Math.abs(Number(text)) > 0)) return negative ? -0 : 0;
  const bits = new Uint32Array(1);
  const floats = new Float32Array(bits.buffer);
  floats[0] = rounded;
  const middle = bits[0]!;
  const candidates = [middle - 1, middle, middle + 1].filter((each) => each >= 0 && each <= 0x7f800000);
  const exact = parts(text)!;
  if (Math.abs(exact.exponent) > MAX_EXPONENT) return negative ? -rounded : rounded;
  let best: { readonly away: bigint; readonly each: number } | undefined;
  for (const each of candidates) {
    bits[0] = each;
    // Infinity stands for the single that would follow the greatest.
    const away = distance(exact, each === 0x7f800000 ? 2 ** 128 : floats[0]!);
    if (best === undefined || away < best.away || (away === best.away && each % 2 === 0)) best = { away, each };
  }
  bits[0] = best!.each;
  return negative ? -floats[0]! : floats[0]!;
}

/** |number − value|, in units that are the same for every value. */
function distance({ digits, exponent }: { readonly digits: bigint; readonly exponent: number }, value: number): bigint {
  // Singles and 2^128 are whole multiples of 2^-149.
  const unit = 149n;
  const wholeUnits = BigInt(value * 2 ** 100 * 2 ** 49);
  const tens = 10n ** BigInt(Math.abs(exponent));
  const left = exponent < 0 ? digits * 2n ** unit : digits * tens * 2n ** unit;
  return abs(left - (exponent < 0 ? wholeUnits * tens : wholeUnits));
}

function base64(text: string): Uint8Array | undefined {
  const bare = /^([A-Za-z0-9+/_-]*)(={0,2})$/.exec(text);
  if (bare === null) return undefined;
  const [, digits = '', padding = ''] = bare;
  const missing = (4 - (digits.length % 4)) % 4;
  if (digits.length % 4 === 1 || (padding !== '' && padding.length !== missing)) return undefined;
  const bytes = Buffer.from(digits, 'base64url');
  // Bits that are left over must be zero.
  return bytes.toString('base64url') === digits.replaceAll('+', '-').replaceAll('/', '_')
    ? new Uint8Array(bytes)
    : undefined;
}

const CLOCK = String.raw`(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?`;

/** Microseconds since midnight; undefined where there is no such time, or it is finer. */
function micros([hour, minute, second = '00', fraction = '']: readonly (string | undefined)[]): bigint | undefined {
  const [h, m, s] = [hour, minute, second].map(Number);
  if (h! > 23 || m! > 59 || s! > 59 || /[1-9]/.test(fraction.slice(6))) return undefined;
  return BigInt((h! * 60 + m!) * 60 + s!) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'));
}

function clockText(total: bigint): string {
  const two = (n: bigint) => String(n).padStart(2, '0');
  const seconds = total / 1_000_000n;
  const fraction = total % 1_000_000n;
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction === 0n ? '' : `.${String(fraction).padStart(6, '0')}`}`;
}

function time(text: string): string | undefined {
  const match = new RegExp(`^${CLOCK}$`).exec(text);
  const found = match === null ? undefined : micros(match.slice(1));
  return found === undefined ? undefined : clockText(found);
}

/** Milliseconds of the midnight of a day that exists, years 1 to 9999. */
function midnight(text: string): number | undefined {
  const date = new Date(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) &&
    !text.startsWith('0000') &&
    !Number.isNaN(date.getTime()) &&
    date.toISOString().startsWith(text)
    ? date.getTime()
    : undefined;
}

/** Microseconds since 1970 of an instant, whatever the year. */
function micros1970(text: string): bigint | undefined {
  const match = new RegExp(`^(.{10})T${CLOCK}(?:Z|([+-])(\\d\\d):(\\d\\d))$`, 's').exec(text);
  if (match === null) return undefined;
  const start = midnight(match[1]!);
  const clock = micros(match.slice(2, 6));
  const [sign, hours = '0', minutes = '0'] = match.slice(6);
  if (start === undefined || clock === undefined || Number(hours) > 14 || Number(minutes) > 59) return undefined;
  const offset = BigInt(Number(hours) * 60 + Number(minutes)) * 60_000_000n;
  return BigInt(start) * 1000n + clock - (sign === '-' ? -offset : offset);
}

function instant(text: string): string | undefined {
  const found = micros1970(text);
  if (found === undefined) return undefined;
  const day = 86_400_000_000n;
  const clock = ((found % day) + day) % day;
  const date = new Date(Number((found - clock) / 1000n));
  const year = date.getUTCFullYear();
  return year < 1 || year > 9999 ? undefined : `${date.toISOString().slice(0, 10)}T${clockText(clock)}Z`;
}

function day(text: string): string | undefined {
  if (midnight(text) !== undefined) return text;
  const zone = /(Z|[+-]00:00)$/.exec(text);
  const found = zone === null ? undefined : micros1970(text);
  return found !== undefined && found % 86_400_000_000n === 0n ? text.slice(0, 10) : undefined;
}

/** A string kept as text: its content, or its JSON text where UTF-8 cannot hold it or that would look like such a text. */
function keptText(content: string, json: string): string {
  const quoted = content.length > 1 && content.startsWith('"') && content.endsWith('"');
  return !HALF_PAIR.test(content) && !(quoted && /\\u[dD][89a-fA-F]/.test(content)) ? content : json;
}
