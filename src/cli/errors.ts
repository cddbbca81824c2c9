/** How a command's failure looks: a paragraph for people, an object for machines. */

import { asTablevaultError, type TablevaultError, withAdvice } from '../core/errors.ts';
import { count, sentence } from '../core/words.ts';
import { plainText } from './text.ts';

/** Words for places whose names are the code's own; null for one that only logs tell. */
const PLACE_WORDS: Readonly<Record<string, string | null>> = {
  offset: 'at byte',
  lastKey: 'after the row with the key',
  wireBytes: 'bytes received',
  purpose: null,
};

/** One paragraph: what happened, where, what to do next, and the code to look up in docs/errors.md. */
export function errorParagraph(error: TablevaultError): string {
  const places = Object.entries(error.at)
    .filter(([name, value]) => PLACE_WORDS[name] !== null && !error.message.includes(String(value)))
    .map(([name, value]) => `${PLACE_WORDS[name] ?? name} ${placeText(name, value)}`);
  const where = places.length === 0 ? '' : ` (${places.join(', ')})`;
  const what = sentence(`${error.message}${where}`);
  const next = error.hint === undefined ? '' : ` ${sentence(error.hint)}`;
  return plainText(`error: ${what}${next} [${error.code}, exit ${error.exitCode}]`);
}

/** A key is data, and stays as it is. */
function placeText(name: string, value: string | number): string {
  return typeof value === 'number' && name !== 'key' ? count(value) : String(value);
}

/** What `--json` prints when a command fails before it has a report of its own. */
export function errorObject(command: string | undefined, error: TablevaultError): object {
  const { code, message, hint } = error;
  if (command !== 'snapshot') return { error: { code, message, ...(hint === undefined ? {} : { hint }) } };
  return {
    snapshot: null,
    sequence: 0,
    complete: false,
    resumed: false,
    tables: [],
    requests: 0,
    bytesReceived: 0,
    durationMs: 0,
    error: { code, message: withAdvice(error) },
  };
}

/**
 * Whatever was thrown as one error of ours. Once the signal is aborted, its reason is what ended the command, whatever the
 * interrupted work says on its way out, unless that work found out something worse: a commit of unknown outcome.
 */
export function causeOf(thrown: unknown, signal: AbortSignal): TablevaultError {
  const error = asTablevaultError(thrown);
  if (!signal.aborted || error.code === 'COMMIT_UNKNOWN') return error;
  return asTablevaultError(signal.reason);
}
