/**
 * How long the executable takes until it does something: prints its help or version, or sends the first request of a snapshot. Node alone
 * is measured in the same rounds, since it is a part of each.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from './lib/program.ts';
import type { StartResult } from './lib/results.ts';
import { LAUNCHER } from './lib/snapshot.ts';
import { spread } from './lib/stats.ts';

/** Gives a run up that never asks for anything, ms. */
const LONGEST_MS = 30_000;

await program('start', async ({ smoke, say }): Promise<StartResult> => {
  const rounds = smoke ? 2 : 15;
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-bench-'));
  let asked = () => {};
  const server = createServer((_request, response) => {
    asked();
    response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const firstRequest = () =>
    new Promise<void>((resolve) => {
      asked = resolve;
    });
  try {
    const pipeline = join(folder, 'bench.yaml');
    const instance = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const auth = { kind: 'reference-token', token: `\${env:TABLEVAULT_BENCH_TOKEN}` };
    await writeFile(pipeline, JSON.stringify({ version: 1, instance, auth, destination: join(folder, 'vault') }));
    const taken: Record<keyof Omit<StartResult, 'rounds'>, number[]> = {
      node: [],
      version: [],
      help: [],
      firstRequest: [],
    };
    // The first round warms the file cache up.
    for (let round = -1; round < rounds; round++) {
      const times = {
        node: await timeOf(['-e', '0']),
        version: await timeOf([LAUNCHER, '--version']),
        help: await timeOf([LAUNCHER, '--help']),
        firstRequest: await timeOf([LAUNCHER, 'snapshot', pipeline], firstRequest()),
      };
      if (round < 0) continue;
      for (const [name, ms] of Object.entries(times)) taken[name as keyof typeof taken].push(ms);
    }
    say(
      `--help ${Math.round(spread(taken.help).median)} ms, first request ${Math.round(spread(taken.firstRequest).median)} ms`,
    );
    return {
      rounds,
      node: spread(taken.node),
      version: spread(taken.version),
      help: spread(taken.help),
      firstRequest: spread(taken.firstRequest),
    };
  } finally {
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  }
});

/** From the start of a Node process until its end, or until `event`; then it is ended. Milliseconds. */
async function timeOf(args: readonly string[], event?: Promise<void>): Promise<number> {
  const { PATH, HOME, TMPDIR } = process.env;
  const env = { PATH, HOME, TMPDIR, TABLEVAULT_PROGRESS: 'off', TABLEVAULT_BENCH_TOKEN: 'enrt_bench0000000000' };
  const from = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: 'ignore', timeout: LONGEST_MS });
  const exit = once(child, 'exit');
  const ended = exit.then(([code]) => {
    if (code !== 0 || event !== undefined)
      throw new Error(`node ${args.join(' ')} ended with ${code} before it was due`);
  });
  await (event === undefined ? ended : Promise.race([event, ended]));
  const ms = performance.now() - from;
  if (event !== undefined) {
    ended.catch(() => undefined);
    child.kill('SIGKILL');
    await exit;
  }
  return ms;
}
