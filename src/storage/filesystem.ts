/** The system calls of the folder store. */
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { errnoOf } from './faults.ts';

/**
 * The few system calls that the folder store makes, passed in so that a test can record them, fail them, and replay what a
 * power cut would have left. Each does one thing and throws Node's own error (`code`, `syscall`).
 */
export interface FileSystem {
  /** A new file, mode 0600; fails when the path exists. */
  create(path: string): Promise<WritableFile>;
  /** Second name of a file; never replaces (`EEXIST`). */
  link(from: string, to: string): Promise<void>;
  /** Replaces. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** One folder, mode 0700; its parent must exist. */
  mkdir(path: string): Promise<void>;
  /** Makes the names in a folder survive a power cut. */
  syncFolder(path: string): Promise<void>;
  /** Makes the content of a file survive a power cut. */
  syncFile(path: string): Promise<void>;
  open(path: string): Promise<ReadableFile>;
  /** Undefined when nothing is there. Links are not followed. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Undefined when there is no such folder. */
  readdir(path: string): Promise<readonly FolderEntry[] | undefined>;
}

export interface WritableFile {
  /** Appends all of the bytes. */
  write(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadableFile {
  readonly bytes: number;
  /** Up to `into.byteLength` bytes from `position`; 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

export interface FileStat {
  readonly kind: 'file' | 'folder' | 'other';
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
}

type Kinds = { isFile(): boolean; isDirectory(): boolean };
const kindOf = (entry: Kinds) => (entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other');

export const nodeFileSystem: FileSystem = {
  async create(path) {
    const file = await fs.open(path, 'wx', 0o600);
    return {
      write: async (bytes) => {
        for (let at = 0; at < bytes.byteLength; ) {
          at += (await file.write(bytes, at, bytes.byteLength - at)).bytesWritten;
        }
      },
      sync: () => file.sync(),
      close: () => file.close(),
    };
  },
  link: fs.link,
  rename: fs.rename,
  unlink: fs.unlink,
  mkdir: (path) => fs.mkdir(path, { mode: 0o700 }),
  async syncFolder(path) {
    // Windows cannot open a folder for writing, and journals names by itself.
    if (process.platform === 'win32') return;
    const folder = await fs.open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  async syncFile(path) {
    const file = await fs.open(path, process.platform === 'win32' ? 'r+' : 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async open(path) {
    const file = await fs.open(path, 'r');
    try {
      const { size } = await file.stat();
      return {
        bytes: size,
        read: async (into, position) => (await file.read(into, 0, into.byteLength, position)).bytesRead,
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  },
  async stat(path) {
    try {
      const found = await fs.lstat(path);
      return { kind: kindOf(found), bytes: found.size, modifiedMs: Math.floor(found.mtimeMs) };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
  async readdir(path) {
    try {
      const entries = await fs.readdir(path, { withFileTypes: true });
      return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
};
