import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { requireFreshBuild } from '../../support/fresh-build.ts';

const root = mkdtempSync(join(tmpdir(), 'tablevault-build-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, second: number): void {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), '');
  utimesSync(join(root, file), second, second);
}

describe('tests that run the command line', () => {
  it('are refused where dist/ is missing or older than any source, and run where it is newer', () => {
    write('src/cli/main.ts', 100);
    expect(() => requireFreshBuild(root)).toThrow(/^dist\/ is missing.*run `npm run build` first/);
    write('dist/cli.js', 200);
    expect(() => requireFreshBuild(root)).not.toThrow();
    write('src/read/plan.ts', 300);
    expect(() => requireFreshBuild(root)).toThrow(/^dist\/ is older than src.read.plan\.ts.*run `npm run build` first/);
  });
});
