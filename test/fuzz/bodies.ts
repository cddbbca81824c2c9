/** Made-up tables, and bodies for them in every spelling that JSON has; some values do not fit, some properties are missing or come twice. */
import type { Column, ColumnType } from '../../src/core/schema.ts';
import { column } from '../support/decode.ts';
import type { Random } from '../torture/lib/random.ts';

const NAMES = [
  'Id',
  'A',
  'Name',
  'Имя',
  'a "b"',
  '__proto__',
  'constructor',
  'message',
  'code',
  'type',
  'error',
  'value',
  '😀',
  'x\\y',
  'Z',
  'B2',
];
const KINDS: readonly ColumnType['kind'][] = [
  'boolean',
  'int8',
  'uint8',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'decimal',
  'decimalText',
  'guid',
  'text',
  'binary',
  'timestamp',
  'date',
  'time',
  'json',
];

export function makeColumns(random: Random): Column[] {
  const count = 1 + random.below(8);
  const names = shuffled(NAMES, random).slice(0, count);
  return names.map((name) => column(name, makeType(random), random.chance(0.7)));
}

function makeType(random: Random): ColumnType {
  const kind = random.pick(KINDS);
  if (kind !== 'decimal') return { kind } as ColumnType;
  const precision = 1 + random.below(38);
  return { kind, precision, scale: random.below(precision + 1) };
}

export function makeBody(columns: readonly Column[], absentIsNull: boolean, random: Random): string {
  /** How often something is odd in this body; most bodies are sound. */
  const odd = random.chance(0.5) ? 0 : random.pick([0.002, 0.02]);
  const spaced = random.chance(0.4);
  const space = () => (spaced && random.chance(0.3) ? random.pick([' ', '\n', '\t', '\r', '\r\n  ']) : '');
  const usual = shuffled(columns, random);
  const member = (name: string, value: string) =>
    `${space()}${spellString(name, random, 0.02)}${space()}:${space()}${value}${space()}`;
  /** Columns whose nulls are left out: then none is written. */
  const omitted = new Set(absentIsNull ? columns.filter(({ nullable }) => nullable && random.chance(0.5)) : []);
  const row = () => {
    const order = random.chance(0.2) ? shuffled(columns, random) : usual;
    const members = order.flatMap((each) => {
      if ((omitted.has(each) && random.chance(0.3)) || random.chance(odd)) return [];
      const text = member(each.name, spellValue(omitted.has(each) ? { ...each, nullable: false } : each, random, odd));
      return random.chance(odd) ? [text, member(each.name, spellValue(each, random, odd))] : [text];
    });
    if (random.chance(0.1))
      members.splice(
        random.below(members.length + 1),
        0,
        member(random.pick(['@odata.etag', 'Extra', '\ufeffId', 'Id ']), anyJson(random, 2)),
      );
    return `{${members.join(',') || space()}}`;
  };
  const rows = Array.from({ length: random.below(20) }, row);
  const around = [
    ['@odata.context', '"c"'],
    ['@odata.nextLink', random.pick(['"T?x"', 'null', '""', random.chance(odd) ? '5' : '"T?x"'])],
    ['@nextLink', '"T?x"'],
    ['@count', random.pick(['5', '"5"', 'null', '5.0', random.chance(odd) ? '-5' : '5'])],
    ['Other', anyJson(random, 2)],
    ['error', '{"message":"m"}'],
  ] as const;
  const members = around
    .filter(([name]) => random.chance(name === 'error' ? odd : 0.2))
    .map(([name, value]) => member(name, value));
  members.splice(
    random.below(members.length + 1),
    0,
    `${space()}"value"${space()}:${space()}[${space()}${rows.join(`${space()},${space()}`)}${space()}]${space()}`,
  );
  return `${random.chance(0.1) ? '\ufeff' : ''}${space()}{${members.join(',')}}${space()}`;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0]!);
}

