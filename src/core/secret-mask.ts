/**
 * Takes secrets out of texts, in any form in which a server or a message may say them. Of every secret these spellings are masked:
 *
 * - as it is;
 * - with any of its characters percent-encoded (a space also as `+`), escaped as in JSON, or as in HTML: in either case of hexadecimal digits,
 *   and up to three of these one in another, such as JSON in JSON, or a URL in a page;
 * - as hexadecimal of its UTF-8 bytes, in either case;
 * - in base64 and base64url, alone or at any place of a longer text, such as HTTP Basic; there also percent-encoded or form-encoded first;
 * - the last two with escapes around them, too.
 */
import { readings } from './escapes.ts';

export interface SecretMask {
  /** From now on `value` is taken out, in every encoding. Values shorter than 4 characters are too common to be replaced. */
  add(value: string): void;
  /** The text with `[secret]` in place of every secret. */
  mask(text: string): string;
}

export const MASK = '[secret]';
const SHORTEST = 4;
/** Texts this short are found in base64 and hexadecimal digits of anything. */
const SHORTEST_DERIVED = 6;
/** Encodings one in another. */
const LAYERS = 3;

/** One text to look for. */
interface Form {
  readonly text: string;
  /** Base64: the digits beside it hold bits of the secret, up to so many before and after. */
  readonly beside?: { readonly before: number; readonly after: number };
}

type Range = [from: number, to: number];

export function createSecretMask(...values: readonly string[]): SecretMask {
  const forms = new Map<string, Form>();
  const hexadecimal = new Set<string>();
  const add = (value: string) => {
    if (value.length < SHORTEST) return;
    for (const form of secretForms(value)) forms.set(`${form.text} ${form.beside?.before ?? ''}`, form);
    const digits = Buffer.from(value).toString('hex');
    if (digits.length >= SHORTEST_DERIVED) hexadecimal.add(digits);
  };
  for (const value of values) add(value);

  function find(text: string): Range[] {
    const found: Range[] = [];
    for (const reading of readings(text, LAYERS)) {
      const at = (index: number) => reading.starts?.[index] ?? index;
      const plain = plus(reading.text);
      for (const form of forms.values()) {
        for (let from = plain.indexOf(form.text); from !== -1; from = plain.indexOf(form.text, from + 1)) {
          const [begin, end] = widened(plain, from, from + form.text.length, form.beside);
          found.push([at(begin), at(end)]);
        }
      }
      const lower = hexadecimal.size === 0 ? '' : lowerDigits(plain);
      for (const digits of hexadecimal) {
        for (let from = lower.indexOf(digits); from !== -1; from = lower.indexOf(digits, from + 1)) {
          found.push([at(from), at(from + digits.length)]);
        }
      }
    }
    return found;
  }
  return { add, mask: (text) => (forms.size === 0 ? text : replaced(text, find(text))) };
}

/** A space that is form-encoded is a plus: the two count as the same character. */
const plus = (text: string): string => text.replaceAll(' ', '+');

const lowerDigits = (text: string): string => text.replaceAll(/[A-F]/g, (digit) => digit.toLowerCase());

function widened(text: string, from: number, to: number, beside: Form['beside']): Range {
  const isDigit = (index: number) => /[\w+/=-]/.test(text[index] ?? ' ');
  let [begin, end] = [from, to];
  while (begin > 0 && from - begin < (beside?.before ?? 0) && isDigit(begin - 1)) begin -= 1;
  while (end < text.length && end - to < (beside?.after ?? 0) && isDigit(end)) end += 1;
  return [begin, end];
}

/** The text with each of the ranges masked; ranges that overlap are one. */
function replaced(text: string, ranges: Range[]): string {
  let shown = '';
  let done = 0;
  let current: Range | undefined;
  const flush = () => {
    if (current === undefined) return;
    shown += text.slice(done, current[0]) + MASK;
    done = current[1];
  };
  for (const range of ranges.sort(([a, b], [c, d]) => a - c || b - d)) {
    if (current !== undefined && range[0] < current[1]) {
      current[1] = Math.max(current[1], range[1]);
      continue;
    }
    flush();
    current = [...range];
  }
  flush();
  return shown + text.slice(done);
}

/** What to look for in the readings of a text: the secret, and its base64 as it stands alone and inside of a longer text. */
function secretForms(value: string): readonly Form[] {
  const inBase64 = [...percentForms(value)].flatMap((spelt) => base64Forms(Buffer.from(spelt, 'utf8')));
  return [{ text: plus(value) }, ...inBase64.filter(({ text }) => text.length >= SHORTEST_DERIVED)];
}

/** The spellings of a secret that clients put into base64: as it is, and percent-encoded as URLs and forms do (RFC 6749, section 2.3.1). */
function percentForms(value: string): ReadonlySet<string> {
  const url = encodeURIComponent(Buffer.from(value, 'utf8').toString('utf8'));
  const form = new URLSearchParams([['', value]]).toString().slice(1);
  const usual = [url, form, url.replaceAll(/[!'()*]/g, percent), url.replaceAll(/[-_.!~*'()]/g, percent)];
  const spaced = usual.flatMap((text) => [text, text.replaceAll('%20', '+')]);
  return new Set([value, ...spaced.flatMap((text) => [text, lowerEscapes(text)])]);
}

const percent = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
const lowerEscapes = (text: string): string => text.replaceAll(/%[0-9A-F]{2}/g, (found) => found.toLowerCase());

/** The digits that are the same wherever the bytes stand in a longer text; those at the edges hold bits of the neighbours too. */
function base64Forms(bytes: Buffer): readonly Form[] {
  return [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const rest = padded.length % 3;
    const digits = padded.subarray(0, padded.length - rest).toString('base64');
    const core = digits.slice(offset === 0 ? 0 : 4);
    const beside = { before: offset === 0 ? 0 : 4, after: rest === 0 ? 0 : 4 };
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')].map((text) => ({ text, beside }));
  });
}
