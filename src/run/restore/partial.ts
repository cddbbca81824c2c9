/** Where a restore to a path is written until it is whole. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from '../../core/folders.ts';
import { fileFault } from '../../storage/faults.ts';

/**
 * A new, empty folder beside the target, on the same file system, for this restore alone (mode 0700). Its name is random and it is created
 * exclusively: what a killed restore left behind is never written to and never becomes part of a target.
 * @throws TablevaultError DESTINATION_*
 */
export async function createPartial(path: string): Promise<string> {
  const parent = dirname(path);
  const partial = join(parent, `.${basename(path)}.restoring-${randomUUID()}`);
  try {
    await makeFolder(parent, 0o700);
    await mkdir(partial, { mode: 0o700 });
  } catch (error) {
    throw fileFault(error, 'creating the target', { store: path, object: '.' });
  }
  return partial;
}
