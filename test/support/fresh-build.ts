/** Tests that run the command line run `dist/`: it must be of the code that is there. */
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Older than a source, it is of other code. */
const BUILT = 'dist/cli.js';

/** Before any test of the project. @throws when `dist/` is missing or older than a file below `src/` */
export default function setup(): void {
  requireFreshBuild(ROOT);
}

/** @throws Error when the build below `root` is missing or older than a source */
export function requireFreshBuild(root: string): void {
  const built = modifiedMs(join(root, BUILT));
  const newer = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .find((file) => modifiedMs(file) > built);
  if (newer === undefined && built > 0) return;
  const why = built === 0 ? 'dist/ is missing' : `dist/ is older than ${relative(root, newer ?? '')}`;
  throw new Error(`${why}, so these tests would try other code: run \`npm run build\` first.`);
}

function modifiedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
