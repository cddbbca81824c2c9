import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileSystem, nodeFileSystem } from '../../../src/storage/filesystem.ts';
import { createFolderStore } from '../../../src/storage/folder.ts';
import { openStore } from '../../../src/storage/open.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-folder-'));
});
afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

const bytes = Buffer.from('content');

/** The real file system, with every call written down, and faults where a test wants them. */
function recording(fault: (call: string) => string | undefined = () => undefined) {
  const calls: string[] = [];
  const step = async <T>(call: string, run: () => Promise<T>): Promise<T> => {
    const code = fault(call);
    if (code !== undefined) throw Object.assign(new Error(`${code}: by a test`), { code, syscall: 'test' });
    const result = await run();
    calls.push(call);
    return result;
  };
  const short = (path: string) =>
    path
      .slice(folder.length)
      .replaceAll(sep, '/')
      .replace(/[0-9a-f-]{36}/, '*');
  const fs: FileSystem = {
    ...nodeFileSystem,
    create: async (path) => {
      const file = await step(`create ${short(path)}`, () => nodeFileSystem.create(path));
      return {
        write: (chunk) => step(`write ${short(path)}`, () => file.write(chunk)),
        sync: () => step(`sync ${short(path)}`, () => file.sync()),
        close: () => file.close(),
      };
    },
    link: (from, to) => step(`link ${short(to)}`, () => nodeFileSystem.link(from, to)),
    rename: (from, to) => step(`rename ${short(to)}`, () => nodeFileSystem.rename(from, to)),
    unlink: (path) => step(`unlink ${short(path)}`, () => nodeFileSystem.unlink(path)),
    mkdir: (path) => step(`mkdir ${short(path)}`, () => nodeFileSystem.mkdir(path)),
    syncFolder: (path) => step(`syncFolder ${short(path)}`, () => nodeFileSystem.syncFolder(path)),
  };
  return { fs, calls };
}

