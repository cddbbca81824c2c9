/** Decimals as whole numbers at a scale. */
const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Digits of the longest number that a column can hold, and some. */
const MAX_DIGITS = 40;

/**
 * The whole number that stands for a JSON number's text at a scale: `1.25` at scale 3 is 1250. Exact, any spelling.
 * Undefined when the text is no JSON number, has digits beyond the scale that are not 0, or is too large for any type.
 */
export function decimalFromText(text: string, scale: number): bigint | undefined {
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '0', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return 0n;
  const shift = Number(exponent) - fraction.length + scale;
  // More digits than any type here has: not even looked at.
  if (digits.length + shift > MAX_DIGITS) return undefined;
  let unscaled: bigint;
  if (shift >= 0) {
    unscaled = BigInt(digits) * 10n ** BigInt(shift);
  } else {
    const kept = digits.slice(0, shift);
    if (/[1-9]/.test(digits.slice(shift)) || digits.length <= -shift) return undefined;
    unscaled = BigInt(kept);
  }
  return sign === '-' ? -unscaled : unscaled;
}

/** Writes a 128-bit two's complement number at `index`, low half first. */
export function store128(words: BigInt64Array, index: number, value: bigint): void {
  words[index * 2] = BigInt.asIntN(64, value);
  words[index * 2 + 1] = value >> 64n;
}

/** The 128-bit number at `index`. */
export function load128(words: BigInt64Array, index: number): bigint {
  return ((words[index * 2 + 1] ?? 0n) << 64n) | BigInt.asUintN(64, words[index * 2] ?? 0n);
}

/** The decimal text of a whole number at a scale, e.g. 1250 at scale 3 is `1.250`. */
export function decimalToText(unscaled: bigint, scale: number): string {
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return negative ? `-${text}` : text;
}
