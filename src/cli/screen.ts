/**
 * Standard error as a screen: lines that stay, and below them one live block that is redrawn in place. Everything written here
 * passes the redactor. Without a terminal the live block does not exist.
 */
import { createLogUpdate } from 'log-update';
import type { Redactor } from './redact.ts';

export interface Screen {
  readonly isTerminal: boolean;
  /** Columns of the terminal; 80 where there is none. */
  width(): number;
  /** A line that stays, above the live block. */
  line(text: string): void;
  /** Replaces the live block. */
  live(lines: readonly string[]): void;
  /** Removes the live block. */
  clear(): void;
}

export function createScreen(stream: NodeJS.WriteStream, redactor: Redactor): Screen {
  // A pseudo-terminal may have no size (0 × 0): nothing can be drawn on it.
  const isTerminal = stream.isTTY === true && stream.columns !== 0 && stream.rows !== 0;
  const update = createLogUpdate(stream, { showCursor: true });
  let block = '';
  return {
    isTerminal,
    width: () => stream.columns || 80,
    line: (text) => {
      if (block !== '') update.clear();
      stream.write(`${redactor.redact(text)}\n`);
      if (block !== '') update(block);
    },
    live: (lines) => {
      if (!isTerminal) return;
      block = redactor.redact(lines.join('\n'));
      update(block);
    },
    clear: () => {
      if (block !== '') update.clear();
      block = '';
    },
  };
}
