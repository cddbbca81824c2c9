/** The commands of `tablevault` and how their usage errors end. */
import { Command, type CommanderError } from 'commander';
import { TablevaultError } from '../core/errors.ts';
import { addCompletion } from './completion.ts';
import type { CliContext } from './context.ts';
import { addDemo } from './demo.ts';
import { addDoctor } from './doctor.ts';
import { addExtract } from './extract.ts';
import { addHelp } from './help.ts';
import { addInit } from './init.ts';
import { addLs } from './ls.ts';
import { addPaths } from './paths.ts';
import { addPin } from './pin.ts';
import { addPlan } from './plan.ts';
import { addPrune } from './prune.ts';
import { addQuery } from './query.ts';
import { addRepair } from './repair.ts';
import { addRestore } from './restore.ts';
import { addShow } from './show.ts';
import { addSnapshot } from './snapshot.ts';
import { addTables } from './tables.ts';
import { addVerify } from './verify.ts';

const COMMANDS = [
  addInit,
  addDoctor,
  addTables,
  addPlan,
  addSnapshot,
  addExtract,
  addLs,
  addShow,
  addPaths,
  addQuery,
  addVerify,
  addRestore,
  addRepair,
  addPrune,
  addPin,
  addDemo,
  addCompletion,
  addHelp,
] as const;

/** Columns beside a name in which its description is still wrapped. */
const MIN_HELP_WIDTH = 20;

/** Columns of help where there is no terminal. */
const HELP_WIDTH = 80;

export interface ProgramText {
  readonly version: string;
  /** Help that was asked for; it may come in pieces. */
  help(text: string): unknown;
}

export function createProgram(context: CliContext, text: ProgramText): Command {
  const program = new Command('tablevault');
  program
    .description('Complete, exact, verifiable Parquet snapshots of ERP.net tables.')
    .version(text.version, '--version', 'print the version')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    // What commander says about a usage error comes back as a CommanderError, and is printed by main alone.
    .configureOutput({
      writeOut: text.help,
      writeErr: () => {},
      outputError: () => {},
      getOutHelpWidth: () => context.output.width() ?? HELP_WIDTH,
      getOutHasColors: () => context.output.coloured,
      getErrHelpWidth: () => context.screen.width() ?? HELP_WIDTH,
      getErrHasColors: () => context.screen.coloured,
    })
    .configureHelp({
      styleTitle: (title) => context.output.paint('heading', title),
      subcommandTerm: (command) => command.name(),
      minWidthToWrap: MIN_HELP_WIDTH,
    });
  for (const add of COMMANDS) add(program, context);
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  program.addHelpText('after', '\nEvery command has --help with its exit codes and an example.');
  return program;
}

/** A usage error as one of ours; undefined for help and version, which are no errors. */
export function usageError(error: CommanderError, command: string | undefined): TablevaultError | undefined {
  if (error.exitCode === 0) return undefined;
  const known = command !== undefined && /^[a-z]+$/.test(command) && error.code !== 'commander.unknownCommand';
  const message = error.message.replace(/^error: /, '').replaceAll(/\s+/g, ' ');
  return new TablevaultError('USAGE', message, {
    hint: `\`tablevault ${known ? `${command} ` : ''}--help\` shows how to use it.`,
  });
}
