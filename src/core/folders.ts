/** Making folders: the one place, for Node's own way of making a whole path may never end. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and what is missing of its path, one folder after the other. A folder that is there stays as it is.
 *
 * Node's `mkdir` with `recursive` begins anew for as long as the parent is there and the folder is missing, which below `/proc` is for ever:
 * it holds a core and a thread that no signal ends. Here each folder is tried twice at most.
 *
 * @param mode permissions of the folders that are made; default those of the umask
 * @throws Node's error (`code`, `syscall`) of the folder that cannot be made
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  const folder = resolve(path);
  const parent = dirname(folder);
  try {
    await makeOne(folder, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent, mode);
    await makeOne(folder, mode);
  }
}

/** Its parent must be there. */
async function makeOne(folder: string, mode: number | undefined): Promise<void> {
  try {
    await mkdir(folder, mode);
  } catch (error) {
    // A read-only disk, or a folder that may not be written, says so even of a folder that is there.
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory() !== true) throw error;
  }
}
