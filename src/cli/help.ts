/** The tail of every command's help: its exit codes and an example. */
import { type Command, Option } from 'commander';
import type { ExitCode } from '../core/errors.ts';

const MEANING: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'unexpected fault (a bug)',
  2: 'usage or configuration',
  3: 'authentication or authorization',
  4: 'instance unreachable, its limits or seats exhausted, or its answers unusable',
  5: 'some tables failed',
  6: 'verification or an expectation failed',
  7: 'destination failed',
  8: 'outcome of the commit unknown: run the command again',
  9: 'another run holds the lock',
  130: 'interrupted',
};

export interface HelpTail {
  /** What the command ends with besides 0, 1, 2 and 130. */
  readonly exits?: readonly ExitCode[];
  /** Meanings that differ for this command. */
  readonly meanings?: Partial<Record<ExitCode, string>>;
  readonly examples: readonly string[];
}

export function withHelp(command: Command, tail: HelpTail): Command {
  const codes = [0, 1, 2, ...(tail.exits ?? []), 130] as const;
  const lines = codes.map((code) => `  ${String(code).padStart(3)}  ${tail.meanings?.[code] ?? MEANING[code]}`);
  const examples = tail.examples.map((example) => `  ${example}`);
  return command.addHelpText('after', ['', 'Exit codes:', ...lines, '', 'Example:', ...examples].join('\n'));
}

/** The same on every command that reports. */
export function jsonOption(): Option {
  return new Option('--json', 'print one JSON object to standard output');
}
