/** The scripts in the shells they are for. A shell that is not installed is skipped, and the report of the tests says so. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completedCommands } from '../../../src/cli/completion.ts';
import { SHELLS, type Shell } from '../../../src/cli/completion-scripts.ts';
import { programInPipes } from '../../support/program.ts';

let folder: string;
const fileOf = (shell: Shell) => join(folder, `tablevault.${shell}`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tablevault-completion-'));
  for (const shell of SHELLS) {
    const { run, stdout } = programInPipes();
    await run('completion', shell);
    writeFileSync(fileOf(shell), stdout());
  }
  writeFileSync(join(folder, 'backup.yaml'), '');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const isThere = (shell: Shell) => spawnSync(shell, ['-c', ':']).error === undefined;

const lines = (text: string) => text.split('\n').filter((line) => line !== '');

/** What bash offers for the last of these words. */
function inBash(...words: readonly string[]): readonly string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tablevault; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return lines(execFileSync('bash', ['-c', script, 'bash', fileOf('bash'), ...words], { encoding: 'utf8' }));
}

/** What fish offers at the end of this command line. */
function inFish(line: string): readonly string[] {
  const script = 'source $argv[1]; cd $argv[2]; complete -C $argv[3]';
  const said = execFileSync('fish', ['--no-config', '-c', script, fileOf('fish'), folder, line], { encoding: 'utf8' });
  return lines(said).map((offer) => offer.split('\t')[0]!);
}

describe('completion', () => {
  it('knows every command, its options, and the values that can be known', () => {
    const commands = completedCommands(programInPipes().program);
    const verify = commands.find(({ name }) => name === 'verify');
    expect(verify?.arguments).toEqual(['file']);
    const values = Object.fromEntries(verify!.options.map(({ flags, value }) => [flags.at(-1), value]));
    expect(values).toMatchObject({
      '--level': ['manifest', 'files', 'rows'],
      '--public-key': 'file',
      '--within': 'text',
      '--json': 'none',
    });
    expect(commands.find(({ name }) => name === 'help')?.arguments).toEqual([commands.map(({ name }) => name)]);
  });

  it('refuses a shell that it does not know', async () => {
    expect(await programInPipes().run('completion', 'tcsh')).toMatchObject({ code: 'commander.invalidArgument' });
  });

  describe.each(SHELLS)('%s', (shell) => {
    it.skipIf(!isThere(shell))('takes its script', () => {
      const checked = spawnSync(shell, ['-n', fileOf(shell)], { encoding: 'utf8' });
      expect(checked).toMatchObject({ status: 0, stderr: '' });
    });
  });

  it.skipIf(!isThere('bash'))('offers commands, options and their values in bash', () => {
    expect(inBash('tablevault', 'sna')).toEqual(['snapshot']);
    expect(inBash('tablevault', '')).toEqual(expect.arrayContaining(['init', 'query', 'completion', '--version']));
    expect(inBash('tablevault', 'snapshot', '--f')).toEqual(expect.arrayContaining(['--fresh']));
    expect(inBash('tablevault', 'verify', './vault', '--level', '')).toEqual(['manifest', 'files', 'rows']);
    expect(inBash('tablevault', 'verify', './vault', '--level', 'r')).toEqual(['rows']);
    expect(inBash('tablevault', 'completion', 'z')).toEqual(['zsh']);
    expect(inBash('tablevault', 'help', 'rest')).toEqual(['restore']);
    // Nothing of ours: bash offers files.
    expect(inBash('tablevault', 'ls', './va')).toEqual([]);
    const registered = execFileSync('bash', ['-c', 'source "$1"; complete -p tablevault', 'bash', fileOf('bash')]);
    expect(String(registered)).toBe('complete -o default -F _tablevault tablevault\n');
  });

  it.skipIf(!isThere('zsh'))('is registered in zsh', () => {
    const script = 'autoload -U compinit; compinit -D -u; source "$1"; print -- $_comps[tablevault]';
    expect(execFileSync('zsh', ['-fc', script, 'zsh', fileOf('zsh')], { encoding: 'utf8' })).toBe('_tablevault\n');
  });

  it.skipIf(!isThere('fish'))('offers commands, options, values and files in fish', () => {
    expect(inFish('tablevault sna')).toEqual(['snapshot']);
    expect(inFish('tablevault verify ./vault --lev')).toEqual(['--level']);
    expect(inFish('tablevault verify ./vault --level ')).toEqual(['files', 'manifest', 'rows']);
    expect(inFish('tablevault completion ')).toEqual(['bash', 'fish', 'zsh']);
    expect(inFish('tablevault snapshot back')).toEqual(['backup.yaml']);
    expect(inFish('tablevault demo back')).toEqual([]);
  });
});
