/** The tail of every command's help: its exit codes and an example; and `tablevault help`. */
import { type Command, Option } from 'commander';
import { type ExitCode, TablevaultError } from '../core/errors.ts';
import { nearNames } from '../core/near-names.ts';
import { hanging } from './columns.ts';
import { widthOf } from './text.ts';
import { NO_VIEW } from './view.ts';

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
  /** What the command ends with besides 0, 1, 2 and 130; and besides 7 where only its standard output can fail. */
  readonly exits?: readonly ExitCode[];
  /** Meanings that differ for this command. */
  readonly meanings?: Partial<Record<ExitCode, string>>;
  readonly examples: readonly string[];
}

/** Adds exit codes and examples to the command's own help, as wide as that. */
export function withHelp(command: Command, tail: HelpTail): Command {
  return command.addHelpText('after', () => {
    const width = command.configureOutput().getOutHelpWidth?.() ?? 80;
    const { styleTitle = (title: string) => title } = command.configureHelp();
    const { exits: own = [], meanings } = tail;
    const codes = [...new Set<ExitCode>([0, 1, 2, 7, ...own, 130])].sort((a, b) => a - b);
    const meaning = (code: ExitCode) =>
      meanings?.[code] ?? (code === 7 && !own.includes(7) ? 'standard output cannot be written' : MEANING[code]);
    const exits = codes.flatMap((code) => {
      const label = `  ${String(code).padStart(3)}  `;
      return hanging(label, label, meaning(code), { ...NO_VIEW, width: () => width });
    });
    const examples = tail.examples.flatMap((example) => exampleLines(example, width));
    return ['', styleTitle('Exit codes:'), ...exits, '', styleTitle('Example:'), ...examples].join('\n');
  });
}

/** A command line that is too long goes on at an option, in the way that a shell understands. */
function exampleLines(example: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of example.split(/ (?=-)/)) {
    const last = lines.pop();
    if (last === undefined) lines.push(`  ${part}`);
    else if (widthOf(`${last} ${part} \\`) <= width) lines.push(`${last} ${part}`);
    else lines.push(`${last} \\`, `    ${part}`);
  }
  return lines;
}

/** The words of `plan`, `show` and `snapshot --json` for how a table is read, and what its rows are worth. */
export const HOW_TABLES_ARE_READ =
  'How a table is read: "ranges" in several tasks, one for each range of its key; "chain" page after page along its key; "stream" in one response. Consistency: "exact" means that the key proves the end of the read, that no row came twice, and that nothing contradicts it; "counted" means that as many rows came as the instance counts, without a proof by key (views, tables without a usable key); "best-effort" means that answers were complete, but nothing shows whether they held all rows. The last two always have a warning that says why.';

/** The same on every command that reports. */
export function jsonOption(): Option {
  return new Option('--json', 'print one JSON object to standard output');
}

/** `tablevault help [command]`: the same as `--help`. */
export function addHelp(program: Command): void {
  const command = program
    .command('help')
    .summary('print the help of a command')
    .description('Prints the help of a command, as its --help does. Without a command, prints the list of commands.')
    .argument('[command]', 'name of the command')
    .action((name: string | undefined) => {
      const found = name === undefined ? program : program.commands.find((each) => each.name() === name);
      if (found === undefined) throw unknownCommand(name ?? '', program);
      found.outputHelp();
    });
  withHelp(command, { examples: ['tablevault help snapshot'] });
}

function unknownCommand(name: string, program: Command): TablevaultError {
  const near = nearNames(
    name,
    program.commands.map((command) => command.name()),
  );
  return new TablevaultError('USAGE', `there is no command ${JSON.stringify(name)}`, {
    hint: near.length > 0 ? `Near names: ${near.join(', ')}.` : '`tablevault help` lists the commands.',
  });
}
