/** `tablevault doctor`: every step to a first row and a first object, each failure with its fix. */
import type { Command } from 'commander';
import { duration } from '../core/duration.ts';
import type { ExitCode } from '../core/errors.ts';
import { plural, shareOf } from '../core/words.ts';
import type { StepReport } from '../run/doctor/steps.ts';
import { hanging } from './columns.ts';
import { type CliContext, loadPipeline } from './context.ts';
import { jsonOption, withHelp } from './help.ts';
import type { Style, View } from './view.ts';
import { startWork } from './work.ts';

interface Options {
  readonly json?: true;
}

const MARKS: Readonly<Record<StepReport['status'], { readonly mark: string; readonly style: Style }>> = {
  ok: { mark: 'ok', style: 'ok' },
  warning: { mark: 'warn', style: 'warning' },
  failed: { mark: 'FAIL', style: 'error' },
  'not tried': { mark: '-', style: 'aside' },
};

export function addDoctor(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .summary('check everything a snapshot needs')
    .description(
      'Checks every step from the configuration to a first row and a first object. For each step it shows the result, the time it took, and what to do if it failed. Reads and decodes one row of up to 50 tables, all keys of up to 6 tables of at most 5,000 rows, and a few rows of some tables for questions: on filters on keys, of one table of each kind of key, and on rows that default filters hide, of up to 50 tables. Writes only a probe object to the destination, and removes it.',
    )
    .argument('<pipeline>', 'pipeline file (YAML)')
    .addOption(jsonOption())
    .action(async (pipeline: string, options: Options) => {
      context.exitCode = await doctor(context, pipeline, options);
    });
  withHelp(command, {
    exits: [3, 4, 5, 7, 9],
    meanings: { 5: 'tables cannot be read as they are' },
    examples: ['tablevault doctor backup.yaml', 'tablevault doctor backup.yaml --json'],
  });
}

async function doctor(context: CliContext, file: string, options: Options): Promise<ExitCode> {
  const { clock, signal, output, screen } = context;
  const { runDoctor } = await import('../run/doctor/doctor.ts');
  const work = startWork(context, 'reading the configuration');
  const report = await runDoctor(
    () => loadPipeline(context, file),
    { clock, signal, emit: work.emit },
    (step) => {
      if (options.json) return;
      work.heard();
      // Steps in order, though each is written as it ends: writes to one stream stay in order.
      void output.lines(stepLines(step, output)).catch(() => undefined);
    },
  ).finally(work.end);
  if (options.json) await output.json(report);
  const failed = report.steps.filter(({ status }) => status === 'failed').length;
  const warned = report.steps.filter(({ status }) => status === 'warning').length;
  const rest = warned === 0 ? '' : `, ${plural(warned, 'warning')} to look at`;
  screen.line(
    report.ok
      ? `everything a snapshot needs is there${rest}`
      : `${shareOf(failed, report.steps.length, 'step')} failed${rest}`,
  );
  return report.exitCode;
}

function stepLines({ step, status, found, details, fix, code, ms }: StepReport, view: View): string[] {
  const took = status === 'not tried' ? '' : ` (${duration(ms)})`;
  const named = code === null ? '' : ` [${code}]`;
  const { mark, style } = MARKS[status];
  const [marked, name] = [mark.padEnd(4), `  ${step.padEnd(13)}  `];
  const label = marked + name;
  const beside = (text: string, painted = ' '.repeat(label.length)) => hanging(label, painted, text, view);
  return [
    ...beside(`${found}${named}${took}`, view.paint(style, marked) + name),
    ...details.flatMap((detail) => beside(detail)),
    ...(fix === null ? [] : beside(`-> ${fix}`)),
  ];
}
