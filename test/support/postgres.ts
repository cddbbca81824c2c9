/**
 * A real PostgreSQL for tests, on loopback with a folder and a port of its own. It must be installed (Debian: `postgresql`); without it the
 * tests that need it are skipped, and in CI they fail. PostgreSQL refuses to run as root: then it runs as the user `postgres` or `nobody`.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface TestPostgres {
  /** An address of a new, empty database. */
  database(): Promise<string>;
  readonly password: string;
  stop(): Promise<void>;
}

/** The folder of `initdb` and `pg_ctl`; undefined when PostgreSQL is not installed. */
export async function postgresFolder(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql';
  const versions = await readdir(root).catch(() => []);
  const newest = versions
    .sort((a, b) => Number(b) - Number(a))
    .find((each) => existsSync(join(root, each, 'bin/initdb')));
  return newest === undefined ? undefined : join(root, newest, 'bin');
}

async function otherUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const user = await execute('id', ['-u', 'postgres']).then(
    () => 'postgres',
    () => 'nobody',
  );
  const of = async (flag: string) => Number((await execute('id', [flag, user])).stdout);
  return { uid: await of('-u'), gid: await of('-g') };
}

export async function startPostgres(bin: string): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-postgres-'));
  const user = await otherUser();
  const password = randomBytes(12).toString('hex');
  const secret = join(folder, 'password');
  await writeFile(secret, password, { mode: 0o600 });
  if (user !== undefined) for (const path of [folder, secret]) await chown(path, user.uid, user.gid);
  const as = { ...user, cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C' } };
  const data = join(folder, 'data');
  const port = await freePort();
  const initdb = ['-D', data, '-U', 'tester', '-A', 'scram-sha-256', '--pwfile', secret, '-E', 'UTF8', '-N'];
  await execute(join(bin, 'initdb'), initdb, as);
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off`;
  await execute(
    join(bin, 'pg_ctl'),
    ['-D', data, '-w', '-t', '60', '-l', join(folder, 'log'), '-o', options, 'start'],
    as,
  );
  const url = (name: string) => `postgres://tester:${password}@127.0.0.1:${port}/${name}`;
  const { default: pg } = await import('pg');
  return {
    password,
    async database() {
      const name = `t${randomBytes(6).toString('hex')}`;
      const client = new pg.Client({ connectionString: url('postgres') });
      await client.connect();
      await client.query(`CREATE DATABASE ${name}`);
      await client.end();
      return url(name);
    },
    async stop() {
      await execute(join(bin, 'pg_ctl'), ['-D', data, '-m', 'immediate', '-w', 'stop'], as).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
