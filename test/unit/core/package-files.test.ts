import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile, toolVersion } from '../../../src/core/package-files.ts';

describe('files of the package', () => {
  it.each(['package.json', 'schemas/sensitive-columns.json', 'schemas/demo/tables.jsonl', 'pipelines/nightly.yaml'])(
    '%s is found',
    (path) => expect(existsSync(packageFile(path))).toBe(true),
  );

  it('the version is that of package.json', () => {
    expect(toolVersion()).toBe((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version);
  });
});
