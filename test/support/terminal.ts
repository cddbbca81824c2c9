/** A terminal in memory: keeps a screen of what is written, wraps long lines, and wraps them anew when it is resized. */
import { Writable } from 'node:stream';
import { widthOf } from '../../src/cli/text.ts';

export interface Terminal {
  /** In place of standard output or error. */
  readonly stream: NodeJS.WriteStream;
  /** The rows as one sees them, without colour, up to the last that holds anything. */
  rows(): readonly string[];
  /** Everything that was written, with its control sequences. */
  written(): string;
  resize(columns: number): void;
}

interface Row {
  readonly text: string;
  /** Does the line go on in the next row? */
  readonly wraps: boolean;
}

const EMPTY: Row = { text: '', wraps: false };

// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal is about control characters
const TOKEN = /\u001b\[([?\d;]*)([A-Za-z])|[^\u001b]/gu;

export function memoryTerminal(columns: number, { rows: height = 40, colours = false } = {}): Terminal {
  let raw = '';
  let width = columns;
  let rows: Row[] = [EMPTY];
  let cursor = { row: 0, column: 0 };

  const set = (index: number, row: Row) => {
    while (rows.length <= index) rows.push(EMPTY);
    rows[index] = row;
  };
  const down = () => {
    cursor = { row: cursor.row + 1, column: 0 };
    set(cursor.row, rows[cursor.row] ?? EMPTY);
  };
  const put = (character: string) => {
    const { text } = rows[cursor.row] ?? EMPTY;
    if (widthOf(text.slice(0, cursor.column) + character) > width) {
      set(cursor.row, { text, wraps: true });
      down();
      return put(character);
    }
    set(cursor.row, { text: text.slice(0, cursor.column) + character + text.slice(cursor.column + 1), wraps: false });
    cursor = { ...cursor, column: cursor.column + character.length };
  };
  const control = (parameter: string, command: string) => {
    if (command === 'A') cursor = { ...cursor, row: Math.max(0, cursor.row - Number(parameter)) };
    else if (command === 'K' && parameter === '2') set(cursor.row, EMPTY);
    else if (command !== 'm' && !parameter.startsWith('?'))
      throw new Error(`the terminal of the tests does not know ESC [ ${parameter} ${command}`);
  };
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, done) => {
      raw += String(chunk);
      for (const [token, parameter = '', command] of String(chunk).matchAll(TOKEN)) {
        if (command !== undefined) control(parameter, command);
        else if (token === '\n') down();
        else if (token === '\r') cursor = { ...cursor, column: 0 };
        else put(token);
      }
      done();
    },
  });
  const size = { isTTY: true, columns, rows: height };
  // Node's rules: FORCE_COLOR wins, and NO_COLOR counts also when it is empty.
  const hasColors = (env: Readonly<Record<string, string | undefined>> = {}) =>
    env['FORCE_COLOR'] !== undefined || (colours && env['NO_COLOR'] === undefined);
  return {
    stream: Object.assign(stream, size, { hasColors }) as unknown as NodeJS.WriteStream,
    rows: () => {
      const seen = rows.map(({ text }) => text.trimEnd());
      return seen.slice(0, seen.findLastIndex((row) => row !== '') + 1);
    },
    written: () => raw,
    resize: (to) => {
      const fromEnd = rows.length - cursor.row;
      width = to;
      Object.assign(stream, { columns: to });
      rows = linesOf(rows).flatMap((line) => wrapped(line, to));
      cursor = { ...cursor, row: rows.length - fromEnd };
    },
  };
}

function linesOf(rows: readonly Row[]): string[] {
  const lines: string[] = [];
  let line = '';
  for (const { text, wraps } of rows) {
    line += text;
    if (wraps) continue;
    lines.push(line);
    line = '';
  }
  return lines;
}

function wrapped(line: string, width: number): Row[] {
  const rows: Row[] = [];
  let text = '';
  for (const character of line) {
    if (widthOf(text + character) > width) {
      rows.push({ text, wraps: true });
      text = '';
    }
    text += character;
  }
  return [...rows, { text, wraps: false }];
}
