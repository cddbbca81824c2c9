/** What a command found out is told by its exit code, whoever reads its output. */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { snapshotKey } from '../../src/vault/layout.ts';
import { tablevault } from '../support/cli.ts';
import { smallVault } from '../support/small-vault.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/tablevault.cjs', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-codes-'));
});
afterAll(() => rm(folder, { recursive: true }));

const vaultWith = (change?: (path: string) => Promise<unknown>) => smallVault(folder, change);

const damage = (path: string) => writeFile(path, randomBytes(3000));

describe('a command whose reader has gone', () => {
  const noReader = { onStart: (child: { stdout: { destroy(): void } | null }) => child.stdout?.destroy() };

  it.each([
    ['verify', ['verify', '--json'], damage, 6],
    ['verify, for people', ['verify'], damage, 6],
    ['repair', ['repair', '--json'], damage, 6],
    ['ls of an old snapshot', ['ls', '--max-age', '1s'], undefined, 6],
    ['show of what is not there', ['show', '--json', '--snapshot', '77'], undefined, 2],
    ['verify of a sound vault', ['verify', '--json'], undefined, 0],
    ['ls', ['ls', '--json'], undefined, 0],
    ['paths', ['paths', 'Gen_One'], undefined, 0],
  ] as const)('keeps its own exit code: %s', async (_name, [command, ...more], change, code) => {
    const ended = await tablevault([command, await vaultWith(change), ...more], noReader);
    expect(ended.code, ended.stderr).toBe(code);
    if (code !== 0) expect(ended.stderr).toContain(`exit ${code}]`);
    else expect(ended.stderr).not.toContain('error');
  });

  it('says its help to nobody without a failure', async () => {
    const ended = await tablevault(['snapshot', '--help'], noReader);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('a command whose reader does not read', () => {
  it('ends soon after an interrupt, and says so', async () => {
    const endless = ['query', await vaultWith(), 'SELECT * FROM range(50000000)', '--format', 'csv'];
    const child = spawn(process.execPath, [LAUNCHER, ...endless], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += String(chunk);
    });
    await once(child.stdout, 'readable');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const begun = performance.now();
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(performance.now() - begun).toBeLessThan(8_000);
    expect(said).toContain('[INTERRUPTED, exit 130]');
    expect(code).toBe(130);
    child.stdout.destroy();
  });
});

describe('a command whose report cannot be written', () => {
  it.runIf(existsSync('/dev/full'))('fails by that alone if nothing else is wrong', async () => {
    const toFull = (...args: string[]) => spawnSync('sh', ['-c', '"$@" >/dev/full', 'sh', LAUNCHER, ...args]);
    const sound = toFull('verify', await vaultWith(), '--json');
    expect(sound.status).toBe(7);
    expect(String(sound.stderr)).toContain('standard output cannot be written (ENOSPC)');
    expect(toFull('verify', await vaultWith(damage), '--json').status).toBe(6);
  });

  it
    .runIf(existsSync('/dev/full'))
    .each([[['--help']], [['help']], [['help', 'ls']], [['ls', '--help']], [['--version']], [['completion', 'bash']]])(
    '%j, which prints text alone, ends with 7',
    (args) => {
      const ended = spawnSync('sh', ['-c', '"$@" >/dev/full', 'sh', LAUNCHER, ...args]);
      expect(ended.status).toBe(7);
      expect(String(ended.stderr)).toContain('standard output cannot be written (ENOSPC)');
    },
  );
});

describe('a vault with a damaged manifest', () => {
  it('is listed but for that snapshot, and ends with 7; verify advises no new snapshot', async () => {
    const vault = await smallVault(folder, undefined, 3);
    const manifest = (sequence: number) => join(vault, ...snapshotKey(sequence).split('/'));
    await writeFile(manifest(2), '{');
    const listed = await tablevault(['ls', vault]);
    expect(listed.code, listed.stderr).toBe(7);
    expect(listed.stdout.trim().split('\n').slice(1)).toEqual([
      expect.stringMatching(/^ *1 /),
      expect.stringMatching(/^ *3 /),
    ]);
    expect(listed.stderr).toMatch(/^error: .*0002\.json cannot be read.*\[VAULT_CORRUPT, exit 7\]$/m);
    const young = await tablevault(['ls', vault, '--max-age', '3650d']);
    expect(young.code, young.stderr).toBe(0);
    expect(young.stderr).toMatch(/^warning: .*0002\.json cannot be read/);
    const verified = await tablevault(['verify', vault]);
    expect(verified.code).toBe(6);
    expect(verified.stderr).toContain('from a copy of the vault');
    expect(verified.stderr).not.toContain('Take a new snapshot');
    await writeFile(manifest(3), '{');
    expect((await tablevault(['ls', vault, '--max-age', '3650d'])).code).toBe(7);
  });

  it('advises a new snapshot where a file is damaged', async () => {
    expect((await tablevault(['verify', await vaultWith(damage)])).stderr).toContain('Take a new snapshot');
  });
});

describe('repair --apply', () => {
  it('ends with 6 for what it cannot bring back, with 0 when it moved all that is damaged', async () => {
    const missing = await vaultWith((path) => rm(path));
    for (const args of [[], ['--apply'], ['--apply']]) {
      const ended = await tablevault(['repair', missing, ...args]);
      expect(ended.code, ended.stderr).toBe(6);
      expect(ended.stderr).toContain('1 missing file');
      expect(ended.stderr).not.toContain('Run again with --apply');
    }
    const damaged = await vaultWith(damage);
    expect((await tablevault(['repair', damaged])).code).toBe(6);
    expect((await tablevault(['repair', damaged, '--apply'])).code).toBe(0);
    expect((await tablevault(['repair', damaged, '--apply'])).code).toBe(6);
  });
});
