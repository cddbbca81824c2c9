/** Every command block of README.md and docs/, run as a reader would: in order, in one shell, in an empty folder. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import { type Bucket, newBucket, s3 } from '../support/s3.ts';

const ROOT = resolve('.');
/** Blocks that install or test this very repository: CI runs them by themselves. */
const OF_THE_REPOSITORY = /^(make |npm )/m;

let folder: string;
let demo: DemoInstance;
let bucket: Bucket | undefined;
const pages = [
  'README.md',
  ...(await readdir('docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
];
const runnable = (
  await Promise.all(pages.map(async (page) => ({ page, blocks: blocksOf(await readFile(page, 'utf8')) })))
).filter(({ blocks }) => blocks.length > 0);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-docs-'));
  demo = await startDemo({ rows: 0.02, seed: 1001 });
  bucket = s3 === null ? undefined : await newBucket();
  await mkdir(join(folder, 'bin'));
  const shim = join(folder, 'bin', 'tablevault');
  await writeFile(shim, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'bin', 'tablevault.cjs')}" "$@"\n`);
  await chmod(shim, 0o755);
});

afterAll(async () => {
  bucket?.close();
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

/** Contents of the page's `sh` blocks that are for the reader's own machine. */
function blocksOf(text: string): string[] {
  const blocks = fencesOf(text).filter(({ kind }) => kind === 'sh');
  return blocks.map(({ block }) => block).filter((block) => !OF_THE_REPOSITORY.test(block));
}

function fencesOf(text: string): { kind: string; block: string }[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', block = '']) => ({ kind, block }));
}

/** What the pages tell the reader to do by hand: put the own address and credentials in, name the own bucket. */
function byHand(): string {
  const { clientId, clientSecret } = demo.credentials.service;
  const ofBucket = Object.entries(bucket?.env ?? {}).map(([name, value]) => `'${name}=${value}'`);
  return `by_hand() {
  for file in backup.yaml */backup.yaml; do
    if [ -f "$file" ]; then sed -i 's|https://demodb.my.erp.net|${demo.url}|; s|clientId: my.app/backup|clientId: ${clientId}|' "$file"; fi
  done
  for file in .env */.env; do
    if [ -f "$file" ]; then sed -i 's|^ERPNET_CLIENT_SECRET=.*|ERPNET_CLIENT_SECRET=${clientSecret}|' "$file"
      grep -q ^AWS_ "$file" || printf '%s\\n' ${ofBucket.join(' ')} >>"$file"
    fi
  done
}`;
}

function shell(script: string, cwd: string): Promise<{ code: number; output: string }> {
  const { PATH, HOME, TMPDIR } = process.env;
  const own = Object.entries({ HOME, TMPDIR }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const env = {
    ...Object.fromEntries(own),
    ...bucket?.env,
    PATH: `${join(folder, 'bin')}:${PATH}`,
    TABLEVAULT_PROGRESS: 'off',
  };
  return new Promise((done) => {
    execFile('bash', ['-c', script], { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      done({ code, output: `${stdout}${stderr}` });
    });
  });
}

test('README.md and the first week have command blocks, and no page hides one in another kind of block', async () => {
  expect(runnable.map(({ page }) => page)).toEqual(expect.arrayContaining(['README.md', 'docs/first-week.md']));
  for (const page of pages) {
    const others = fencesOf(await readFile(page, 'utf8')).filter(({ kind }) => kind !== 'sh');
    for (const { kind, block } of others)
      expect(block, `${page}, a block of ${kind}`).not.toMatch(/^(\$ )?tablevault /m);
  }
});

test('the units of the first week run: the timer has a service, is installed and is started', async () => {
  const text = await readFile('docs/first-week.md', 'utf8');
  const units = fencesOf(text).filter(({ kind, block }) => kind === 'ini' && /^\[\w+\]$/m.test(block));
  const sections = units.map(({ block }) => [...block.matchAll(/^\[(\w+)\]$/gm)].map(([, name]) => name));
  expect(sections).toEqual([
    ['Unit', 'Service'],
    ['Unit', 'Timer', 'Install'],
  ]);
  for (const name of ['nightly.service', 'nightly.timer']) expect(text).toContain(`/etc/systemd/system/${name}`);
  expect(text).toMatch(/systemctl enable --now nightly\.timer/);
});

test.each(runnable)('every command block of $page runs', { timeout: 300_000 }, async ({ page, blocks }) => {
  const text = blocks.join('');
  if (bucket === undefined && text.includes('s3://')) return;
  const home = join(folder, page.replaceAll('/', '-'));
  await mkdir(home);
  const steps = blocks.map((block, n) => `echo "--- block ${n + 1} of ${page}"\n${block}by_hand`);
  const script = ['set -euo pipefail', byHand(), 'by_hand', ...steps]
    .join('\n')
    .replaceAll('s3://my-bucket', `s3://${bucket?.name}`);
  const { code, output } = await shell(script, home);
  expect(code, output.slice(-3000)).toBe(0);
});
