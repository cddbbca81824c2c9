/** SIGINT and SIGTERM: the first asks the command to end, the second, or a long silence, ends the process. */
import { EXIT, TablevaultError } from '../core/errors.ts';

/** Time for a command to release locks and close files after the first signal. */
const GRACE_MS = 15_000;

export interface Interrupts {
  readonly signal: AbortSignal;
  /** Ends the command for another reason: the reader of standard output has gone. */
  abort(reason: TablevaultError): void;
}

/**
 * @param notice told of a signal as it comes
 * @param hint what the reader of the interrupt's error is to do next
 */
export function listenForSignals(process: NodeJS.Process, notice: (text: string) => void, hint: string): Interrupts {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    notice(`${name} received: stopping; a second one ends at once.`);
    setTimeout(() => process.exit(EXIT.interrupted), GRACE_MS).unref();
    controller.abort(new TablevaultError('INTERRUPTED', `interrupted by ${name}`, { hint }));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

/** What to do after an interrupt of this command line: only a snapshot continues, and only without `--fresh`. */
export function hintAfterInterrupt(args: readonly string[]): string {
  if (args[0] !== 'snapshot') return 'Run the same command again.';
  return args.includes('--fresh')
    ? 'Run the command again without --fresh: it continues where it stopped. With --fresh it begins anew.'
    : 'Run the same command again: it continues where it stopped.';
}
