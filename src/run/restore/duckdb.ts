/** Restores into a DuckDB file. */
import { chmod, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { quotedIdentifier, quotedString } from '@duckdb/node-api';
import { parquetRows } from '../../duckdb/sql.ts';
import { fileFault } from '../../storage/faults.ts';
import { duckDbType, typedColumn } from './columns.ts';
import type { Engine } from './engine.ts';
import { createPartial } from './partial.ts';
import { refuseUsedPath } from './target.ts';
import type { RestoreWriter } from './writer.ts';

/** A DuckDB file with a table a table; key columns are NOT NULL. Written in a private folder beside its place, which it takes at the end. */
export async function openDuckDbWriter(path: string, engine: Engine): Promise<RestoreWriter> {
  await refuseUsedPath(path);
  const folder = await createPartial(path);
  const partial = join(folder, 'target.duckdb');
  let attached = false;
  try {
    await engine.run(`ATTACH ${quotedString(partial)} AS target`);
    attached = true;
  } catch (error) {
    await removeFolder();
    throw error;
  }
  async function removeFolder(): Promise<void> {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
  return {
    shown: path,
    async table({ name, schema }, files) {
      const table = `target.main.${quotedIdentifier(name)}`;
      const columns = schema.columns.map((column) => {
        const needed = schema.key.includes(column.name) ? ' NOT NULL' : '';
        return `${quotedIdentifier(column.name)} ${duckDbType(column)}${needed}`;
      });
      await engine.run(`CREATE TABLE ${table} (${columns.join(', ')})`);
      const selected = schema.columns.map(typedColumn).join(', ');
      await engine.run(`INSERT INTO ${table} SELECT ${selected} FROM ${parquetRows(files)}`);
      return Number(await engine.run(`SELECT count(*) FROM ${table}`));
    },
    async finish() {
      await engine.run('CHECKPOINT target');
      await engine.run('DETACH target');
      attached = false;
      try {
        await chmod(partial, 0o600);
        await refuseUsedPath(path);
        await rename(partial, path);
      } catch (error) {
        throw fileFault(error, 'finishing the target', { store: path, object: basename(path) });
      }
      await removeFolder();
      return [];
    },
    async abort() {
      if (attached) await engine.run('DETACH target').catch(() => undefined);
      await removeFolder();
    },
  };
}
