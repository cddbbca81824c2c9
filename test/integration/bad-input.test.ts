/** Point "Bad input": what people get wrong ends in one paragraph with a next step, the right exit code, and no snapshot. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import { type CliResult, tablevault } from '../support/cli.ts';

let folder: string;
let demo: DemoInstance;
let secrets: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-bad-input-'));
  demo = await startDemo({ rows: 0.02 });
  const { applications, referenceToken } = demo.credentials;
  secrets = [referenceToken, WRONG, ...Object.values(applications).map(({ clientSecret }) => clientSecret)];
});

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

const WRONG = 'wrong-Zq7pVorrangig9';

interface Given {
  readonly instance?: string;
  readonly clientId?: string;
  readonly secret?: string;
  /** What stands after `clientSecret:`. */
  readonly written?: string;
  readonly destination?: string;
  readonly include?: string;
  readonly more?: string;
}

/** Runs `snapshot --json` on a pipeline that is right but for what is given. */
async function snapshot(given: Given = {}): Promise<CliResult & { readonly vault: string }> {
  const home = await mkdtemp(join(folder, 'case-'));
  const vault = given.destination ?? join(home, 'vault');
  const clientId = given.clientId ?? 'my.app/backup';
  const file = join(home, 'backup.yaml');
  await writeFile(
    file,
    `version: 1
instance: ${given.instance ?? demo.url}
auth:
  kind: service
  clientId: ${clientId}
  clientSecret: ${given.written ?? `\${env:SECRET}`}
tables: { include: ["${given.include ?? 'Gen_C*'}"] }
destination: ${vault}
${given.more ?? ''}
`,
  );
  const secret = given.secret ?? demo.credentials.applications[clientId]!.clientSecret;
  return { vault, ...(await tablevault(['snapshot', file, '--json'], { env: { SECRET: secret } })) };
}

