import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { pathOutput } from '../../../../src/run/extract/output.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-output-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = (name: string) => join(folder, name);
const deps = (signal = new AbortController().signal) => ({ clock: systemClock, signal });
const modeOf = async (name: string) => ((await stat(path(name))).mode & 0o777).toString(8);

async function written(name: string, content = 'new'): Promise<void> {
  const output = await pathOutput(path(name), deps());
  await output.write(Buffer.from(content));
  await output.commit();
}

describe.skipIf(process.platform === 'win32')('an output with a path', () => {
  it('that is new belongs to its owner alone, while it is written too', async () => {
    const output = await pathOutput(path('a.csv'), deps());
    const [partial] = await readdir(folder);
    expect(await modeOf(partial!)).toBe('600');
    await output.commit();
    expect(await modeOf('a.csv')).toBe('600');
  });

  it.each([0o640, 0o600, 0o444])('that is there keeps its mode (%o)', async (mode) => {
    await writeFile(path('a.csv'), 'old', { mode });
    await written('a.csv');
    expect(await readFile(path('a.csv'), 'utf8')).toBe('new');
    expect(await modeOf('a.csv')).toBe(mode.toString(8));
  });

  it('keeps its mode when a file that lies elsewhere is taken', async () => {
    await writeFile(path('a.parquet'), 'old', { mode: 0o640 });
    await writeFile(path('elsewhere'), 'whole', { mode: 0o644 });
    for (const name of ['a.parquet', 'b.parquet']) {
      await writeFile(path('elsewhere'), 'whole', { mode: 0o644 });
      const output = await pathOutput(path(name), deps());
      await output.adopt(path('elsewhere'));
      await output.commit();
    }
    expect(await modeOf('a.parquet')).toBe('640');
    expect(await modeOf('b.parquet')).toBe('600');
  });

  it.each(['real.csv', 'not-yet.csv'])('that is a link stays one: %s, which it leads to, is replaced', async (real) => {
    await mkdir(path('deep'));
    await writeFile(path('deep/real.csv'), 'old', { mode: 0o640 });
    await symlink(`deep/${real}`, path('link.csv'));
    const output = await pathOutput(path('link.csv'), deps());
    expect(output.name).toBe(path('link.csv'));
    await output.write(Buffer.from('new'));
    expect((await readdir(path('deep'))).filter((name) => name.endsWith('.partial'))).toHaveLength(1);
    await output.commit();
    expect(await readlink(path('link.csv'))).toBe(`deep/${real}`);
    expect(await readFile(path(`deep/${real}`), 'utf8')).toBe('new');
  });

  it('that is a folder is refused', async () => {
    await symlink('.', path('link'));
    for (const to of [folder, path('link')])
      await expect(pathOutput(to, deps())).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 });
  });

  it('that is a device is written to', async () => {
    const output = await pathOutput('/dev/null', deps());
    expect(output.isFile).toBe(false);
    await output.write(Buffer.from('new'));
    await output.commit();
    expect(output.bytes).toBe(3);
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it.skipIf(process.platform !== 'linux')('that is an open file of a process is written to, at its end', async () => {
    await writeFile(path('log'), 'before ');
    const file = await open(path('log'), 'a');
    await symlink(`/proc/self/fd/${file.fd}`, path('out.csv'));
    await written('out.csv');
    await file.close();
    expect(await readFile(path('log'), 'utf8')).toBe('before new');
    expect((await lstat(path('out.csv'))).isSymbolicLink()).toBe(true);
  });
});

describe.skipIf(process.platform === 'win32')('an output that is a pipe', () => {
  beforeEach(() => execFileSync('mkfifo', [path('pipe')]));

  it('waits for its reader, who gets everything', async () => {
    const opening = pathOutput(path('pipe'), deps());
    const reading = text(createReadStream(path('pipe')));
    const output = await opening;
    // More than a pipe holds.
    await output.write(Buffer.alloc(1_000_000, 'a'));
    expect(await output.restart()).toBe(false);
    await output.commit();
    expect(await reading).toHaveLength(1_000_000);
    expect((await stat(path('pipe'))).isFIFO()).toBe(true);
  });

  it('no longer waits once it is interrupted, neither for a reader nor for one who does not read', async () => {
    const early = new AbortController();
    const opening = pathOutput(path('pipe'), deps(early.signal));
    early.abort(new Error('interrupted'));
    await expect(opening).rejects.toThrow('interrupted');
    const late = new AbortController();
    // Opened for both, a pipe has a reader at once.
    const idle = await open(path('pipe'), 'r+');
    const output = await pathOutput(path('pipe'), deps(late.signal));
    const writing = output.write(Buffer.alloc(1_000_000));
    late.abort(new Error('interrupted'));
    await expect(writing).rejects.toThrow('interrupted');
    await output.discard();
    await idle.close();
  });

  it('says that its reader has gone', async () => {
    const idle = await open(path('pipe'), 'r+');
    const output = await pathOutput(path('pipe'), deps());
    await idle.close();
    await expect(output.write(Buffer.from('a'))).rejects.toMatchObject({
      code: 'DESTINATION_UNREACHABLE',
      message: expect.stringContaining('has gone'),
    });
    await output.discard();
  });
});
