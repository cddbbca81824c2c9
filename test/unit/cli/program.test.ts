import { Writable } from 'node:stream';
import type { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { type CliContext, createOutput } from '../../../src/cli/context.ts';
import { causeOf, errorObject, errorParagraph } from '../../../src/cli/errors.ts';
import { createLog } from '../../../src/cli/log.ts';
import { createProgram, usageError } from '../../../src/cli/program.ts';
import { createRedactor } from '../../../src/cli/redact.ts';
import { createScreen } from '../../../src/cli/screen.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { TablevaultError } from '../../../src/core/errors.ts';

/** The command line without a process: what it prints is collected. */
function harness() {
  let stdout = '';
  let stderr = '';
  const stream = (take: (text: string) => void) =>
    new Writable({
      write: (chunk, _encoding, done) => {
        take(String(chunk));
        done();
      },
    }) as unknown as NodeJS.WriteStream;
  const redactor = createRedactor();
  const screen = createScreen(
    stream((text) => {
      stderr += text;
    }),
    redactor,
    {},
  );
  const context: CliContext = {
    env: {},
    clock: systemClock,
    signal: new AbortController().signal,
    redactor,
    screen,
    log: createLog('silent', screen),
    output: createOutput(
      stream((text) => {
        stdout += text;
      }),
      redactor,
      {},
    ),
    exitCode: 0,
  };
  const program = createProgram(context, {
    version: '1.2.3',
    help: (text) => {
      stdout += text;
    },
  });
  const run = (...args: string[]) => program.parseAsync(args, { from: 'user' }).catch((error: unknown) => error);
  return { program, run, stdout: () => stdout, stderr: () => stderr };
}

const NAMES = harness().program.commands.map((command) => command.name());

describe('the command line', () => {
  it('has the commands of the contract that are there so far', () => {
    expect(NAMES).toEqual(
      expect.arrayContaining(['init', 'tables', 'snapshot', 'ls', 'show', 'paths', 'query', 'verify', 'demo']),
    );
  });

  it.each(NAMES)('%s --help tells its exit codes and an example', async (name) => {
    const { run, stdout } = harness();
    const outcome = (await run(name, '--help')) as CommanderError;
    expect(outcome.exitCode).toBe(0);
    expect(stdout()).toMatch(/\nExit codes:\n {4}0 {2}done\n {4}1 .+\n {4}2 .+\n/);
    expect(stdout()).toMatch(new RegExp(`\\nExample:\\n  tablevault ${name} `));
    if (!['completion', 'help'].includes(name)) expect(stdout()).toContain('--json');
  });

  it.each([
    ['an unknown command', ['snapshto']],
    ['a missing argument', ['snapshot']],
    ['an argument too many', ['ls', 'a', 'b']],
    ['an unknown option', ['ls', 'a', '--max-agee', '1h']],
    ['an age without unit', ['ls', 'a', '--max-age', '26']],
    ['an unknown format', ['query', 'a', 'SELECT 1', '--format', 'xml']],
    ['an unknown level', ['verify', 'a', '--level', 'deep']],
    ['no table', ['snapshot', 'a', '--tables', ' , ']],
    ['a port that is none', ['demo', '--port', '70000']],
  ])(
    '%s is a usage error with exit code 2 and a next step, and commander prints nothing itself',
    async (_what, args) => {
      const { run, stdout, stderr } = harness();
      const error = usageError((await run(...args)) as CommanderError, args[0]);
      expect(error).toMatchObject({ code: 'USAGE', exitCode: 2 });
      expect(error?.hint).toContain('--help');
      expect(stdout() + stderr()).toBe('');
    },
  );

  it('prints its version', async () => {
    const { run, stdout } = harness();
    expect(usageError((await run('--version')) as CommanderError, undefined)).toBeUndefined();
    expect(stdout()).toBe('1.2.3\n');
  });

  it('ends ls on a folder without a vault with VAULT_NOT_FOUND', async () => {
    expect(await harness().run('ls', '/nowhere/at/all')).toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });
});

describe('an error', () => {
  it('is one paragraph: what, where, what next, code and exit code', () => {
    const error = new TablevaultError('VALUE_MISFIT', 'the value does not fit', {
      at: { table: 'Gen_Documents', key: 5 },
      hint: 'Leave the column out',
    });
    expect(errorParagraph(error)).toBe(
      'error: the value does not fit (table Gen_Documents, key 5). Leave the column out. [VALUE_MISFIT, exit 5]',
    );
  });

  it('stays one paragraph, and harmless, whatever a server said', () => {
    const error = new TablevaultError('REQUEST_REFUSED', 'it said:\r\n\u001b]0;owned\u0007bye');
    expect(errorParagraph(error)).not.toMatch(/\p{Cc}/u);
  });

  it('names no place twice', () => {
    const error = new TablevaultError('VAULT_NOT_FOUND', 'there is no vault at /x', { at: { vault: '/x' } });
    expect(errorParagraph(error)).toBe('error: there is no vault at /x. [VAULT_NOT_FOUND, exit 7]');
  });

  it('has the shape of a snapshot report for snapshot --json, and error alone for the others', () => {
    const error = new TablevaultError('CONFIG_INVALID', 'no', { hint: 'yes' });
    expect(errorObject('ls', error)).toEqual({ error: { code: 'CONFIG_INVALID', message: 'no', hint: 'yes' } });
    expect(errorObject('snapshot', error)).toMatchObject({
      snapshot: null,
      complete: false,
      tables: [],
      error: { code: 'CONFIG_INVALID', message: 'no' },
    });
  });

  it('after an interrupt is the interrupt, unless the commit became unknown meanwhile', () => {
    const controller = new AbortController();
    controller.abort(new TablevaultError('INTERRUPTED', 'interrupted by SIGINT'));
    expect(causeOf(new Error('socket closed'), controller.signal).code).toBe('INTERRUPTED');
    const unknown = new TablevaultError('COMMIT_UNKNOWN', 'no answer');
    expect(causeOf(unknown, controller.signal)).toBe(unknown);
    expect(causeOf(new Error('x'), new AbortController().signal)).toMatchObject({ code: 'BUG', exitCode: 1 });
  });
});