describe('a folder store', () => {
  it('has content on the disk before its name, and its name before the put resolves', async () => {
    const { fs, calls } = recording();
    await createFolderStore(join(folder, 'v'), { fileSystem: fs }).putNew('a/b', bytes);
    expect(calls).toEqual([
      'mkdir /v',
      'syncFolder ',
      'mkdir /v/.tmp',
      'syncFolder /v',
      'create /v/.tmp/*',
      'write /v/.tmp/*',
      'sync /v/.tmp/*',
      'mkdir /v/a',
      'syncFolder /v',
      'link /v/a/b',
      'syncFolder /v/a',
      'unlink /v/.tmp/*',
    ]);
  });

  it('secures the name of a folder that another process made and may not have synced', async () => {
    await mkdir(join(folder, 'a'));
    const { fs, calls } = recording();
    await createFolderStore(folder, { fileSystem: fs }).putNew('a/b', bytes);
    expect(calls.indexOf('syncFolder ')).toBeLessThan(calls.indexOf('link /a/b'));
  });

  // Windows has no such modes: a folder there takes over the rights of the one above.
  it.runIf(process.platform !== 'win32')('lets nobody else read: files 0600, folders 0700', async () => {
    const store = createFolderStore(join(folder, 'v'));
    await store.putNew('a/b', bytes);
    await store.replace('a/c', bytes);
    const mode = async (path: string) => ((await stat(join(folder, 'v', path))).mode & 0o777).toString(8);
    expect(await Promise.all(['', 'a', '.tmp', 'a/b', 'a/c'].map(mode))).toEqual(['700', '700', '700', '600', '600']);
  });

  it.each([
    ['ENOSPC', 'DESTINATION_FULL', false],
    ['EDQUOT', 'DESTINATION_FULL', false],
    ['EACCES', 'DESTINATION_DENIED', false],
    ['EROFS', 'DESTINATION_DENIED', false],
    ['ENOTDIR', 'DESTINATION_MISSING', false],
    ['EIO', 'DESTINATION_UNREACHABLE', true],
  ])('at %s at any step ends with %s, a next step, and no object half there', async (errno, code, retryable) => {
    for (const at of [/^create/, /^write/, /^sync /, /^link/, /^mkdir .*\/a$/]) {
      const path = await mkdtemp(join(folder, 'v-'));
      const inner = recording((call) => (at.test(call) ? errno : undefined));
      const store = createFolderStore(path, { fileSystem: inner.fs });
      const result = store.putNew('a/b', bytes);
      await expect(result).rejects.toMatchObject({ code, retryable, hint: expect.stringMatching(/\w+/), exitCode: 7 });
      expect(await createFolderStore(path).head('a/b')).toBeUndefined();
      expect(await readdir(join(path, '.tmp')).catch(() => [])).toEqual([]);
    }
  });

  it('refuses a file system without hard links as unsafe', async () => {
    const { fs } = recording((call) => (call.startsWith('link') ? 'EPERM' : undefined));
    const store = createFolderStore(folder, { fileSystem: fs });
    await expect(store.putNew('a', bytes)).rejects.toMatchObject({ code: 'DESTINATION_UNSAFE' });
  });

  it('makes folders again that were removed under it', async () => {
    const store = createFolderStore(join(folder, 'v'));
    await store.putNew('a/b', bytes);
    for (const name of await readdir(join(folder, 'v'))) await rm(join(folder, 'v', name), { recursive: true });
    await store.putNew('a/b', bytes);
    expect(await store.head('a/b')).toMatchObject({ bytes: 7 });
  });

  it.each(['written', 'read'])(
    'never makes itself again, once something was %s in it: it was moved away',
    async (how) => {
      const root = join(folder, 'v');
      await createFolderStore(root).putNew('a/b', bytes);
      const store = createFolderStore(root);
      if (how === 'read') await store.get('a/b');
      else await store.putNew('a/c', bytes);
      await rename(root, join(folder, 'elsewhere'));
      for (const write of [
        () => store.putNew('a/d', bytes),
        () => store.replace('e', bytes),
        () => store.serverNowMs(),
      ]) {
        await expect(write()).rejects.toMatchObject({ code: 'DESTINATION_MISSING', at: { store: root } });
      }
      expect(await readdir(folder)).toEqual(['elsewhere']);
      await rename(join(folder, 'elsewhere'), root);
      await store.putNew('a/d', bytes);
    },
  );

  it('where a file stands is reported as no folder', async () => {
    await writeFile(join(folder, 'file'), 'x');
    const store = createFolderStore(join(folder, 'file'));
    await expect(store.putNew('a', bytes)).rejects.toMatchObject({ code: 'DESTINATION_MISSING' });
    await expect(store.putNew('a/b', bytes)).rejects.toMatchObject({ code: 'DESTINATION_MISSING' });
  });

  it('finds an object that shrinks while it is read', async () => {
    const store = createFolderStore(folder, {
      fileSystem: {
        ...nodeFileSystem,
        open: async (path) => ({ ...(await nodeFileSystem.open(path)), bytes: 1_000 }),
      },
    });
    await store.putNew('a', bytes);
    await expect(store.get('a')).rejects.toMatchObject({ code: 'VAULT_CORRUPT' });
  });

  it('does not show leftovers of a killed process', async () => {
    const store = createFolderStore(folder);
    await store.putNew('a', bytes);
    await writeFile(join(folder, '.tmp', 'leftover'), 'half');
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    expect(keys).toEqual(['a']);
  });
});

describe('the address of a store', () => {
  it('may be a folder, a file: URL or an S3 prefix', async () => {
    expect((await openStore(folder)).uri).toBe(folder);
    expect((await openStore('some/where')).uri).toBe(join(process.cwd(), 'some/where'));
    expect((await openStore(pathToFileURL(folder).href)).uri).toBe(folder);
    expect((await openStore('s3://bucket/a/b/', { env: { AWS_REGION: 'x' } })).uri).toBe('s3://bucket/a/b');
    expect((await openStore('s3://bucket', { env: { AWS_REGION: 'x' } })).uri).toBe('s3://bucket');
  });

  it.each([
    '',
    ' ',
    'https://host/x',
    's3://',
    's3://b',
    's3://bucket/../x',
    's3://key:secret@bucket/x',
    'ftp://u:secret@h/',
  ])('%j is refused, without showing what may be a password', async (uri) => {
    const error = await openStore(uri, { env: {} }).then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: 'USAGE' });
    expect(`${error?.message}${error?.stack}`).not.toContain('secret');
  });

  it('reads what another store of the same folder wrote', async () => {
    await (await openStore(folder)).putNew('a/b', bytes);
    expect(await readFile(join(folder, 'a', 'b'), 'utf8')).toBe('content');
  });
});
