/**
 * Standard error as a screen: lines that stay, and below them one live block that is redrawn in place. Everything written here
 * passes the redactor. Without a terminal the live block does not exist.
 */
import type { Redactor } from './redact.ts';
import { cutEnd, widthOf, wrap } from './text.ts';
import { labelled, type View, viewOf } from './view.ts';

export interface Screen extends View {
  readonly isTerminal: boolean;
  /** A message that stays, above the live block: wrapped at a terminal, its label (`error:`, `warning:`) in colour. */
  line(text: string): void;
  /** A line that stays as it is, for machines. */
  verbatim(text: string): void;
  /** Replaces the live block. Lines that are wider than the terminal are cut. */
  live(lines: readonly string[]): void;
  /** Removes the live block. */
  clear(): void;
}

/** Terminals that know synchronized output show what stands between at once; others ignore it. */
const BEGIN_UPDATE = '\u001b[?2026h';
const END_UPDATE = '\u001b[?2026l';

export function createScreen(
  stream: NodeJS.WriteStream,
  redactor: Redactor,
  env: Readonly<Record<string, string | undefined>>,
): Screen {
  const view = viewOf(stream, env, 'messages', redactor);
  // A pseudo-terminal may have no size (0 × 0): nothing can be drawn on it.
  const isTerminal = stream.isTTY === true && stream.columns !== 0 && stream.rows !== 0;
  /** The block that stands below all lines. */
  let drawn: readonly string[] = [];

  /** Takes the block away, if there is one, writes the text that stays, then a block. One write, shown at once: nothing flickers. */
  const render = (staying: string, block: readonly string[]) => {
    const { columns, rows } = stream;
    const erase = drawn.length === 0 ? '' : eraseRows(rowsOf(drawn, columns));
    // What is wider or higher than the terminal cannot be taken away again.
    const lines = block.slice(0, Math.max(1, rows - 1)).map((line) => cutEnd(line, columns));
    const text = erase + staying + lines.map((line) => `${line}\n`).join('');
    const redrawn = drawn.length > 0 || lines.length > 0;
    drawn = lines;
    if (text !== '') stream.write(redrawn ? BEGIN_UPDATE + text + END_UPDATE : text);
  };
  const stay = (text: string) => render(`${text}\n`, drawn);
  return {
    ...view,
    isTerminal,
    line: (text) => stay(labelled(wrap(redactor.redact(text), view.width()).join('\n'), view)),
    verbatim: (text) => stay(redactor.redact(text)),
    live: (lines) => {
      if (isTerminal) render('', redactor.redact(lines.join('\n')).split('\n'));
    },
    clear: () => render('', []),
  };
}

/** Rows that the lines take by now: a terminal that became narrower has wrapped what it shows. */
function rowsOf(lines: readonly string[], columns: number): number {
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
}

/** From the line below them: up, row by row. (tmux keeps what "erase downwards" removes from the top of the screen in its history.) */
function eraseRows(rows: number): string {
  return `${'\u001b[1A\u001b[2K'.repeat(rows)}\r`;
}
