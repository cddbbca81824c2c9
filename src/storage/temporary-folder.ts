/** A folder of its own below the system's folder for temporary files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TablevaultError } from '../core/errors.ts';
import { fileFault } from './faults.ts';

export interface TemporaryFolder {
  readonly path: string;
  /** Removes it with all that it holds. */
  remove(): Promise<void>;
}

/**
 * Makes a folder for temporary files. Do it before anything is locked or begun: where it cannot be made, nothing can be read.
 * @param purpose stands in its name
 * @throws TablevaultError DESTINATION_*
 */
export async function makeTemporaryFolder(purpose: string): Promise<TemporaryFolder> {
  const parent = tmpdir();
  try {
    const path = await mkdtemp(join(parent, `tablevault-${purpose}-`));
    return { path, remove: () => rm(path, { recursive: true, force: true }) };
  } catch (error) {
    const fault = fileFault(error, 'making a folder', { store: parent, object: parent });
    if (!(fault instanceof TablevaultError)) throw fault;
    throw new TablevaultError(
      fault.code,
      `the folder for temporary files, ${parent}, cannot be used: ${fault.message}`,
      {
        at: { folder: parent },
        cause: error,
        hint: 'Point TMPDIR (on Windows TEMP) at a folder that exists, can be written to, and has room for the files that are worked on.',
      },
    );
  }
}
