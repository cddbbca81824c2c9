/** The results that stand in the repository, and the page that is rendered from the newest of them. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderReport } from './report.ts';
import type { Results } from './results.ts';

/** @param root the repository */
export async function renderNewest(root: string): Promise<string> {
  const folder = join(root, 'bench', 'results');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const all = await Promise.all(
    names.map(async (name) => ({ name, results: JSON.parse(await readFile(join(folder, name), 'utf8')) as Results })),
  );
  const newest = all.toSorted((a, b) => a.results.startedAt.localeCompare(b.results.startedAt)).at(-1);
  if (newest === undefined) throw new Error('bench/results holds no results: run `make bench`');
  const page = join(root, 'docs', 'performance.md');
  await writeFile(page, renderReport(newest.results, `bench/results/${newest.name}`));
  return newest.name;
}
