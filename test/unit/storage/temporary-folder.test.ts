import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeTemporaryFolder } from '../../../src/storage/temporary-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-temporary-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

/** The system's folder for temporary files, as the variables of both kinds of systems tell it. */
function pointAt(path: string): void {
  for (const name of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(name, path);
}

describe('a folder for temporary files', () => {
  it('is made where TMPDIR points, and removed with all that it holds', async () => {
    pointAt(folder);
    const made = await makeTemporaryFolder('test');
    expect(dirname(made.path)).toBe(folder);
    expect(basename(made.path)).toMatch(/^tablevault-test-/);
    await writeFile(join(made.path, 'part'), 'x');
    await made.remove();
    expect(await readdir(folder)).toEqual([]);
  });

  it('that cannot be made is an error of exit code 7 that says where and what to do', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'x');
    for (const path of [join(folder, 'missing'), file]) {
      pointAt(path);
      await expect(makeTemporaryFolder('test')).rejects.toMatchObject({
        code: 'DESTINATION_MISSING',
        exitCode: 7,
        message: expect.stringContaining(path),
        hint: expect.stringContaining('TMPDIR'),
      });
    }
  });

  it.runIf(process.platform !== 'win32' && process.getuid?.() !== 0)(
    'that may not be written to is denied',
    async () => {
      await chmod(folder, 0o500);
      pointAt(folder);
      await expect(makeTemporaryFolder('test')).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
      expect((await stat(folder)).isDirectory()).toBe(true);
    },
  );
});
