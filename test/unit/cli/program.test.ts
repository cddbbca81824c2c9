import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { causeOf, errorObject, errorParagraph } from '../../../src/cli/errors.ts';
import { usageError } from '../../../src/cli/program.ts';
import { TablevaultError } from '../../../src/core/errors.ts';
import { programInPipes } from '../../support/program.ts';

const NAMES = programInPipes().program.commands.map((command) => command.name());

describe('the command line', () => {
  it('has the commands of the contract that are there so far', () => {
    expect(NAMES).toEqual(
      expect.arrayContaining(['init', 'tables', 'snapshot', 'ls', 'show', 'paths', 'query', 'verify', 'demo']),
    );
  });

  it.each(NAMES)('%s --help tells its exit codes and an example', async (name) => {
    const { run, stdout } = programInPipes();
    const outcome = (await run(name, '--help')) as CommanderError;
    expect(outcome.exitCode).toBe(0);
    expect(stdout()).toMatch(/\nExit codes:\n {4}0 {2}done\n {4}1 .+\n {4}2 .+\n/);
    expect(stdout()).toMatch(/\n {4}7 {2}(destination|standard output)/);
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
      const { run, stdout, stderr } = programInPipes();
      const error = usageError((await run(...args)) as CommanderError, args[0]);
      expect(error).toMatchObject({ code: 'USAGE', exitCode: 2 });
      expect(error?.hint).toContain('--help');
      expect(stdout() + stderr()).toBe('');
    },
  );

  it('help prints what --help prints, of a command or of all', async () => {
    const texts = await Promise.all(
      [['help', 'ls'], ['ls', '--help'], ['help'], ['--help']].map(async (args) => {
        const { run, stdout } = programInPipes();
        await run(...args);
        return stdout();
      }),
    );
    expect(texts[0]).toContain('--max-age');
    expect(texts[0]).toBe(texts[1]);
    expect(texts[2]).toContain('snapshot');
    expect(texts[2]).toBe(texts[3]);
  });

  it('help of a command that does not exist is a usage error that names near ones', async () => {
    expect(await programInPipes().run('help', 'snapshto')).toMatchObject({
      code: 'USAGE',
      message: 'there is no command "snapshto"',
      hint: expect.stringContaining('snapshot'),
    });
  });

  it.each([
    ['show', ['show', 'v', '3', '--snapshot', '4'], /3, and --snapshot 4/],
    ['pin', ['pin', 'v', '3', '--snapshot', '4'], /3, and --snapshot 4/],
    ['pin', ['pin', 'v'], /no snapshot is named/],
  ])('%s refuses two snapshots that differ, and pin none', async (_name, args, message) => {
    expect(await programInPipes().run(...args)).toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(message),
    });
  });

  it.each(['show', 'pin'])('%s takes the snapshot in either way, or both alike', async (name) => {
    for (const args of [['7'], ['--snapshot', '7'], ['7', '--snapshot', '7']])
      expect(await programInPipes().run(name, '/nowhere/at/all', ...args)).toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });

  it('init says loudly where .gitignore does not leave out the credential', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tablevault-init-'));
    try {
      await writeFile(join(folder, '.gitignore'), 'node_modules/\n');
      for (const args of [['--generate-secret'], ['--json']]) {
        const { run, stderr } = programInPipes();
        await run('init', folder, ...args);
        expect(stderr()).toMatch(/^warning: .*\.gitignore does not leave out \.env, which holds the credential/);
      }
      await writeFile(join(folder, '.gitignore'), '.env\n');
      const { run, stderr } = programInPipes();
      await run('init', folder);
      expect(stderr()).not.toContain('warning');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('adds up every list that is given again', () => {
    const lists = programInPipes()
      .program.commands.flatMap(({ options }) => options)
      .filter(({ flags }) => /<(globs|columns)>|public-key/.test(flags));
    expect(lists.length).toBeGreaterThanOrEqual(6);
    for (const { flags, parseArg } of lists)
      expect(parseArg?.('c', parseArg('a', undefined)), flags).toEqual(['a', 'c']);
    const texts = lists.filter(({ flags }) => !flags.includes('public-key'));
    for (const { flags, parseArg } of texts)
      expect(parseArg?.('c', parseArg('a,b', undefined)), flags).toEqual(['a', 'b', 'c']);
  });

  it('query takes --json or another format, not both', async () => {
    expect(await programInPipes().run('query', 'v', 'SELECT 1', '--json', '--format', 'csv')).toMatchObject({
      code: 'USAGE',
      message: '--json and --format csv contradict each other',
    });
    const alike = ['query', '/nowhere/at/all', 'SELECT 1', '--json', '--format', 'json'];
    expect(await programInPipes().run(...alike)).toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });

  it.each(['prune', 'repair'])('%s does or shows, not both', async (name) => {
    const { run } = programInPipes();
    const error = usageError((await run(name, 'v', '--dry-run', '--apply')) as CommanderError, name);
    expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('--apply') });
  });

  it('prints its version', async () => {
    const { run, stdout } = programInPipes();
    expect(usageError((await run('--version')) as CommanderError, undefined)).toBeUndefined();
    expect(stdout()).toBe('1.2.3\n');
  });

  it('ends ls on a folder without a vault with VAULT_NOT_FOUND', async () => {
    expect(await programInPipes().run('ls', '/nowhere/at/all')).toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });
});

describe('help', () => {
  it.each(['plan', 'show'])('of %s explains every word for what a read is worth', async (command) => {
    const { run, stdout } = programInPipes();
    await run(command, '--help');
    const text = stdout().replaceAll(/\s+/g, ' ');
    for (const word of ['exact', 'counted', 'best-effort']) expect(text).toContain(`"${word}" means that`);
  });

  it('of extract promises no proof that a table cannot have', async () => {
    const { run, stdout } = programInPipes();
    await run('extract', '--help');
    const text = stdout().replaceAll(/\s+/g, ' ');
    expect(text).not.toContain('the end of the read is proven');
    expect(text).toContain('not exact (counted or best-effort');
  });
});

describe('an error', () => {
  it('is one paragraph: what, where, what next, code and exit code', () => {
    const error = new TablevaultError('VALUE_MISFIT', 'the value does not fit', {
      at: { table: 'Gen_Documents', key: 5000 },
      hint: 'Leave the column out',
    });
    expect(errorParagraph(error)).toBe(
      'error: the value does not fit (table Gen_Documents, key 5000). Leave the column out. [VALUE_MISFIT, exit 5]',
    );
  });

  it('names places in words, and leaves out what a request was for', () => {
    const at = { purpose: 'closing read', offset: 6146, lastKey: '17' };
    expect(errorParagraph(new TablevaultError('BODY_INVALID', 'it broke', { at }))).toBe(
      'error: it broke (at byte 6,146, after the row with the key 17). [BODY_INVALID, exit 5]',
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
      error: { code: 'CONFIG_INVALID', message: 'no. yes' },
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
