/** Floating point from the text of a JSON number: the nearest value of the type, or none. */

/** Digits that are compared one by one; half-way points between singles have fewer than 200, further digits only tell "more". */
const COMPARED_DIGITS = 800;
/** What lies above the greatest single, as rounding sees it. */
const BEYOND_SINGLES = 2 ** 128;

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The nearest double; undefined where that is an infinity, or a zero and the number is not. */
export function doubleOf(text: string): number | undefined {
  const value = Number(text);
  return fits(value, text) ? value : undefined;
}

/** The nearest single; undefined where that is an infinity, or a zero and the number is not. */
export function singleOf(text: string): number | undefined {
  const double = Number(text);
  const rounded = nearestSingle(text, Math.abs(double));
  const value = text.startsWith('-') ? -rounded : rounded;
  return fits(value, text) ? value : undefined;
}

function fits(value: number, text: string): boolean {
  return Number.isFinite(value) && (value !== 0 || !/[1-9]/.test(text.split(/[eE]/, 1)[0]!));
}

/**
 * The single nearest to a number without its sign, of which the nearest double is known. Rounding to a double and then to a single errs in
 * one case: where the double lies half-way between two singles, and the number does not.
 */
function nearestSingle(text: string, double: number): number {
  const single = Math.fround(double);
  if (single === double || !Number.isFinite(double)) return single;
  const other = double > single ? singleAfter(single, 1) : singleAfter(single, -1);
  const [low, high] = single < other ? [single, other] : [other, single];
  if ((low + (high === Number.POSITIVE_INFINITY ? BEYOND_SINGLES : high)) / 2 !== double) return single;
  const order = compare(text, double);
  return order === 0 ? single : order < 0 ? low : high;
}

const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/** The neighbour of a single that is not negative, or of infinity. */
function singleAfter(value: number, step: 1 | -1): number {
  single[0] = value;
  singleBits[0]! += step;
  return single[0]!;
}

const double = new Float64Array(1);
const doubleBits = new BigUint64Array(double.buffer);

/** Is the number of a text, without its sign, less than a double, equal to it, or more? Exact. */
function compare(text: string, value: number): number {
  const [, whole = '', fraction = '', exponent = '0'] = PARTS.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const kept = digits.slice(0, COMPARED_DIGITS);
  const more = /[1-9]/.test(digits.slice(COMPARED_DIGITS));
  const ten = Number(exponent) - fraction.length + (digits.length - kept.length);
  double[0] = value;
  const biased = Number((doubleBits[0]! >> 52n) & 0x7ffn);
  const mantissa = (doubleBits[0]! & 0xfffffffffffffn) | (biased === 0 ? 0n : 1n << 52n);
  const two = Math.max(biased, 1) - 1075;
  const left = BigInt(kept) * 10n ** BigInt(Math.max(ten, 0)) * 2n ** BigInt(Math.max(-two, 0));
  const right = mantissa * 2n ** BigInt(Math.max(two, 0)) * 10n ** BigInt(Math.max(-ten, 0));
  if (left === right) return more ? 1 : 0;
  return left < right ? -1 : 1;
}
