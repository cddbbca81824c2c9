/** Why DuckDB could not work: its errors tell that in words alone. */
import { TablevaultError } from '../core/errors.ts';

/** What this machine is short of, where DuckDB reads and keeps files, or undefined when the error is about something else. */
export type Shortage = 'disk' | 'memory' | 'rights' | 'machine';

/** What the system says of a call that failed (strerror). It ends the message; a path before it may hold any words, quotes too. */
const SYSTEM_REASONS: readonly (readonly [Shortage, RegExp])[] = [
  ['disk', /: (no space left on device|disk quota exceeded|file too large)$/i],
  ['memory', /: cannot allocate memory$/i],
  [
    'rights',
    /: (permission denied|operation not permitted|read-only file system|no such file or directory|not a directory)$/i,
  ],
];
/** Begins the words of DuckDB about a call of the system, and only those: other kinds of errors tell of statements and of contents. */
const SYSTEM_CALL = /^((IO|FATAL|TransactionContext) Error: )+(Failed to commit: )?(cannot|could not|failed to) /i;
/** DuckDB could read the file, and there was less than its own numbers say. */
const TOO_SHORT = /: attempted to read \d+ bytes from location \d+$/i;
const MEMORY = /^out of memory error: |\bstd::bad_alloc$|^invalid error: failed to allocate/i;

/** DuckDB's message in one line, without its advice. */
export function duckDbMessage(thrown: unknown): string {
  return firstLine(thrown).slice(0, 300);
}

function firstLine(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.split('\n')[0] ?? '';
}

export function shortageOf(thrown: unknown): Shortage | undefined {
  const message = firstLine(thrown);
  if (MEMORY.test(message)) return /max_temp_directory_size/i.test(message) ? 'disk' : 'memory';
  if (!SYSTEM_CALL.test(message) || TOO_SHORT.test(message)) return undefined;
  const [reason] = SYSTEM_REASONS.find(([, pattern]) => pattern.test(message)) ?? [];
  return reason ?? (/: could not write /i.test(message) ? 'disk' : 'machine');
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
      return new TablevaultError('DESTINATION_DENIED', `${what}: ${duckDbMessage(thrown)}`, {
        ...details,
        hint: 'Check that the file may be read and that the temporary folder may be written, or point TMPDIR at another.',
      });
    case 'machine':
      return new TablevaultError('DESTINATION_UNREACHABLE', `${what}: ${duckDbMessage(thrown)}`, {
        ...details,
        hint: 'Check the disk of the file and of TMPDIR (dmesg) and the limits of this machine (ulimit -n), then run again.',
      });
  }
}