/** One paragraph with code, exit code and a next step; one JSON object; no secret; no snapshot. */
async function expectRefusal(run: CliResult & { readonly vault: string }, code: string, exit: number): Promise<string> {
  const paragraphs = run.stderr.split('\n').filter((line) => line.startsWith('error: '));
  expect(paragraphs, run.stderr).toHaveLength(1);
  const [paragraph] = paragraphs as [string];
  expect(paragraph).toMatch(new RegExp(`[.!?] \\[${code}, exit ${exit}\\]$`));
  expect(paragraph.split(/[.!?] /).length, `a next step: ${paragraph}`).toBeGreaterThanOrEqual(3);
  expect(run.stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
  expect(run.code).toBe(exit);
  expect(JSON.parse(run.stdout)).toMatchObject({ snapshot: null, complete: false, error: { code } });
  for (const secret of secrets) expect(run.stdout + run.stderr).not.toContain(secret);
  expect(await snapshotsIn(run.vault)).toEqual([]);
  return paragraph;
}

async function snapshotsIn(vault: string): Promise<string[]> {
  if (!existsSync(vault)) return [];
  const names = await readdir(vault, { recursive: true }).catch(() => []);
  return names.filter((name) => /(^|[\\/])snapshots[\\/].|latest\.json$/.test(name));
}

/** A small file system of its own, where the user may mount one. */
function mountSmallDisk(path: string, kilobytes = 256): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tablevault-test', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isRoot = process.getuid?.() === 0;

describe('bad input', () => {
  it('the pipeline of these tests is right when nothing is wrong with it', async () => {
    const run = await snapshot();
    expect(run.stderr).not.toContain('error:');
    expect(run.code).toBe(0);
    expect(await snapshotsIn(run.vault)).not.toEqual([]);
  });

  it('an address where nobody listens is INSTANCE_UNREACHABLE', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await expectRefusal(await snapshot({ instance: `http://127.0.0.1:${port}` }), 'INSTANCE_UNREACHABLE', 4);
  });

  it('an address where something else answers is INSTANCE_ANSWER', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not here</h1>');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const run = await snapshot({ instance: `http://127.0.0.1:${port}` });
    server.close();
    const paragraph = run.stderr.split('\n').find((line) => line.startsWith('error: '));
    expect(paragraph).toMatch(/\[(INSTANCE_ANSWER, exit 4|AUTH_AUTHORITY, exit 3)\]$/);
    expect(await snapshotsIn(run.vault)).toEqual([]);
  });

  it('a wrong secret is AUTH_CLIENT', async () => {
    await expectRefusal(await snapshot({ secret: WRONG }), 'AUTH_CLIENT', 3);
  });

  it('an application without the scope read is AUTH_SCOPE', async () => {
    await expectRefusal(await snapshot({ clientId: 'my.app/no-read' }), 'AUTH_SCOPE', 3);
  });

  it('an unknown table is TABLE_UNKNOWN and names near ones', async () => {
    const paragraph = await expectRefusal(await snapshot({ include: 'Gen_Document' }), 'TABLE_UNKNOWN', 2);
    expect(paragraph).toContain('Gen_Documents');
  });

  it('a destination below a file is DESTINATION_MISSING', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    await expectRefusal(await snapshot({ destination: join(file, 'vault') }), 'DESTINATION_MISSING', 7);
  });

  it.skipIf(isRoot)(
    'a destination without the right to write is DESTINATION_DENIED (root may write anywhere)',
    async () => {
      const closed = join(folder, 'closed');
      await mkdir(closed);
      await chmod(closed, 0o500);
      await expectRefusal(await snapshot({ destination: join(closed, 'vault') }), 'DESTINATION_DENIED', 7);
      await chmod(closed, 0o700);
    },
  );

  it.runIf(isRoot)(
    'a destination on a file system that is read-only is DESTINATION_DENIED (needs root)',
    async (context) => {
      const closed = join(folder, 'read-only');
      await mkdir(closed);
      if (!mountSmallDisk(closed)) return context.skip('no file system can be mounted here');
      try {
        execFileSync('mount', ['-o', 'remount,ro', closed]);
        await expectRefusal(await snapshot({ destination: join(closed, 'vault') }), 'DESTINATION_DENIED', 7);
      } finally {
        execFileSync('umount', [closed]);
      }
    },
  );

  it.runIf(isRoot)('a full disk is DESTINATION_FULL (needs root, to mount a small one)', async (context) => {
    const small = join(folder, 'small');
    await mkdir(small);
    if (!mountSmallDisk(small)) return context.skip('no file system can be mounted here');
    try {
      const run = await snapshot({ destination: join(small, 'vault'), include: '*' });
      await expectRefusal(run, 'DESTINATION_FULL', 7);
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it.runIf(isRoot).for([16, 256, 700])(
    'a disk of %i kB that is full and grows again takes the next snapshot whole (needs root)',
    async (kilobytes, context) => {
      const small = join(folder, `grows-${kilobytes}`);
      await mkdir(small);
      if (!mountSmallDisk(small, kilobytes)) return context.skip('no file system can be mounted here');
      try {
        const destination = join(small, 'vault');
        await expectRefusal(await snapshot({ destination, include: '*' }), 'DESTINATION_FULL', 7);
        execFileSync('mount', ['-o', 'remount,size=64m', small]);
        const again = await snapshot({ destination, include: '*' });
        expect(again.code, again.stderr).toBe(0);
        expect(await snapshotsIn(destination)).toHaveLength(2);
        expect((await tablevault(['verify', destination, '--level', 'rows'])).code).toBe(0);
      } finally {
        execFileSync('umount', [small]);
      }
    },
  );

  it('a secret in clear is SECRET_IN_CLEAR, and is not repeated', async () => {
    const paragraph = await expectRefusal(await snapshot({ written: WRONG }), 'SECRET_IN_CLEAR', 2);
    expect(paragraph).toContain('line 6');
  });

  it('an unknown key is CONFIG_INVALID and names the nearest known one', async () => {
    const run = await snapshot({ more: 'limits: { concurency: 2 }' });
    expect(await expectRefusal(run, 'CONFIG_INVALID', 2)).toContain('"concurrency"');
  });

  it('the global identity as instance is refused', async () => {
    await expectRefusal(await snapshot({ instance: 'https://id.erp.net' }), 'CONFIG_INVALID', 2);
  });

  it('a secret that was not set is SECRET_MISSING', async () => {
    await expectRefusal(await snapshot({ secret: '' }), 'SECRET_MISSING', 2);
  });
});
