/** The executable: builds the context, runs one command, prints its error if any, and sets the exit code. Nothing else does. */
import { CommanderError } from 'commander';
import { systemClock } from '../core/clock.ts';
import { asTablevaultError, EXIT, type ExitCode, TablevaultError } from '../core/errors.ts';
import { toolVersion } from '../core/package-files.ts';
import { type CliContext, createOutput } from './context.ts';
import { causeOf, errorObject, errorParagraph } from './errors.ts';
import { createLog, type LogLevel, logLevelOf } from './log.ts';
import { createProgram, usageError } from './program.ts';
import { createRedactor } from './redact.ts';
import { createScreen } from './screen.ts';
import { listenForSignals } from './signals.ts';

const redactor = createRedactor(process.env);
const screen = createScreen(process.stderr, redactor, process.env);
const args = process.argv.slice(2);
const interrupts = listenForSignals(
  process,
  (text) => screen.line(text),
  (reason) => void end(reason),
);
const output = createOutput(process.stdout, redactor, process.env, screen.clear, interrupts.signal);

/** Time that a command which was interrupted has for its last words, ms: their reader may not read. */
const LAST_WORDS_MS = 1_000;

process.stdout.on('error', () => {
  // Each write tells it to whoever waits for it.
});
process.stderr.on('error', () => {
  // Nobody reads what we would say about it.
});
process.on('uncaughtException', (error) => void end(error));
process.on('unhandledRejection', (error) => void end(error));

await end(await run());

/** Runs the command; what it threw, or undefined. */
async function run(): Promise<unknown> {
  const help: Promise<void>[] = [];
  try {
    const context = await createContext(logLevelOf(process.env));
    const program = createProgram(context, { version: toolVersion(), help: (text) => help.push(output.text(text)) });
    if (args.length === 0) {
      screen.line(program.helpInformation({ error: true }));
      throw new TablevaultError('USAGE', 'no command given', { hint: 'Name one of the commands above.' });
    }
    await program.parseAsync(args, { from: 'user' });
    process.exitCode = context.exitCode;
    return undefined;
  } catch (error) {
    // Help and version are no errors.
    return error instanceof CommanderError && error.exitCode === 0 ? undefined : error;
  } finally {
    await Promise.all(help);
  }
}

async function createContext(level: LogLevel): Promise<CliContext> {
  return {
    env: process.env,
    clock: systemClock,
    signal: interrupts.signal,
    redactor,
    screen,
    output,
    log: await createLog(level, screen),
    exitCode: EXIT.done,
  };
}

/** Prints the error there may be and ends the process, whatever handles are still open. */
async function end(thrown: unknown): Promise<void> {
  const { signal } = interrupts;
  if (signal.aborted)
    setTimeout(() => process.exit(asTablevaultError(thrown ?? signal.reason).exitCode), LAST_WORDS_MS);
  const code = await report(thrown);
  process.exitCode = code;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

async function report(thrown: unknown): Promise<ExitCode> {
  const code = (process.exitCode ?? EXIT.done) as ExitCode;
  const command = args[0];
  const ending = thrown ?? (code === EXIT.done ? output.lost : undefined);
  if (ending === undefined) return code;
  const error = ending instanceof CommanderError ? usageError(ending, command) : causeOf(ending, interrupts.signal);
  if (error === undefined || output.isUnwanted(error)) return EXIT.done;
  screen.clear();
  const object = args.includes('--json') && !output.used ? output.json(errorObject(command, error)) : undefined;
  screen.line(errorParagraph(error));
  if (error.code === 'BUG' || process.env['TABLEVAULT_LOG'] === 'trace')
    screen.verbatim(String(asTablevaultError(error).stack));
  await object;
  return error.exitCode;
}
