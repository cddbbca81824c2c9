/** SIGINT and SIGTERM: the first asks the command to end, the second ends the process, and so does a command that does not end by itself. */
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
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    notice(`${name} received: stopping; a second one ends at once.`);
    const reason = new TablevaultError('INTERRUPTED', `interrupted by ${name}`, {
      hint: 'Run the same command again.',
    });
    setTimeout(() => overdue(reason), GRACE_MS).unref();
    controller.abort(reason);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { signal: controller.signal };
}
