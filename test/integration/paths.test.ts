/** Addresses that other programs open are given as they are. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { smallVault } from '../support/small-vault.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-paths-minioadmin-'));
});
afterAll(() => rm(folder, { recursive: true }));

it.each(['minioadmin', 'test'])(
  'paths gives the files that there are, also where a key of S3 is a word of them: %s',
  async (key) => {
    const vault = await smallVault(folder);
    const env = { AWS_SECRET_ACCESS_KEY: key };
    const lines = (await tablevault(['paths', vault, 'Gen_One'], { env })).stdout.trim().split('\n');
    expect(lines).toEqual([expect.stringContaining('minioadmin')]);
    const { stdout } = await tablevault(['paths', vault, 'Gen_One', '--json'], { env });
    expect(JSON.parse(stdout)).toMatchObject({ table: 'Gen_One', paths: lines });
  },
);
