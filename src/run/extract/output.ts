/** Where an extract goes: a file that appears when it is whole, or a stream that cannot be taken back. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { TablevaultError } from '../../core/errors.ts';
import { fileFault } from '../../storage/faults.ts';

export interface ExtractOutput {
  /** For people. */
  readonly name: string;
  readonly isFile: boolean;
  /** Bytes written. */
  readonly bytes: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Takes back all that was written; false where that cannot be done. */
  restart(): Promise<boolean>;
  /** Takes the content of a local file, which may be moved away. */
  adopt(path: string): Promise<void>;
  /** All is written: now it appears. */
  commit(): Promise<void>;
  /** Gives it up, once it is not committed; nothing is left behind. */
  discard(): Promise<void>;
}

/** A stream, as bytes are taken. */
export function streamOutput(name: string, take: (chunk: Uint8Array) => Promise<void>): ExtractOutput {
  let bytes = 0;
  const write = async (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    await take(chunk);
  };
  return {
    name,
    isFile: false,
    get bytes() {
      return bytes;
    },
    write,
    restart: async () => bytes === 0,
    async adopt(path) {
      for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
        await write(chunk as Uint8Array);
    },
    commit: async () => undefined,
    discard: async () => undefined,
  };
}

/**
 * A file: written beside its place under another name, put there when it is whole. One that is there is replaced at that moment and not
 * before.
 * @throws DESTINATION_* for what the file system says
 */
export async function fileOutput(path: string): Promise<ExtractOutput> {
  const target = resolve(path);
  const place = { store: dirname(target), object: basename(target) };
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.partial`);
  const guarded = async <T>(doing: string, step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      throw fileFault(error, doing, place);
    }
  };
  await guarded(`writing ${target}`, () => refuseFolder(target));
  let file: FileHandle | undefined = await guarded(`creating ${target}`, () => open(temporary, 'wx'));
  let bytes = 0;
  const close = async () => {
    const closing = file;
    file = undefined;
    await closing?.close();
  };
  return {
    name: target,
    isFile: true,
    get bytes() {
      return bytes;
    },
    write: (chunk) =>
      guarded(`writing ${target}`, async () => {
        await file?.writeFile(chunk);
        bytes += chunk.byteLength;
      }),
    restart: () =>
      guarded(`writing ${target}`, async () => {
        await close();
        file = await open(temporary, 'w');
        bytes = 0;
        return true;
      }),
    adopt: (from) =>
      guarded(`writing ${target}`, async () => {
        await close();
        // The file may lie on another disk.
        await rename(from, temporary).catch(() => copyFile(from, temporary));
        file = await open(temporary, 'r+');
        bytes = (await file.stat()).size;
      }),
    commit: () =>
      guarded(`writing ${target}`, async () => {
        await file?.sync();
        await close();
        await rename(temporary, target);
      }),
    async discard() {
      await close().catch(() => undefined);
      await rm(temporary, { force: true });
    },
  };
}

async function refuseFolder(target: string): Promise<void> {
  const found = await stat(target).catch(() => undefined);
  if (found?.isDirectory() !== true) return;
  throw new TablevaultError('USAGE', `${target} is a folder`, { hint: 'Name the file: -o folder/Table.csv.' });
}