const SIMPLE: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** A JSON string of a text, some of its characters as escapes. */
function spellString(text: string, random: Random, escapes: number): string {
  let json = '"';
  for (let i = 0; i < text.length; i++) {
    const unit = text[i]!;
    const must = unit < ' ' || unit === '"' || unit === '\\' || /\p{Surrogate}/u.test(unit);
    const whole = String.fromCodePoint(text.codePointAt(i)!);
    if (must || random.chance(escapes)) {
      const pair = whole.length === 2 && random.chance(0.5);
      if (pair) {
        json += whole;
        i++;
      } else {
        const hex = unit.charCodeAt(0).toString(16).padStart(4, '0');
        const long = `\\u${random.chance(0.5) ? hex : hex.toUpperCase()}`;
        json += SIMPLE[unit] !== undefined && random.chance(0.5) ? SIMPLE[unit] : long;
      }
    } else json += unit;
  }
  return `${json}"`;
}

function spellValue({ type, nullable }: Column, random: Random, odd: number): string {
  if (random.chance(nullable ? 0.15 : odd)) return 'null';
  if (random.chance(odd)) return anyJson(random, 1);
  const content = contentOf(type, random, odd);
  const quotes = stringKind(type.kind) || (numberKind(type.kind) && (random.chance(0.2) || /[NI]/.test(content)));
  if (type.kind === 'json') return random.chance(0.5) ? anyJson(random, 3) : spellString(content, random, 0.1);
  return quotes ? spellString(content, random, random.chance(0.2) ? 0.5 : 0) : content;
}

const stringKind = (kind: ColumnType['kind']) => ['guid', 'text', 'binary', 'timestamp', 'date', 'time'].includes(kind);
const numberKind = (kind: ColumnType['kind']) => !stringKind(kind) && kind !== 'boolean' && kind !== 'json';

function contentOf(type: ColumnType, random: Random, odd: number): string {
  switch (type.kind) {
    case 'boolean':
      return random.pick(['true', 'false']);
    case 'int8':
      return integer(7, random, odd);
    case 'uint8':
      return String(random.below(random.chance(odd) ? 300 : 256));
    case 'int16':
      return integer(15, random, odd);
    case 'int32':
      return integer(31, random, odd);
    case 'int64':
      return integer(63, random, odd);
    case 'decimal':
      return decimal(type.precision, type.scale, random);
    case 'decimalText':
      return anyNumber(random);
    case 'float32':
    case 'float64':
      return float(type.kind === 'float32', random, odd);
    case 'guid':
      return guid(random);
    case 'text':
    case 'json':
      return anyText(random, odd);
    case 'binary': {
      const text = Buffer.from(random.bytes(random.below(30))).toString(random.chance(0.5) ? 'base64' : 'base64url');
      return random.chance(0.2) ? text.replaceAll('=', '') : text;
    }
    case 'timestamp':
      return `${date(random)}T${clock(random, odd)}${random.chance(0.6) ? 'Z' : offset(random)}`;
    case 'date':
      return random.chance(0.8)
        ? date(random)
        : `${date(random)}T00:00:00${random.pick(['', '.0', '.000'])}${random.pick(['Z', '+00:00', '-00:00'])}`;
    case 'time':
      return clock(random, odd);
  }
}

function integer(bits: number, random: Random, odd: number): string {
  const bound = 2n ** BigInt(bits);
  const drawn = BigInt.asUintN(64, BigInt(random.below(2 ** 32)) * 2n ** 32n + BigInt(random.below(2 ** 32)));
  const value = random.chance(0.2) ? random.pick([bound - 1n, -bound, 0n, -1n]) : (drawn % (2n * bound)) - bound;
  return respelled(random.chance(odd) ? value * 3n : value, 0, random);
}

function decimal(precision: number, scale: number, random: Random): string {
  const digits = Array.from({ length: 1 + random.below(precision) }, () => random.below(10)).join('');
  return respelled(BigInt(random.chance(0.5) ? digits : `-${digits}`), scale, random);
}

/** The number unscaled × 10^-scale in some of its spellings. */
function respelled(unscaled: bigint, scale: number, random: Random): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled);
  const sign = unscaled < 0n ? '-' : '';
  const padded = digits.padStart(scale + 1, '0');
  const plain = `${sign}${padded.slice(0, padded.length - scale)}${scale === 0 ? '' : `.${padded.slice(padded.length - scale)}`}`;
  switch (random.below(6)) {
    case 0:
      return scale === 0 ? `${plain}.0` : `${plain}00`;
    case 1:
      return `${sign}${digits}${random.pick(['e', 'E'])}${scale === 0 ? random.pick(['+0', '0', '-0']) : -scale}`;
    case 2:
      return digits.length > 1 ? `${sign}${digits[0]}.${digits.slice(1)}e${digits.length - 1 - scale}` : plain;
    default:
      return plain;
  }
}

