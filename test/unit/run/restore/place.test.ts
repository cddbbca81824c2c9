import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restoreSnapshot } from '../../../../src/run/restore/restore.ts';
import { parseTarget } from '../../../../src/run/restore/target.ts';
import { vaultOfTables } from './support.ts';

let folder: string;
let restore: (to: string) => ReturnType<typeof restoreSnapshot>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-target-'));
  const { vault } = await vaultOfTables(folder, ['A']);
  restore = (to) => restoreSnapshot(vault, { target: parseTarget(join(folder, to), undefined) });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('the place of a restore', () => {
  it('is where its link leads to: a DuckDB file', async () => {
    await mkdir(join(folder, 'deep'));
    await symlink('deep/real.duckdb', join(folder, 'link.duckdb'));
    expect((await restore('link.duckdb')).target).toBe(join(folder, 'link.duckdb'));
    expect(await readdir(join(folder, 'deep'))).toEqual(['real.duckdb']);
    expect((await stat(join(folder, 'deep/real.duckdb'))).mode & 0o777).toBe(0o600);
    expect(await readlink(join(folder, 'link.duckdb'))).toBe('deep/real.duckdb');
    await expect(restore('link.duckdb')).rejects.toMatchObject({ code: 'USAGE' });
  });

  it.each(['there', 'not-yet'])('is where its link leads to: a folder that is %s', async (name) => {
    if (name === 'there') await mkdir(join(folder, name));
    await symlink(name, join(folder, `to-${name}`));
    await restore(`to-${name}`);
    expect((await readdir(join(folder, name))).sort()).toEqual(['A', 'restore.json']);
    expect(await readlink(join(folder, `to-${name}`))).toBe(name);
  });

  it('is no pipe, and no folder where a file is to be', async () => {
    for (const name of ['pipe', 'pipe.duckdb']) execFileSync('mkfifo', [join(folder, name)]);
    await mkdir(join(folder, 'folder.duckdb'));
    for (const [name, message] of [
      ['pipe', /is no folder/],
      ['pipe.duckdb', /is no file/],
      ['folder.duckdb', /is a folder/],
    ] as const)
      await expect(restore(name)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
    expect((await stat(join(folder, 'pipe'))).isFIFO()).toBe(true);
  });

  it.each(['a?b/r.duckdb', 'r?x=1.duckdb'])(
    'has no ? for a DuckDB file, which takes it for options: %s',
    async (name) => {
      const before = await readdir(folder);
      await expect(restore(name)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('?') });
      expect(await readdir(folder)).toEqual(before);
    },
  );

  it('may have a ? for a folder', async () => {
    await restore('a?folder');
    expect(await readdir(join(folder, 'a?folder'))).toContain('restore.json');
  });
});
