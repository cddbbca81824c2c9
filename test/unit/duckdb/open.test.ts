import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quotedString } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDuckDb } from '../../../src/duckdb/open.ts';
import { parquetRows } from '../../../src/duckdb/sql.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-duckdb-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a DuckDB', () => {
  it('runs no statement to its end after an interrupt, also one that comes while nothing runs', async () => {
    const stop = new AbortController();
    const { connection, close } = await openDuckDb({ threads: 1, signal: stop.signal });
    try {
      stop.abort();
      const endless = connection.run(
        'SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1',
      );
      await expect(endless).rejects.toThrow(/interrupt/i);
    } finally {
      close();
    }
  });

  it('is not opened after an interrupt, also one that comes while it is being opened', async () => {
    const stop = new AbortController();
    const reason = new Error('stop');
    const opening = openDuckDb({ threads: 1, signal: stop.signal });
    stop.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });

  it('is in UTC, in bounded memory, and loads no extension by itself', async () => {
    const { connection, close } = await openDuckDb({ memoryMb: 100, threads: 1, spill: join(folder, 'spill') });
    try {
      const setting = async (name: string) =>
        (await connection.runAndReadAll(`SELECT current_setting('${name}')`)).getRowsJson()[0]?.[0];
      expect(await setting('TimeZone')).toBe('UTC');
      expect(await setting('threads')).toBe('1');
      expect(String(await setting('memory_limit'))).toMatch(/^95(\.\d)? MiB$/);
      expect(await setting('autoinstall_known_extensions')).toBe(false);
      expect(await setting('autoload_known_extensions')).toBe(false);
    } finally {
      close();
    }
  });

  it('ends the statement that runs when its signal aborts', async () => {
    const abort = new AbortController();
    const { connection, close } = await openDuckDb({ signal: abort.signal });
    try {
      setTimeout(() => abort.abort(), 50);
      const endless = 'SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE a.range + b.range = 7';
      await expect(connection.run(endless)).rejects.toThrow(/interrupt/i);
    } finally {
      close();
    }
  });

  it('reads files with any name, and takes nothing of the name for a column', async () => {
    const { connection, close } = await openDuckDb({});
    try {
      // Windows takes neither * nor ? in a name.
      const file = join(folder, `it's year=2024 [1]${process.platform === 'win32' ? '' : ' *what?'}.parquet`);
      await connection.run(`COPY (SELECT 1 AS n) TO ${quotedString(file)} (FORMAT parquet)`);
      const rows = await connection.runAndReadAll(`SELECT * FROM ${parquetRows([file])}`);
      expect(rows.getRowObjectsJson()).toEqual([{ n: 1 }]);
    } finally {
      close();
    }
  });
});
