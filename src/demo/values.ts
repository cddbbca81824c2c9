/**
 * The values of a column as pure functions of (seed, table, column, row, generation): ordinary ones, and about one row in sixteen a
 * value at the edge of its type.
 */
import { hashText, mix } from './hash.ts';
import type { DemoColumn, SqlType, Value } from './model.ts';
import { edgeText, textMaker } from './text.ts';

/** The value of row `ordinal` after `generation` updates. */
export type ValueMaker = (ordinal: number, generation: number) => Value;

/** Hash that all choices about one value start from. */
export type Salt = number;

export function columnSalt(table: string, column: string, seed: number): Salt {
  return hashText(`${table}.${column}`, seed);
}

export function rowHash(salt: Salt, ordinal: number, generation: number): number {
  return mix(generation === 0 ? salt : mix(salt, generation), ordinal);
}

/** Is this value null (of a nullable column)? One in eight. */
export function isNullAt(hash: number): boolean {
  return hash >>> 29 === 5;
}

/** A maker for any column but keys, references and Row_Version. */
export function planValues(table: string, column: DemoColumn, position: number, seed: number): ValueMaker {
  const salt = columnSalt(table, column.name, seed);
  const ordinary = ordinaryMaker(column, column.madeAs);
  const edges = edgeMaker(column.madeAs);
  const convert = widener(column.madeAs, column.type);
  const make: ValueMaker = (ordinal, generation) => {
    const h = rowHash(salt, ordinal, generation);
    if (column.nullable && isNullAt(h)) return null;
    return (ordinal & 15) === 5 ? edges((ordinal >>> 4) + position) : ordinary(h, ordinal);
  };
  return convert === null ? make : (ordinal, generation) => convert(make(ordinal, generation));
}

function ordinaryMaker(column: DemoColumn, type: SqlType): (h: number, n: number) => Value {
  switch (type.kind) {
    case 'bit': {
      const common = /^(Is_)?Active$/.test(column.name);
      return (h) => (common ? h % 10 !== 0 : column.name === 'Void' ? h % 20 === 0 : h % 3 === 0);
    }
    case 'int':
      return /Line_No|_Ord$/.test(column.name) ? (_, n) => (n % 50) * 10 + 10 : (h) => h % 1000;
    case 'smallint':
      return (h) => (h % 6) * 10;
    case 'tinyint':
      return (h) => h % 10;
    case 'bigint':
      return (h, n) => BigInt(h) * BigInt(n + 1);
    case 'float':
      return (h, n) => h / ((n % 997) + 3);
    case 'decimal':
      return decimalMaker(type.precision, type.scale);
    case 'date':
      return (h) => dateText(15_000 + (h % 5600));
    case 'datetime':
      return (h, n) => {
        const fraction = n % 4 === 0 ? 0 : n % 4 === 1 ? (h % 1000) * 1000 : mix(h, n) % 1_000_000;
        return `${dateText(15_000 + (h % 5600))}T${clockText((h >>> 3) % 86_400)}.${String(fraction).padStart(6, '0')}Z`;
      };
    case 'time':
      return (h) => `${clockText(h % 86_400)}.${h % 3 === 0 ? String(h % 1_000_000).padStart(6, '0') : '000000'}`;
    case 'binary':
      return (h, n) => bytesOf(h, n).toString('base64');
    case 'guid':
      return column.references === null ? plainGuid : (h) => ELSEWHERE[h & 1023]!;
    case 'text':
      return textMaker(column, type.length, type.fixed);
    case 'rowversion':
      return (h) => String(h);
  }
}

/** Ordinary amounts of up to eight digits; where 38 digits fit, a row in four uses them all. */
function decimalMaker(precision: number, scale: number): (h: number, n: number) => string {
  const digits = Math.min(precision, 8);
  const modulus = 10 ** digits;
  return (h, n) => {
    if (precision > 28 && n % 4 === 1) {
      let wide = '';
      for (let i = 0; wide.length < precision; i++) wide += String(mix(h, i));
      return decimalText(wide.slice(0, precision), scale, h % 2 === 0);
    }
    return decimalText(String(h % modulus), scale, h % 17 === 0);
  };
}

/** `digits` times 10^-scale as text with all digits of the scale. */
export function decimalText(digits: string, scale: number, negative: boolean): string {
  const whole = digits.padStart(scale + 1, '0');
  const left = whole.slice(0, whole.length - scale).replace(/^0+(?=\d)/, '');
  const text = scale === 0 ? left : `${left}.${whole.slice(whole.length - scale)}`;
  return negative && /[1-9]/.test(text) ? `-${text}` : text;
}

