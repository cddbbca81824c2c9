/** Files that the documents name are there: a map that leads nowhere is worse than none. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import picomatch from 'picomatch';
import { expect, it } from 'vitest';

const PAGES = [
  'CONTRIBUTING.md',
  'README.md',
  ...readdirSync('docs').flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];

/** Paths in backticks; with a `*` in its last step one stands for any file of its folder that matches. */
function pathsIn(page: string): readonly string[] {
  const found = readFileSync(page, 'utf8').matchAll(/`((?:src|test|schemas|bench|pipelines|docs|examples)\/[^`\s]*)`/g);
  return [...found].map(([, path]) => path!);
}

function isThere(path: string): boolean {
  if (!path.includes('*')) return existsSync(path);
  const folder = dirname(path);
  return existsSync(folder) && readdirSync(folder).some((name) => picomatch.isMatch(`${folder}/${name}`, path));
}

it.each(PAGES)('%s names no file that is not there', (page) => {
  expect(pathsIn(page).filter((path) => !isThere(path))).toEqual([]);
});

it('CONTRIBUTING.md says where to find things, and how to add the usual ones', () => {
  expect(pathsIn('CONTRIBUTING.md').length).toBeGreaterThan(40);
  const headings = [...readFileSync('CONTRIBUTING.md', 'utf8').matchAll(/^## (.+)$/gm)].map(([, text]) => text);
  const things = ['command', 'store', 'pipeline setting', 'personality of the demo instance'];
  expect(headings).toEqual(
    expect.arrayContaining([...things.map((thing) => `How to add a ${thing}`), 'How to add an error code']),
  );
});
