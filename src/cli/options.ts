/** Options that several commands take, and parsers of their values. These throw InvalidArgumentError, which ends as a usage error. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../core/duration.ts';
import { splitGlobs } from '../core/globs.ts';

/** `Gen_*,Crm_{Customers,Orders}` as a list; an option that is given again adds to it. */
export function globList(value: string, before: readonly string[] = []): string[] {
  const globs = splitGlobs(value);
  if (globs.length === 0) throw new InvalidArgumentError('Give at least one table name or glob.');
  return [...before, ...globs];
}

/** `26h` as milliseconds. */
export function durationMs(value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new InvalidArgumentError('Give a number above 0 with a unit, such as 26h, 90m or 30s.');
  return ms;
}

/** A port of this machine; 0 takes a free one. */
export function port(value: string): number {
  const number = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number <= 65_535)) throw new InvalidArgumentError('Give a port from 0 to 65535.');
  return number;
}

/** A number above 0, such as 0.1 or 10. */
export function factor(value: string): number {
  const number = /^\d{0,6}(\.\d{1,6})?$/.test(value) ? Number(value) : 0;
  if (number <= 0) throw new InvalidArgumentError('Give a number above 0, such as 0.1 or 10.');
  return number;
}

/** A whole number above 0. */
export function wholeNumber(value: string): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (number === 0) throw new InvalidArgumentError('Give a whole number above 0.');
  return number;
}

/** What `--dry-run` and `--apply` say, with the meaning that a command has without either. */
export interface Acting {
  readonly dryRun?: true;
  readonly apply?: true;
}

/** The two words of every command that changes what is in a vault: `--dry-run` only shows, `--apply` does it. */
export function actingOptions(command: Command, usual: keyof Acting): Command {
  const text = (what: string, own: keyof Acting) => (own === usual ? `${what} (default)` : what);
  return command
    .addOption(
      new Option('--dry-run', text('show what would be done, and change nothing', 'dryRun')).conflicts('apply'),
    )
    .addOption(new Option('--apply', text('make the changes', 'apply')));
}
