/** Restores into a DuckDB file. */
import { chmod, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { quotedIdentifier, quotedString } from '@duckdb/node-api';
import { TablevaultError } from '../../core/errors.ts';
import { parquetRows } from '../../duckdb/sql.ts';
import { fileFault } from '../../storage/faults.ts';
import { duckDbType, typedColumn } from './columns.ts';
import type { Engine } from './engine.ts';
import { createPartial } from './partial.ts';
import { emptyPlace } from './target.ts';
import type { RestoreWriter } from './writer.ts';
import { columnsWithBothZeros, fillKeepingZeros, lostSigns, signsOfZeros } from './zeros.ts';

/** A DuckDB file with a table a table; key columns are NOT NULL. Written in a private folder beside its place, which it takes at the end. */
export async function openDuckDbWriter(path: string, engine: Engine): Promise<RestoreWriter> {
  const real = await emptyPlace(path, 'file');
  refuseOptions(real);
  const folder = await createPartial(real);
  const partial = join(folder, 'target.duckdb');
  let attached = false;
  /** Tables in which both zeros stand, with what tells them apart. */
  const withZeros: { readonly name: string; readonly zeros: readonly string[]; readonly signs: string }[] = [];
  const inTarget = (name: string) => `target.main.${quotedIdentifier(name)}`;
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
      const table = inTarget(name);
      const rows = parquetRows(files);
      const zeros = await columnsWithBothZeros(engine, schema.columns, rows);
      const columns = schema.columns.map((column) => {
        const needed = schema.key.includes(column.name) ? ' NOT NULL' : '';
        const uncompressed = zeros.includes(column.name) ? ' USING COMPRESSION uncompressed' : '';
        return `${quotedIdentifier(column.name)} ${duckDbType(column)}${uncompressed}${needed}`;
      });
      const selected = schema.columns.map(typedColumn).join(', ');
      if (zeros.length === 0) {
        await engine.run(`CREATE TABLE ${table} (${columns.join(', ')})`);
        await engine.run(`INSERT INTO ${table} SELECT ${selected} FROM ${rows}`);
      } else {
        const filled = { table, columns: columns.join(', '), selected, rows, zeros };
        const signs = await fillKeepingZeros(engine, filled, () => engine.run('CHECKPOINT target'));
        if (signs === undefined) throw lostSigns(path, name, zeros);
        withZeros.push({ name, zeros, signs });
      }
      return Number(await engine.run(`SELECT count(*) FROM ${table}`));
    },
    async finish() {
      await engine.run('CHECKPOINT target');
      // Filling the next tables may have moved the rows of those before.
      for (const { name, zeros, signs } of withZeros) {
        if ((await signsOfZeros(engine, inTarget(name), zeros)) !== signs) throw lostSigns(path, name, zeros);
      }
      await engine.run('DETACH target');
      attached = false;
      try {
        await chmod(partial, 0o600);
        await emptyPlace(real, 'file');
        await rename(partial, real);
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

/** DuckDB takes what follows a `?` of a path for options of the file. */
function refuseOptions(path: string): void {
  if (!path.includes('?')) return;
  throw new TablevaultError('USAGE', `the path of a DuckDB file cannot hold a ?: ${path}`, {
    at: { target: path },
    hint: 'DuckDB takes what follows it for options. Choose another folder or name; nothing was restored.',
  });
}
