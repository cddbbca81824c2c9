/**
 * All benchmarks, one process after the other, into one file of results; then the page. `--smoke` runs small sizes and keeps nothing but
 * its verdict. `--only start` runs one of them and prints its figures.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, machineSlug } from './lib/machine.ts';
import { renderNewest } from './lib/newest.ts';
import type { Results } from './lib/results.ts';
import { nonsenseIn, targetsOf, verdictOf } from './lib/targets.ts';

/** From `.cache/bench/bench`, where this file runs. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PROGRAMS = {
  decode: 'decode',
  parquet: 'parquet',
  http: 'http',
  instanceBound: 'instance-bound',
  growth: 'growth',
  start: 'start',
};

const { values } = parseArgs({ options: { smoke: { type: 'boolean', default: false }, only: { type: 'string' } } });
if (values.only !== undefined) {
  await runProgram(values.only, values.smoke ? ['--smoke'] : []);
  process.exit();
}
const results = await runAll(values.smoke);
const nonsense = nonsenseIn(results);
for (const what of nonsense) process.stderr.write(`this cannot be right: ${what}\n`);
if (nonsense.length > 0) process.exitCode = 1;
else if (values.smoke) process.stderr.write(`all benchmarks work (${Math.round(results.durationSeconds)} s)\n`);
else await keep(results);

async function runAll(smoke: boolean): Promise<Results> {
  const startedAt = new Date();
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-bench-'));
  try {
    const parts: Record<string, unknown> = {};
    for (const [key, name] of Object.entries(PROGRAMS)) {
      const out = join(folder, `${name}.json`);
      await runProgram(name, [...(smoke ? ['--smoke'] : []), '--out', out]);
      parts[key] = JSON.parse(await readFile(out, 'utf8'));
    }
    return {
      startedAt: startedAt.toISOString(),
      durationSeconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
      smoke,
      machine: describeMachine(),
      ...(parts as Pick<Results, keyof typeof PROGRAMS>),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runProgram(name: string, args: readonly string[]): Promise<void> {
  const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  // Every writer holds a thread of libuv's pool; the command line sets the same.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '16' };
  const child = spawn(process.execPath, [file, ...args], { stdio: 'inherit', env });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`bench/${name} ended with code ${code}`);
}

async function keep(results: Results): Promise<void> {
  const name = `${results.startedAt.slice(0, 10)}-${machineSlug(results.machine)}.json`;
  const folder = join(ROOT, 'bench', 'results');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `${JSON.stringify(results, null, 2)}\n`);
  await renderNewest(ROOT);
  for (const target of targetsOf(results)) {
    process.stderr.write(
      `${verdictOf(target).padEnd(11)}  ${target.figure}: ${target.got.toPrecision(3)} ${target.unit}\n`,
    );
  }
}
