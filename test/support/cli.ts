/** The executable as a person or a scheduler runs it. Needs `dist/`: `npm test` builds it first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../bin/tablevault.cjs', import.meta.url));

/**
 * Temporary files of the commands that this test process runs. Every demo instance of the same seed has the same reference token, whose
 * lock is kept there: test files that run side by side must not see each other's.
 */
const TEMPORARY = join(tmpdir(), `tablevault-test-${process.pid}`);
process.once('exit', () => rmSync(TEMPORARY, { recursive: true, force: true }));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with the process once it runs, to signal it or to close its pipes. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs `tablevault …args` to its end. */
export function tablevault(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return runNode([LAUNCHER, ...args], options);
}

/** Runs `node …args` to its end. Nothing of the environment that could change a program's behaviour is passed on. */
export function runNode(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { PATH, HOME } = process.env;
  mkdirSync(TEMPORARY, { recursive: true });
  const own = Object.fromEntries(
    Object.entries({ PATH, HOME, TMPDIR: TEMPORARY }).filter(([, value]) => value !== undefined),
  );
  const child = spawn(process.execPath, args, {
    env: { ...own, ...options.env },
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  options.onStart?.(child);
  let stdout = '';
  let stderr = '';
  // A character may come in two chunks.
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
