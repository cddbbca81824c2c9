/** Text in the cells of a terminal: how wide it is, where it is cut, where it is wrapped. Pure. */
import measure from 'fast-string-truncated-width';

/** Format characters that take no cell; the library counts one for each. */
const INVISIBLE = /[\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+/g;

/** Cells of one line; colour takes none. */
export function widthOf(text: string): number {
  return measure(text.replaceAll(INVISIBLE, '')).width;
}

/** The text in at most `cells` cells; where something is missing at its end stands `…`. */
export function cutEnd(text: string, cells: number): string {
  return widthOf(text) <= cells ? text : `${startOf(charactersOf(text), cells - 1)}…`;
}

/** The same with `…` in the middle: names that begin alike differ at their ends. */
export function cutMiddle(text: string, cells: number): string {
  if (widthOf(text) <= cells) return text;
  const characters = charactersOf(text);
  const tail = startOf(characters.toReversed(), Math.floor((cells - 1) / 2), 'backwards');
  return `${startOf(characters, cells - 1 - widthOf(tail))}…${tail}`;
}

/** As many characters as fit. The library's own index of the cut is wrong where Latin follows another script, so it is not used. */
function startOf(characters: readonly string[], cells: number, direction?: 'backwards'): string {
  const taken: string[] = [];
  let used = 0;
  for (const character of characters) {
    used += widthOf(character);
    if (used > cells) break;
    taken.push(character);
  }
  return (direction === undefined ? taken : taken.toReversed()).join('');
}

let segmenter: Intl.Segmenter | undefined;

/** What a reader takes for one character: an emoji of several code points, a letter with its accents. */
function charactersOf(text: string): readonly string[] {
  // Making one takes several milliseconds, and most of what is cut is ASCII.
  if (/^[\x20-\x7e]*$/.test(text)) return [...text];
  segmenter ??= new Intl.Segmenter();
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

export interface Wrap {
  /** Spaces before the second and later lines; default those that the line itself begins with. */
  readonly indent?: number;
  /** Break words that are longer than a line; else they stand whole on a line of their own, so that they can be copied. */
  readonly hard?: boolean;
}

/** The lines of a text, wrapped between words to `cells`; undefined wraps nothing. */
export function wrap(text: string, cells: number | undefined, options: Wrap = {}): string[] {
  return text.split('\n').flatMap((line) => (cells === undefined ? [line] : wrapLine(line, cells, options)));
}

function wrapLine(line: string, cells: number, { indent, hard = false }: Wrap): string[] {
  if (widthOf(line) <= cells) return [line];
  const text = line.replace(/^ +/, '');
  const lead = ' '.repeat(Math.min(line.length - text.length, Math.floor(cells / 2)));
  const margin = indent === undefined ? lead : ' '.repeat(indent);
  const room = Math.max(1, cells - Math.max(lead.length, margin.length));
  const words = wordsOf(text, room);
  const lines: string[] = [];
  let current = '';
  for (const word of hard ? words.flatMap((each) => piecesOf(each, room)) : words) {
    const longer = current === '' ? word : `${current} ${word}`;
    const start = lines.length === 0 ? lead : margin;
    if (current !== '' && start.length + widthOf(longer) > cells) {
      lines.push(start + current);
      current = word;
    } else current = longer;
  }
  lines.push((lines.length === 0 ? lead : margin) + current);
  return lines.map((each) => each.trimEnd());
}

/** A number stays with the word after it, `3 tables`, where that fits a line. */
function wordsOf(text: string, room: number): string[] {
  return text.split(/(?<!\d) /).flatMap((word) => (widthOf(word) <= room ? [word] : word.split(' ')));
}

function piecesOf(word: string, room: number): string[] {
  if (widthOf(word) <= room) return [word];
  const pieces: string[] = [];
  let piece = '';
  let used = 0;
  for (const character of charactersOf(word)) {
    const width = widthOf(character);
    if (used + width > room && piece !== '') {
      pieces.push(piece);
      [piece, used] = ['', 0];
    }
    piece += character;
    used += width;
  }
  return [...pieces, piece];
}

/** Cells of the longest word. */
export function widestWord(text: string): number {
  return text.split(/\s/).reduce((widest, word) => Math.max(widest, widthOf(word)), 0);
}

/** Terminal control sequences and other control characters taken out: what a server says must not drive a terminal. */
export function plainText(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
