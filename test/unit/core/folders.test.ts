import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { makeFolder } from '../../../src/core/folders.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tablevault-folders-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test('only core/folders.ts makes folders with their paths', async () => {
  // Its folder lies in one that mkdtemp made.
  const allowed: readonly string[] = [];
  const files = (await readdir('src', { recursive: true })).filter((name) => name.endsWith('.ts'));
  const makers: string[] = [];
  for (const file of files.map((name) => `src/${name.replaceAll('\\', '/')}`)) {
    const recursive = /\bmkdir(Sync)?\([^;]*\brecursive: true/.test(await readFile(file, 'utf8'));
    if (recursive && !allowed.includes(file)) makers.push(file);
  }
  expect(makers, 'use makeFolder: mkdir with recursive never ends below /proc').toEqual([]);
});

describe('a folder', () => {
  it('is made with all that is missing of its path, and may be there already', async () => {
    const path = join(root, 'a', 'b', 'c');
    await makeFolder(path, 0o700);
    await makeFolder(path, 0o700);
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(root, 'x', 'y', 'z'))));
    for (const each of ['a', 'a/b', 'a/b/c']) expect((await stat(join(root, each))).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, 'x', 'y', 'z'))).isDirectory()).toBe(true);
  });

  it('may be reached by a link', async () => {
    await mkdir(join(root, 'real'));
    await symlink(join(root, 'real'), join(root, 'link'));
    await makeFolder(join(root, 'link', 'below'));
    expect((await stat(join(root, 'real', 'below'))).isDirectory()).toBe(true);
  });

  it('that cannot be made is an error, at once, wherever its path fails', async () => {
    await writeFile(join(root, 'file'), '');
    await symlink(join(root, 'nowhere', 'at', 'all'), join(root, 'dangling'));
    await expect(makeFolder(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolder(join(root, 'file', 'below', 'it'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(makeFolder(join(root, 'dangling', 'below'))).rejects.toMatchObject({ syscall: 'mkdir' });
  });

  it.runIf(process.platform === 'linux')('below /proc is such an error, and no wait without an end', async () => {
    for (const path of ['/proc/x', '/proc/x/y/z', '/proc/1/x'])
      await expect(makeFolder(path), path).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
