import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPipeline } from '../../../src/pipeline/read.ts';
import { initPipeline } from '../../../src/run/init.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-init-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('init', () => {
  it.each([
    ['service', 'ERPNET_CLIENT_SECRET'],
    ['reference-token', 'ERPNET_TOKEN'],
  ] as const)('writes a pipeline for %s that can be read as soon as %s is set', async (kind, variable) => {
    const report = await initPipeline({ folder, kind, generateSecret: false });
    expect(report).toMatchObject({
      created: ['backup.yaml', '.env.example', '.gitignore'],
      kept: [],
      dotEnvIgnored: true,
      secretHash: null,
    });
    const pipeline = await readPipeline(join(folder, 'backup.yaml'), { env: { [variable]: 'x-y-z' } });
    expect(pipeline).toMatchObject({ name: 'backup', auth: { kind }, destination: join(folder, 'vault') });
    expect(await readFile(join(folder, '.env.example'), 'utf8')).toContain(`${variable}=\n`);
    expect(await readFile(join(folder, '.gitignore'), 'utf8')).toContain('.env\n');
  });

  it('makes up a secret that only .env holds, readable by its owner alone, and gives the hash that ERP.net stores', async () => {
    const { secretHash } = await initPipeline({ folder, kind: 'service', generateSecret: true });
    const [, secret] = /^ERPNET_CLIENT_SECRET=([\w-]{43})\n$/.exec(await readFile(join(folder, '.env'), 'utf8'))!;
    expect(secretHash).toBe(createHash('sha256').update(secret!).digest('base64'));
    // Windows has no such modes: a file there takes over the rights of its folder.
    if (process.platform !== 'win32') expect((await stat(join(folder, '.env'))).mode & 0o777).toBe(0o600);
    for (const name of (await readdir(folder)).filter((name) => name !== '.env')) {
      expect(await readFile(join(folder, name), 'utf8')).not.toContain(secret);
    }
  });

  it('says whether the file for the credential was made, was there, or is still to be written', async () => {
    const run = async (generateSecret: boolean) =>
      (await initPipeline({ folder, kind: 'service', generateSecret })).dotEnv;
    expect([await run(false), await run(true), await run(true), await run(false)]).toEqual([
      'missing',
      'created',
      'there',
      'there',
    ]);
  });

  it('tells the hash of the secret that is there, when it is asked for one again', async () => {
    const first = await initPipeline({ folder, kind: 'service', generateSecret: true });
    const again = await initPipeline({ folder, kind: 'service', generateSecret: true });
    expect(again).toMatchObject({ created: [], secretHash: first.secretHash });
  });

  it('touches no file that exists, and gives no hash of a secret that it did not store', async () => {
    await writeFile(join(folder, 'backup.yaml'), 'mine');
    await writeFile(join(folder, '.env'), 'mine too');
    const report = await initPipeline({ folder, kind: 'service', generateSecret: true });
    expect(report).toMatchObject({
      created: ['.env.example', '.gitignore'],
      kept: ['backup.yaml', '.env'],
      secretHash: null,
    });
    expect(await readFile(join(folder, 'backup.yaml'), 'utf8')).toBe('mine');
    expect(await readFile(join(folder, '.env'), 'utf8')).toBe('mine too');
  });

  it.each([
    ['', false],
    ['node_modules/\n', false],
    ['.env.local\n# .env\n', false],
    ['.env/\n', false],
    ['config/.env\n', false],
    ['.env\n!.env\n', false],
    ['{.env,x}\n', false],
    ['.env', true],
    ['*.log\r\n.env  \r\n', true],
    ['/.env\n', true],
    ['**/.env\n', true],
    ['.env*\n!.env.example\n', true],
    ['*\n', true],
  ])('sees whether .gitignore %j leaves .env out', async (gitignore, ignored) => {
    await writeFile(join(folder, '.gitignore'), gitignore);
    expect(await initPipeline({ folder, kind: 'service', generateSecret: true })).toMatchObject({
      kept: ['.gitignore'],
      dotEnvIgnored: ignored,
    });
  });

  it.each(['', ' '])('takes %j for no folder', async (folder) => {
    await expect(initPipeline({ folder, kind: 'service', generateSecret: false })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('cannot make up a reference token, nor write below a file', async () => {
    await expect(initPipeline({ folder, kind: 'reference-token', generateSecret: true })).rejects.toMatchObject({
      code: 'USAGE',
    });
    await writeFile(join(folder, 'file'), '');
    const below = initPipeline({ folder: join(folder, 'file', 'x'), kind: 'service', generateSecret: false });
    await expect(below).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
  });

  it.runIf(process.platform === 'linux')('ends at once where no folder can be made, and says which', async () => {
    const there = initPipeline({ folder: '/proc/tablevault/x', kind: 'service', generateSecret: false });
    await expect(there).rejects.toMatchObject({
      code: 'DESTINATION_DENIED',
      message: 'the folder /proc/tablevault/x cannot be made or written (ENOENT)',
    });
  });
});
