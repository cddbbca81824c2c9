/** Where an extract goes: a file that appears when it is whole, or a stream that cannot be taken back. */
import { randomUUID } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { chmod, copyFile, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { TablevaultError } from '../../core/errors.ts';
import { outputPlace } from '../../core/output-place.ts';
import { fileFault } from '../../storage/faults.ts';
import { type Through, type ThroughDeps, throughHandle, throughPipe } from './through.ts';

/** The mode of what holds rows: a vault and its copies are as confidential as the database. */
const OWNER_ALONE = 0o600;

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
 * What a path leads to: a file, or a pipe, device or open file, which is written through.
 * @throws USAGE for a folder; DESTINATION_* for what the file system says
 */
export async function pathOutput(path: string, deps: ThroughDeps): Promise<ExtractOutput> {
  const name = resolve(path);
  const guarded = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      throw fileFault(error, `writing ${name}`, { store: dirname(name), object: basename(name) });
    }
  };
  const place = await guarded(() => outputPlace(name));
  switch (place.kind) {
    case 'folder':
      throw new TablevaultError('USAGE', `${name} is a folder`, { hint: 'Name the file: -o folder/Table.csv.' });
    case 'stream': {
      const open = place.isPipe ? throughPipe : throughHandle;
      return throughOutput(name, await guarded(() => open(place.path, deps)), guarded);
    }
    case 'nothing':
      return fileOutput(name, place.path, undefined, guarded);
    case 'file':
      return fileOutput(name, place.path, place.stats, guarded);
  }
}

type Guarded = <T>(step: () => Promise<T>) => Promise<T>;

function throughOutput(name: string, through: Through, guarded: Guarded): ExtractOutput {
  const stream = streamOutput(name, (chunk) => guarded(() => through.write(chunk)));
  return {
    ...stream,
    get bytes() {
      return stream.bytes;
    },
    commit: () => guarded(() => through.end()),
    discard: () => through.close(),
  };
}

/**
 * A file: written beside its place under another name, put there when it is whole. One that is there is replaced at that moment and not
 * before; the new one has its mode and, where that may be given, its owner. Until then, and where none was, it is its owner's alone.
 */
async function fileOutput(
  name: string,
  target: string,
  before: Stats | undefined,
  guarded: Guarded,
): Promise<ExtractOutput> {
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.partial`);
  let file: FileHandle | undefined = await guarded(() => open(temporary, 'wx', OWNER_ALONE));
  let bytes = 0;
  const close = async () => {
    const closing = file;
    file = undefined;
    await closing?.close();
  };
  return {
    name,
    isFile: true,
    get bytes() {
      return bytes;
    },
    write: (chunk) =>
      guarded(async () => {
        await file?.writeFile(chunk);
        bytes += chunk.byteLength;
      }),
    restart: () =>
      guarded(async () => {
        await close();
        file = await open(temporary, 'w');
        bytes = 0;
        return true;
      }),
    adopt: (from) =>
      guarded(async () => {
        await close();
        await chmod(from, OWNER_ALONE);
        // The file may lie on another disk.
        await rename(from, temporary).catch(() => copyFile(from, temporary));
        file = await open(temporary, 'r+');
        bytes = (await file.stat()).size;
      }),
    commit: () =>
      guarded(async () => {
        if (before !== undefined) {
          // Only root may give a file to somebody else.
          await file?.chown(before.uid, before.gid).catch(() => undefined);
          await file?.chmod(before.mode & 0o777);
        }
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