const DATES = [
  '0001-01-01',
  '1582-10-15',
  '1753-01-01',
  '1899-12-31',
  '1969-12-31',
  '1970-01-01',
  '2000-02-29',
  '9999-12-31',
];
const TIMES = ['00:00:00.000000', '23:59:59.999999', '00:00:00.000001', '12:00:00.500000'];
const FLOATS = [0, -1.5, 0.1, 1e308, 5e-324, -2.2250738585072014e-308, 123456789.12345679, 1e21, 9007199254740991];
const GUIDS = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];

function edgeMaker(type: SqlType): (n: number) => Value {
  const from =
    <T extends Value>(list: readonly T[]) =>
    (n: number) =>
      list[n % list.length]!;
  switch (type.kind) {
    case 'bit':
      return (n) => n % 2 === 0;
    case 'int':
      return from([0, -1, 2147483647, -2147483648]);
    case 'smallint':
      return from([0, -1, 32767, -32768]);
    case 'tinyint':
      return from([0, 255, 128]);
    case 'bigint':
      return from([0n, -1n, 9223372036854775807n, -9223372036854775808n, 9007199254740993n]);
    case 'float':
      return from(FLOATS);
    case 'decimal': {
      const nines = '9'.repeat(type.precision);
      const list = ['0', '1', nines, nines, '1'].map((digits, i) => decimalText(digits, type.scale, i >= 3));
      return from(list);
    }
    case 'date':
      return from(DATES);
    case 'datetime':
      return (n) => `${DATES[n % DATES.length]}T${TIMES[(n >>> 3) % TIMES.length]}Z`;
    case 'time':
      return from(TIMES);
    case 'binary':
      return (n) => (n % 3 === 0 ? '' : n % 3 === 1 ? 'AA==' : Buffer.alloc(3000, n & 255).toString('base64'));
    case 'guid':
      return from(GUIDS);
    case 'text':
      return (n) => edgeText(n, type.length, type.fixed);
    case 'rowversion':
      return (n) => String(n);
  }
}

/** Turns values made for the old type of a widened column into the new type's form; null when they are the same. */
function widener(from: SqlType, to: SqlType): ((value: Value) => Value) | null {
  if (from === to) return null;
  if (from.kind === 'decimal' && to.kind === 'decimal') {
    const zeros = '0'.repeat(Math.max(0, to.scale - from.scale));
    return (value) =>
      typeof value !== 'string' || zeros === '' ? value : value.includes('.') ? value + zeros : `${value}.${zeros}`;
  }
  if (to.kind === 'bigint') return (value) => (typeof value === 'number' ? BigInt(value) : value);
  if (to.kind === 'decimal') {
    return (value) =>
      typeof value === 'number' ? decimalText(`${Math.abs(value)}${'0'.repeat(to.scale)}`, to.scale, value < 0) : value;
  }
  return null;
}

function bytesOf(h: number, n: number): Buffer {
  const bytes = Buffer.alloc(h % 48);
  for (let i = 0; i < bytes.length; i++) bytes[i] = mix(h + n, i) & 255;
  return bytes;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

function hex32(value: number): string {
  return HEX[value >>> 24]! + HEX[(value >>> 16) & 255] + HEX[(value >>> 8) & 255] + HEX[value & 255];
}

function plainGuid(h: number, n: number): string {
  const b = mix(h, n + 1);
  const c = mix(h, n + 2);
  return `${hex32(mix(h, n))}-${HEX[b >>> 24]}${HEX[(b >>> 16) & 255]}-4${HEX[b & 255]}0-8${HEX[c >>> 24]}1-${
    HEX[(c >>> 8) & 255]
  }${HEX[c & 255]}${hex32(h)}`;
}

/** Keys of tables that are not served: what references to them hold. */
const ELSEWHERE = Array.from({ length: 1024 }, (_, i) => plainGuid(mix(i, 12345), i));

const DATE_CACHE = new Map<number, string>();

/** `YYYY-MM-DD` of a day since 1970. */
function dateText(day: number): string {
  let text = DATE_CACHE.get(day);
  if (text === undefined) {
    text = new Date(day * 86_400_000).toISOString().slice(0, 10);
    DATE_CACHE.set(day, text);
  }
  return text;
}

function clockText(second: number): string {
  const two = (n: number) => (n < 10 ? `0${n}` : String(n));
  return `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
}
