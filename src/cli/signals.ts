/** SIGINT and SIGTERM: the first asks the command to end, the second, or a long silence, ends the process. */
import { EXIT, TablevaultError } from '../core/errors.ts';

/** Time for a command to release locks and close files after the first signal. */
const GRACE_MS = 15_000;

export interface Interrupts {
  readonly signal: AbortSignal;
}

export function listenForSignals(process: NodeJS.Process, notice: (text: string) => void): Interrupts {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    notice(`${name} received: stopping; a second one ends at once.`);
    setTimeout(() => process.exit(EXIT.interrupted), GRACE_MS).unref();
    controller.abort(
      new TablevaultError('INTERRUPTED', `interrupted by ${name}`, {
        hint: 'Run the same command again; a snapshot continues where it stopped.',
      }),
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { signal: controller.signal };
}
