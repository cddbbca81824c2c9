/** Bodies broken in small ways: bytes changed, lost, doubled or put in, cuts anywhere. */
import type { Random } from '../torture/lib/random.ts';

/** What hurts most where it is put in. */
const TOKENS = [
  ',',
  '"',
  ':',
  '{',
  '}',
  '[',
  ']',
  '\\',
  '\\u',
  '\\ud800',
  '\\/',
  'null',
  'nul',
  'true',
  '0',
  '-',
  '.',
  'e',
  '1e400',
  ' ',
  '\u0000',
  '\u001f',
  '\u00a0',
  '\ufeff',
  '{"error":{"message":"m"}},',
  '"error":1,',
  '"value":[],',
  '/**/',
  'NaN',
  '+',
  "'",
  '\n',
].map((token) => Buffer.from(token));

export function mutated(body: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(body);
  for (let count = 1 + random.below(2); count > 0; count--) {
    const at = random.below(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + random.below(random.chance(0.8) ? 3 : 60));
    const before = bytes.subarray(0, at);
    switch (random.below(6)) {
      case 0:
        bytes = Buffer.concat([before, random.bytes(1), bytes.subarray(at + 1)]);
        break;
      case 1:
        bytes = Buffer.concat([before, bytes.subarray(to)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([before, random.pick(TOKENS), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.from(before);
        break;
      default:
        bytes = Buffer.concat([
          before,
          Buffer.from([(bytes[at] ?? 0) ^ (1 << random.below(8))]),
          bytes.subarray(at + 1),
        ]);
    }
  }
  return bytes;
}

/** Places to cut a body at, into chunks. */
export function cutsOf(length: number, random: Random): number[] {
  if (random.chance(0.05)) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: random.below(6) }, () => random.below(length + 1));
}
