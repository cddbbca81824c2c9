/** Files of this package that are no code of the module at hand: the one place that knows where they lie. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TablevaultError } from './errors.ts';

/** Absolute path of a file of the package, such as `schemas/sensitive-columns.json`. Works from source and from the bundles in `dist/`. */
export function packageFile(path: string): string {
  return join(packageRoot(), ...path.split('/'));
}

/** Version of this installation, as package.json has it. */
export function toolVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string };
  return version;
}

/** The folder of the nearest package.json above this module, wherever the build has put it. */
function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) {
      throw new TablevaultError('BUG', 'the files of the package tablevault cannot be found', {
        hint: 'Install it again. If it is bundled into another program, keep its folder as it is.',
      });
    }
  }
}
