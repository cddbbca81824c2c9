import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outputPlace } from '../../../src/core/output-place.ts';

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'tablevault-place-')));
  await mkdir(join(folder, 'deep'));
  await writeFile(join(folder, 'deep/file'), '');
  await symlink('file', join(folder, 'deep/link'));
  await symlink('deep/link', join(folder, 'twice'));
  await symlink('deep/new', join(folder, 'to-new'));
  await symlink('deep', join(folder, 'to-folder'));
  await symlink('circle', join(folder, 'circle'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await symlink('pipe', join(folder, 'to-pipe'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('where an output goes', () => {
  it.each([
    ['deep/file', 'file', 'deep/file'],
    ['twice', 'file', 'deep/file'],
    ['new', 'nothing', 'new'],
    ['no/such', 'nothing', 'no/such'],
    ['to-new', 'nothing', 'deep/new'],
    ['to-folder', 'folder', 'deep'],
    ['to-folder/new', 'nothing', 'to-folder/new'],
    ['pipe', 'stream', 'pipe'],
    ['to-pipe', 'stream', 'pipe'],
  ])('%s is %s', async (given, kind, path) => {
    expect(await outputPlace(join(folder, given))).toMatchObject({ kind, path: join(folder, path) });
  });

  it('a device is written to', async () => {
    expect(await outputPlace('/dev/null')).toEqual({ kind: 'stream', path: '/dev/null', isPipe: false });
  });

  it('a circle of links is an error of the system', async () => {
    await expect(outputPlace(join(folder, 'circle'))).rejects.toMatchObject({ code: 'ELOOP' });
  });

  it.skipIf(process.platform !== 'linux')('an open file of a process is written to, though it has a path', async () => {
    const file = await open(join(folder, 'deep/file'), 'a');
    await symlink(`/proc/self/fd/${file.fd}`, join(folder, 'to-open'));
    expect(await outputPlace(join(folder, 'to-open'))).toMatchObject({ kind: 'stream', isPipe: false });
    await file.close();
  });
});
