import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { EXIT, EXIT_CODE_OF } from '../../../src/core/errors.ts';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');

it('docs/errors.md explains every code with its exit code, and no other', () => {
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (.+) \| (.+) \|$/gm)];
  const documented = Object.fromEntries(rows.map(([, code, exit]) => [code, Number(exit)]));
  expect(documented).toEqual(EXIT_CODE_OF);
  for (const [, code, , meaning, remedy] of rows) {
    expect(meaning?.length, code).toBeGreaterThan(10);
    expect(remedy?.length, code).toBeGreaterThan(10);
  }
});

it.each(['docs/errors.md', 'README.md'])('%s lists every exit code, each once', (file) => {
  const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  const exits = [...text.matchAll(/^\| (\d+) +\|/gm)].map(([, exit]) => Number(exit));
  expect(exits).toEqual(Object.values(EXIT));
});
