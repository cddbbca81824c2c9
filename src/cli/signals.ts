/**
 * SIGINT, SIGTERM, and SIGHUP of a terminal that closes: the first asks the command to end, a second one ends the process, and so does a
 * command that does not end by itself. A second SIGHUP changes nothing: both the shell and the terminal may send one.
 */
import { EXIT, TablevaultError } from '../core/errors.ts';

/** Time for a command to release locks and close files after the first signal. */
const GRACE_MS = 15_000;

export interface Interrupts {
  readonly signal: AbortSignal;
}

/**
 * @param notice told of a signal as it comes
 * @param overdue told when the command has not ended in time after the first signal: end the process, with this reason
 */
export function listenForSignals(
  process: NodeJS.Process,
  notice: (text: string) => void,
  overdue: (reason: TablevaultError) => void,
): Interrupts {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (name !== 'SIGHUP') process.exit(EXIT.interrupted);
      return;
    }
    notice(`${name} received: stopping; a second one ends at once.`);
    const reason = new TablevaultError('INTERRUPTED', `interrupted by ${name}`, {
      hint: 'Run the same command again.',
    });
    setTimeout(() => overdue(reason), GRACE_MS).unref();
    controller.abort(reason);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return { signal: controller.signal };
}
