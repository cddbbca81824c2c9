import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDuckDbWriter } from '../../../../src/run/restore/duckdb.ts';
import { openEngine } from '../../../../src/run/restore/engine.ts';
import { openFolderWriter } from '../../../../src/run/restore/folder.ts';
import { restoreSnapshot } from '../../../../src/run/restore/restore.ts';
import { type FileFormat, parseTarget } from '../../../../src/run/restore/target.ts';
import { readSnapshot } from '../../../../src/vault/snapshots.ts';
import { vaultOfTables } from './support.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-leftovers-'));
});
afterAll(() => rm(folder, { recursive: true }));

const FORMATS = ['parquet', 'csv', 'ndjson'] as const;

/** What a restore leaves that was killed in the middle: it neither finishes nor cleans up. The process id is that of the next one, as in a container. */
async function killedRestore(to: string, format: FileFormat | undefined) {
  const { vault, store, tables } = await vaultOfTables(folder, ['A', 'B', 'C']);
  const { manifest } = await readSnapshot(vault, 'latest');
  const engine = await openEngine(join(folder, 'spill'), 100);
  const target = parseTarget(to, format);
  if (target.kind === 'postgres') throw new Error('not here');
  const writer =
    target.kind === 'folder'
      ? await openFolderWriter(target, manifest, engine)
      : await openDuckDbWriter(target.path, engine);
  for (const table of tables.slice(0, 2)) {
    const file = join(folder, 'part.parquet');
    await writeFile(file, await store.get(table.parts[0]!.key));
    await writer.table(table, [file]);
  }
  engine.close();
  return vault;
}

describe('what a killed restore left behind', () => {
  it.each(FORMATS)('never becomes part of a target: files in %s', async (format) => {
    const to = join(folder, format);
    const vault = await killedRestore(to, format);
    const report = await restoreSnapshot(vault, { target: parseTarget(to, format), tables: ['C'] });
    expect(report.rows).toBe(100);
    expect((await readdir(to)).sort()).toEqual([format === 'parquet' ? 'C' : `C.${format}`, 'restore.json']);
    expect(JSON.parse(await readFile(join(to, 'restore.json'), 'utf8')).tables).toHaveLength(1);
  });

  it('never becomes part of a target: a DuckDB file, with the same tables or others', async () => {
    const to = join(folder, 'a.duckdb');
    const vault = await killedRestore(to, undefined);
    await restoreSnapshot(vault, { target: parseTarget(to, undefined), tables: ['B', 'C'] });
    const instance = await DuckDBInstance.create(to, { access_mode: 'READ_ONLY' });
    const connection = await instance.connect();
    const shown = await connection.runAndReadAll('SHOW TABLES');
    expect(shown.getRows().flat()).toEqual(['B', 'C']);
    expect((await connection.runAndReadAll('SELECT count(*)::INTEGER FROM B')).getRows()).toEqual([[100]]);
    connection.closeSync();
    instance.closeSync();
  });
});

describe('a restore in the middle', () => {
  it.each([...FORMATS, undefined])('can be read by its owner alone (%s)', async (format) => {
    const parent = await mkdtemp(join(folder, 'modes-'));
    await killedRestore(join(parent, format === undefined ? 'x.duckdb' : 'x'), format);
    const names = await readdir(parent);
    expect(names).toEqual([expect.stringMatching(/^\.x.*\.restoring-[0-9a-f-]{36}$/)]);
    expect((await stat(join(parent, names[0]!))).mode & 0o777).toBe(0o700);
  });

  it.each(['csv', 'ndjson'] as const)('writes files that belong to their owner alone (%s)', async (format) => {
    const to = join(folder, `modes-${format}`);
    const { vault } = await vaultOfTables(folder, ['A']);
    await restoreSnapshot(vault, { target: parseTarget(to, format) });
    expect((await stat(join(to, `A.${format}`))).mode & 0o777).toBe(0o600);
  });
});
