/** Why DuckDB could not work: its errors tell that in words alone. */
import { TablevaultError } from '../core/errors.ts';

/** What is short where DuckDB keeps files, or undefined when the error is about something else. */
export type Shortage = 'disk' | 'memory' | 'rights';

const SHORTAGES: readonly (readonly [Shortage, RegExp])[] = [
  ['disk', /no space left|disk full|could not write|max_temp_directory_size/i],
  ['rights', /permission denied|read-only|cannot open file/i],
  ['memory', /^out of memory/i],
];

/** DuckDB's message in one line, without its advice. */
export function duckDbMessage(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.split('\n')[0]?.slice(0, 300) ?? '';
}

export function shortageOf(thrown: unknown): Shortage | undefined {
  // A path in the message may hold any words.
  const message = duckDbMessage(thrown).replaceAll(/"[^"]*"|'[^']*'/g, '');
  return SHORTAGES.find(([, pattern]) => pattern.test(message))?.[0];
}

/**
 * A shortage as an error of the destination; undefined when the error is about something else.
 * @param what what could not be done, as the beginning of the message: `the rows could not be checked`
 */
export function shortageError(
  thrown: unknown,
  what: string,
  at: Readonly<Record<string, string>>,
): TablevaultError | undefined {
  const details = { at, cause: thrown };
  switch (shortageOf(thrown)) {
    case undefined:
      return undefined;
    case 'disk':
      return new TablevaultError('DESTINATION_FULL', `${what}: the disk of the temporary folder is full`, {
        ...details,
        hint: 'Free space, or point TMPDIR at a larger disk.',
      });
    case 'memory':
      return new TablevaultError('DESTINATION_FULL', `${what}: ${duckDbMessage(thrown)}`, {
        ...details,
        hint: 'Give the command more memory, or point TMPDIR at a larger disk: what does not fit into memory goes there.',
      });
    case 'rights':
      return new TablevaultError('DESTINATION_DENIED', `${what}: the temporary folder may not be written`, {
        ...details,
        hint: 'Check that the folder exists and may be written, or point TMPDIR at another.',
      });
  }
}
