/** Texts in which characters are escaped, read as what they say, with the place of every character in the original. */

export interface ReadText {
  readonly text: string;
  /** For each UTF-16 unit of `text`, where it begins in the original; one more for the end. Undefined: where it stands in `text`. */
  readonly starts: Uint32Array | undefined;
}

interface Escape {
  readonly pattern: RegExp;
  /** What a match says, each piece with the length of its own spelling. */
  readonly read: (match: string) => readonly (readonly [says: string, length: number])[];
}

const HTML_NAMES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const JSON_LETTERS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** The three ways in which servers and libraries escape characters. Hexadecimal digits count in either case. */
const ESCAPES: readonly Escape[] = [
  { pattern: /(?:%[0-9a-f]{2})+/gi, read: percentRun },
  {
    pattern: /\\(?:u[0-9a-f]{4}|["'\\/bfnrt])/gi,
    read: (match) => {
      const letter = match[1]!;
      const says = letter === 'u' && match.length > 2 ? unit(match.slice(2), 16) : (JSON_LETTERS[letter] ?? letter);
      return [[says, match.length]];
    },
  },
  {
    pattern: /&(?:#x[0-9a-f]{1,6}|#\d{1,7}|amp|lt|gt|quot|apos);/gi,
    read: (match) => {
      const name = match.slice(1, -1).toLowerCase();
      if (!name.startsWith('#')) return [[HTML_NAMES[name] ?? match, match.length]];
      return [[name[1] === 'x' ? unit(name.slice(2), 16) : unit(name.slice(1), 10), match.length]];
    },
  },
];

const unit = (digits: string, radix: number): string => {
  const code = Number.parseInt(digits, radix);
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : '\ufffd';
};

/** Percent-encoded bytes as UTF-8, character by character; bytes that are none stay apart from those that are. */
function percentRun(match: string): readonly (readonly [string, number])[] {
  const bytes = Buffer.from(match.replaceAll('%', ''), 'hex');
  const pieces: [string, number][] = [];
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at]!;
    const length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    const says = bytes.toString('utf8', at, at + length);
    const whole = [...says].length === 1 && at + length <= bytes.length && !says.startsWith('\ufffd');
    pieces.push(whole ? [says, length * 3] : ['\ufffd', 3]);
    at += whole ? length : 1;
  }
  return pieces;
}

/** The text with one kind of escapes read; undefined when it has none. */
function readOnce({ text, starts }: ReadText, { pattern, read }: Escape): ReadText | undefined {
  const at = (index: number) => starts?.[index] ?? index;
  // What is read is never longer than its spelling.
  let places: Uint32Array | undefined;
  const pieces: string[] = [];
  let length = 0;
  let end = 0;
  const keep = (into: Uint32Array, to: number) => {
    for (let index = end; index < to; index += 1) into[length++] = at(index);
    pieces.push(text.slice(end, to));
  };
  for (const match of text.matchAll(pattern)) {
    places ??= new Uint32Array(text.length + 1);
    keep(places, match.index);
    end = match.index;
    for (const [piece, spelt] of read(match[0])) {
      for (let index = 0; index < piece.length; index += 1) places[length++] = at(end);
      pieces.push(piece);
      end += spelt;
    }
  }
  if (places === undefined) return undefined;
  keep(places, text.length);
  places[length] = at(text.length);
  return { text: pieces.join(''), starts: places };
}

/**
 * Every reading of a text: as it stands, and with up to `depth` layers of percent-encoding (RFC 3986), JSON escapes and HTML entities taken
 * off, in any order. A text without escapes has one reading.
 */
export function* readings(text: string, depth: number): Generator<ReadText> {
  const seen = new Set<string>();
  let layer: ReadText[] = [{ text, starts: undefined }];
  for (let n = 0; layer.length > 0; n += 1) {
    const next: ReadText[] = [];
    for (const reading of layer) {
      if (seen.has(reading.text)) continue;
      seen.add(reading.text);
      yield reading;
      if (n === depth) continue;
      for (const kind of ESCAPES) {
        const read = readOnce(reading, kind);
        if (read !== undefined) next.push(read);
      }
    }
    layer = next;
  }
}
