import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

const run = promisify(execFile);
const script = resolve('test/support/s3-server.sh');

/** The environment of an S3 client for the test server; null when it cannot be had, which is told once. */
export type S3Environment = Readonly<Record<string, string>> | null;

declare module 'vitest' {
  interface ProvidedContext {
    s3: S3Environment;
  }
}

interface Server {
  readonly environment: S3Environment;
  stop(): Promise<void>;
}

/** Several projects name this file, and each loads it anew; they share one server through the process. */
const shared = globalThis as { tablevaultTestS3?: { readonly server: Promise<Server>; users: number } | undefined };

/**
 * vitest `globalSetup`: one S3 server for all test files. With `TEST_S3_ENDPOINT` another server is used, with the standard AWS
 * variables as its credentials. In CI a server that cannot be had fails the tests.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.tablevaultTestS3 ??= { server: obtain(), users: 0 };
  const { tablevaultTestS3: mine } = shared;
  mine.users += 1;
  project.provide('s3', (await mine.server).environment);
  return async () => {
    mine.users -= 1;
    if (mine.users > 0) return;
    shared.tablevaultTestS3 = undefined;
    await (await mine.server).stop();
  };
}

async function obtain(): Promise<Server> {
  const elsewhere = process.env['TEST_S3_ENDPOINT'];
  if (elsewhere !== undefined && elsewhere !== '') {
    const environment = { ...awsVariables(), AWS_ENDPOINT_URL_S3: elsewhere, TABLEVAULT_S3_PATH_STYLE: '1' };
    return { environment, stop: async () => undefined };
  }
  const state = await mkdtemp(join(tmpdir(), 'tablevault-s3-'));
  const stop = async () => {
    await run(script, ['stop', state]);
    await rm(state, { recursive: true, force: true });
  };
  try {
    return { environment: await start(state), stop };
  } catch (error) {
    await stop();
    if (process.env['CI'] === 'true') throw error;
    console.warn(
      `\nS3 TESTS ARE SKIPPED: no test server (${firstLine(error)}). Set TEST_S3_ENDPOINT to use one of yours.\n`,
    );
    return { environment: null, stop: async () => undefined };
  }
}

async function start(state: string): Promise<S3Environment> {
  const cache = resolve('node_modules/.cache/tablevault-s3');
  await run(script, ['fetch', cache], { timeout: 300_000 });
  const ports = await freePorts(3);
  const accessKey = `test${randomBytes(8).toString('hex')}`;
  const secretKey = randomBytes(20).toString('hex');
  const env = { ...process.env, S3_TEST_ACCESS_KEY: accessKey, S3_TEST_SECRET_KEY: secretKey };
  await run(script, ['start', cache, state, ...ports.map(String)], { env, timeout: 180_000 });
  return {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${ports[0]}`,
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_REGION: 'us-east-1',
    TABLEVAULT_S3_PATH_STYLE: '1',
  };
}

function awsVariables(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name, value]) => name.startsWith('AWS_') && value !== undefined);
  return Object.fromEntries(own) as Record<string, string>;
}

/** Ports that were free a moment ago, all open at the same time so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((closed) => server.close(closed));
      return typeof address === 'object' && address !== null ? address.port : 0;
    }),
  );
}

function firstLine(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) || error.message : String(error);
  return text.trim().split('\n').at(-1) ?? '';
}
