/** `tablevault completion`: a script that completes commands and options in a shell. */
import { Argument, type Command, type Option } from 'commander';
import {
  type CompletedCommand,
  type CompletedOption,
  completionScript,
  SHELLS,
  type Shell,
  type Value,
} from './completion-scripts.ts';
import type { CliContext } from './context.ts';
import { withHelp } from './help.ts';

export function addCompletion(program: Command, context: CliContext): void {
  const command = program
    .command('completion')
    .summary('print a completion script for a shell')
    .description(
      'Prints a script that lets a shell complete commands, options and their values. For fish, save the script as in the first example. For bash and zsh, put the second example into the start-up file of the shell, with the name of the shell.',
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(async (shell: Shell) => {
      await context.output.data(completionScript(shell, completedCommands(program)));
    });
  withHelp(command, {
    examples: [
      'tablevault completion fish > ~/.config/fish/completions/tablevault.fish',
      'source <(tablevault completion bash)',
    ],
  });
}

/** What there is to complete, read off the program itself. */
export function completedCommands(program: Command): readonly CompletedCommand[] {
  const names = program.commands.map((command) => command.name());
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: [...command.options.filter(({ hidden }) => !hidden).map(completedOption), HELP],
    arguments: command.registeredArguments.map((argument) =>
      completedValue(argument.name(), argument.argChoices, names),
    ),
  }));
}

const HELP: CompletedOption = { flags: ['--help'], description: 'what the command does and takes', value: 'none' };

function completedOption({ short, long, description, required, optional, flags, argChoices }: Option): CompletedOption {
  const placeholder = /<([^>]+)>/.exec(flags)?.[1] ?? '';
  return {
    flags: [short, long].filter((flag) => flag != null),
    description,
    value: required || optional ? completedValue(placeholder, argChoices, []) : 'none',
  };
}

/** Placeholders of the command line that stand for something on this machine's disk. */
const ON_DISK: readonly string[] = ['dir', 'file', 'pipeline', 'target', 'uri', 'vault'];

function completedValue(
  placeholder: string,
  choices: readonly string[] | undefined,
  commands: readonly string[],
): Value {
  if (choices !== undefined) return choices;
  if (placeholder === 'command') return commands;
  return ON_DISK.includes(placeholder) ? 'file' : 'text';
}
