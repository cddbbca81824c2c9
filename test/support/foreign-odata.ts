/**
 * OData V4 servers that were not written here, for tests: SAP CAP, and SAP's mock server for Fiori elements. Each is installed once below
 * `.cache` from its lock file (no install script runs, nothing but the npm registry is asked), and serves rows of the test on loopback.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export type ForeignKind = 'cap' | 'mockserver';

export interface ForeignServer {
  /** Origin; the service is at `/tableapi/odata/`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Entity sets with their rows. */
export type ForeignRows = Readonly<Record<string, readonly object[]>>;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const INSTALL_MS = 300_000;
const START_MS = 60_000;

/** Installs a server where it is not installed yet; its folder, or why it cannot be had. */
export async function installForeign(
  kind: ForeignKind,
): Promise<{ readonly folder: string } | { readonly why: string }> {
  const source = join(ROOT, 'test/support/foreign', kind);
  const folder = join(ROOT, '.cache/foreign', kind);
  const lock = await readFile(join(source, 'package-lock.json'), 'utf8');
  const installed = await readFile(join(folder, 'package-lock.json'), 'utf8').catch(() => null);
  const files = kind === 'cap' ? ['server.cjs', 'model.cds'] : ['server.cjs', 'metadata.xml'];
  if (installed !== lock || !existsSync(join(folder, 'node_modules'))) {
    await mkdir(join(ROOT, '.cache/foreign'), { recursive: true });
    const fresh = await mkdtemp(join(ROOT, '.cache/foreign', `${kind}-`));
    try {
      for (const file of ['package.json', 'package-lock.json']) await copyFile(join(source, file), join(fresh, file));
      const npm = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev'];
      await execute('npm', npm, { cwd: fresh, timeout: INSTALL_MS });
      await rm(folder, { recursive: true, force: true });
      await rename(fresh, folder);
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      return { why: `npm ci failed: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}` };
    }
  }
  for (const file of files) await copyFile(join(source, file), join(folder, file));
  return { folder };
}

/** Starts an installed server with these rows. Throws with what it printed when it does not serve in time. */
export async function startForeign(folder: string, rows: ForeignRows): Promise<ForeignServer> {
  const data = await mkdtemp(join(tmpdir(), 'tablevault-foreign-rows-'));
  const file = join(data, 'rows.json');
  await writeFile(file, JSON.stringify(rows));
  const child = spawn(process.execPath, ['server.cjs', file], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill();
    await exited;
    await rm(data, { recursive: true, force: true });
  };
  try {
    return { url: `http://127.0.0.1:${await portOf(child)}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port that a server prints when it serves. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const fail = (what: string) => reject(new Error(`the foreign server ${what}:\n${printed}`));
    const timer = setTimeout(() => fail(`does not serve after ${START_MS / 1000} seconds`), START_MS);
    const read = (chunk: Buffer) => {
      printed += chunk.toString();
      const port = /^port (\d+)$/m.exec(printed);
      if (port === null) return;
      clearTimeout(timer);
      resolve(Number(port[1]));
    };
    child.stdout!.on('data', read);
    child.stderr!.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
  });
}
