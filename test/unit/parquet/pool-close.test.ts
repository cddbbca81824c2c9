/** Needs `dist/`: writer threads take compiled JavaScript. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** A URL: Windows takes no path in an import. */
const POOL = new URL('../../../dist/parquet/pool.js', import.meta.url).href;

/** In a process of its own: what this guards against ends the process without a word of JavaScript. */
const PROGRAM = `
import { WriterPool } from ${JSON.stringify(POOL)};
const spec = (path) => ({
  table: 'T', key: ['Id'], profile: 'portable', compression: 'zstd', partRows: 1000, path, metadata: {},
  absentIsNull: false, maxRowBytes: 1e6,
  columns: [{ name: 'Id', edmType: 'Edm.Int32', type: { kind: 'int32' }, nullable: false, sensitive: false }],
});
for (let round = 0; round < 3; round++) {
  const pool = new WriterPool(2, 16);
  const sinks = await Promise.all([0, 1].map((n) => pool.open(spec(process.argv[1] + '/' + round + '-' + n))));
  for (const sink of sinks) {
    sink.begin(null);
    await sink.write(Buffer.from('{"value":[' + Array.from({ length: 50000 }, (_, i) => '{"Id":' + i + '}').join(',')));
  }
  await new Promise((resolve) => setTimeout(resolve, 600 * round));
  if (round !== 1) for (const sink of sinks) sink.abort();
  await pool.close();
}
console.log('closed');
`;

test('a pool that is closed while its writers work ends them without ending the process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tablevault-pool-'));
  try {
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', PROGRAM, folder], { encoding: 'utf8' });
    expect({ status: run.status, signal: run.signal, said: run.stdout.trim() }).toEqual({
      status: 0,
      signal: null,
      said: 'closed',
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
