/** What stands where a command is to write, and so how it may write there. The one rule for every path of an output. */
import type { Stats } from 'node:fs';
import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** `path` is where the links of the path that was given lead to. */
export type OutputPlace = { readonly path: string } & (
  | { readonly kind: 'nothing' }
  /** A regular file: it may be replaced by one that is renamed to `path`. */
  | { readonly kind: 'file'; readonly stats: Stats }
  | { readonly kind: 'folder' }
  /** A pipe, a device, or an open file of a process: it is written to and never replaced. */
  | { readonly kind: 'stream'; readonly isPipe: boolean }
);

/** More links one after the other are a circle, as the system sees it. */
const MOST_LINKS = 40;

/**
 * Follows the links of a path, also to a place where nothing is yet.
 * @throws Node's error (`code`, `syscall`) where the path leads nowhere: a circle of links, no right to look
 */
export async function outputPlace(given: string): Promise<OutputPlace> {
  const path = await followed(resolve(given));
  const found = await unlessMissing(stat(path));
  if (found === undefined) return { path, kind: 'nothing' };
  if (found.isDirectory()) return { path, kind: 'folder' };
  if (found.isFile() && !(await isOpenFile(path))) return { path, kind: 'file', stats: found };
  return { path, kind: 'stream', isPipe: found.isFIFO() };
}

async function followed(given: string): Promise<string> {
  let path = given;
  for (let links = 0; links < MOST_LINKS; links++) {
    const found = await unlessMissing(lstat(path));
    if (found?.isSymbolicLink() !== true || (await isOpenFile(path))) return path;
    path = resolve(await realpath(dirname(path)), await readlink(path));
  }
  return path;
}

/** `/dev/stdout` leads to `/proc/self/fd/1`: not a link to a path, whatever it reads as, but a file that is open. */
async function isOpenFile(path: string): Promise<boolean> {
  return /^\/proc\/\d+\/(task\/\d+\/)?fd$/.test((await unlessMissing(realpath(dirname(path)))) ?? '');
}

async function unlessMissing<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
