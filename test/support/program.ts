/** The command line without a process: what it prints is collected, or drawn on a terminal in memory. */
import { Writable } from 'node:stream';
import { CommanderError } from 'commander';
import { type CliContext, createOutput } from '../../src/cli/context.ts';
import { causeOf, errorParagraph } from '../../src/cli/errors.ts';
import { SILENT_LOG } from '../../src/cli/log.ts';
import { createProgram, usageError } from '../../src/cli/program.ts';
import { createRedactor } from '../../src/cli/redact.ts';
import { createScreen } from '../../src/cli/screen.ts';
import { systemClock } from '../../src/core/clock.ts';
import { memoryTerminal, type Terminal } from './terminal.ts';

type Environment = Readonly<Record<string, string | undefined>>;

function programOn(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream, env: Environment) {
  const redactor = createRedactor();
  const screen = createScreen(stderr, redactor, env);
  const context: CliContext = {
    env,
    clock: systemClock,
    signal: new AbortController().signal,
    redactor,
    screen,
    log: SILENT_LOG,
    output: createOutput(stdout, redactor, env, screen.clear),
    exitCode: 0,
  };
  const program = createProgram(context, { version: '1.2.3', help: (text) => void stdout.write(text) });
  return { context, program };
}

/** Standard output and error as pipes. */
export function programInPipes(env: Environment = {}) {
  let stdout = '';
  let stderr = '';
  const stream = (take: (text: string) => void) =>
    new Writable({
      write: (chunk, _encoding, done) => {
        take(String(chunk));
        done();
      },
    }) as unknown as NodeJS.WriteStream;
  const { program } = programOn(
    stream((text) => {
      stdout += text;
    }),
    stream((text) => {
      stderr += text;
    }),
    env,
  );
  const run = (...args: string[]) => program.parseAsync(args, { from: 'user' }).catch((error: unknown) => error);
  return { program, run, stdout: () => stdout, stderr: () => stderr };
}

/** Runs one command on a terminal of so many columns; what it failed with is printed as the executable does. */
export async function runOnTerminal(
  columns: number,
  args: readonly string[],
  { env = {}, colours = false }: { readonly env?: Environment; readonly colours?: boolean } = {},
): Promise<Terminal> {
  const terminal = memoryTerminal(columns, { colours });
  const { context, program } = programOn(terminal.stream, terminal.stream, env);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (thrown) {
    const error = thrown instanceof CommanderError ? usageError(thrown, args[0]) : causeOf(thrown, context.signal);
    if (error !== undefined) context.screen.line(errorParagraph(error));
  }
  return terminal;
}
