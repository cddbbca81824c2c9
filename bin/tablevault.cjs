#!/usr/bin/env node
// First statement of the process: libuv sizes its thread pool at the pool's first use, and every Parquet writer holds one pool
// thread while it waits for bytes. With the default of 4, writers could take all threads and wait for each other's file reads.
// On Windows libuv does not see what a program sets: there must be no more writers than the threads there really are.
// With fewer than two threads, or no number, a writer would wait for itself.
if (process.platform !== 'win32' && !(Number(process.env.UV_THREADPOOL_SIZE) >= 2))
  process.env.UV_THREADPOOL_SIZE = '16';

import('../dist/cli.js').catch((error) => {
  const missing = error.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).includes('dist');
  const next = missing ? 'Run `npm ci && npm run build` first.' : 'Run `npm ci`, then try again.';
  process.stderr.write(`error: tablevault cannot start: ${error.message} ${next}\n`);
  process.exitCode = 1;
});