function float(single: boolean, random: Random, odd: number): string {
  if (random.chance(odd))
    return random.pick(['1e400', '-1e400', '1e-400', '1e39', '1e-50', 'Infinity', 'toString', '1.', '+1']);
  if (random.chance(0.1))
    return random.pick([
      'NaN',
      'INF',
      '-INF',
      '-0.0',
      '0',
      '0e5',
      '-0e-400',
      '5e-324',
      '1.7976931348623157e308',
      '3.4028234663852886e38',
      '1e-45',
    ]);
  const bytes = new DataView(random.bytes(8).buffer);
  const value = single ? bytes.getFloat32(0) : bytes.getFloat64(0);
  if (!Number.isFinite(value)) return '0.1';
  if (!single || random.chance(0.5)) return String(value);
  // Half-way between two singles, just below and just above.
  const after = new DataView(new ArrayBuffer(4));
  after.setUint32(0, bytes.getUint32(0) + 1);
  const half = (value + after.getFloat32(0)) / 2;
  if (!Number.isFinite(half)) return String(value);
  const text = half.toPrecision(60);
  return random.pick([
    text,
    text.includes('e') ? text.replace('e', '00000001e') : `${text}${text.includes('.') ? '' : '.'}0001`,
    String(half),
  ]);
}

const anyNumber = (random: Random) => respelled(BigInt(random.below(2 ** 32) - 2 ** 31), random.below(12), random);

function guid(random: Random): string {
  const hex = Buffer.from(random.bytes(16)).toString('hex');
  const text = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  return random.chance(0.3) ? text.toUpperCase() : text;
}

const TEXTS = [
  '',
  'a',
  'twelve bytes',
  'thirteen bytes',
  'текст на български',
  '😀',
  '"',
  '"x"',
  '\\',
  '\u0000',
  'a\nb',
  '</x>',
  '\u2028',
  '"\\ud800"',
  ' ',
];

function anyText(random: Random, odd: number): string {
  if (random.chance(odd)) return random.pick(['\ud800', 'x\udc00', '\udc00\ud800']);
  const count = random.below(4);
  return Array.from({ length: count }, () => random.pick(TEXTS)).join('');
}

function date(random: Random): string {
  const days = random.chance(0.1) ? random.pick([-719162, 2932896, 0, 11016]) : random.below(3_652_059) - 719_162;
  return new Date(days * 86_400_000).toISOString().slice(0, 10);
}

function clock(random: Random, odd: number): string {
  const two = (most: number) => String(random.below(most)).padStart(2, '0');
  const minutes = `${two(random.chance(odd) ? 26 : 24)}:${two(60)}`;
  if (random.chance(0.1)) return minutes;
  const digits = Array.from({ length: random.below(7) }, () => random.below(10)).join('');
  const fraction = random.chance(odd)
    ? `.${digits.padEnd(6, '0')}1`
    : digits === ''
      ? ''
      : `.${digits}${random.chance(0.3) ? '0000000'.slice(digits.length) : ''}`;
  return `${minutes}:${two(60)}${fraction}`;
}

function offset(random: Random): string {
  return `${random.pick(['+', '-'])}${String(random.below(15)).padStart(2, '0')}:${random.pick(['00', '30', '45'])}`;
}

function anyJson(random: Random, depth: number): string {
  const space = random.chance(0.2) ? ' ' : '';
  switch (random.below(depth > 0 ? 7 : 5)) {
    case 0:
      return random.pick(['true', 'false']);
    case 1:
      return anyNumber(random);
    case 2:
      return spellString(anyText(random, 0.1), random, 0.1);
    case 3:
      return '-0.0e+10';
    case 4:
      return 'null';
    case 5:
      return `[${space}${Array.from({ length: random.below(3) }, () => anyJson(random, depth - 1)).join(`${space},`)}${space}]`;
    default:
      return `{${space}${Array.from({ length: random.below(3) }, () => `${spellString(random.pick(['a', 'error', '"']), random, 0.1)}${space}:${anyJson(random, depth - 1)}`).join(',')}${space}}`;
  }
}
