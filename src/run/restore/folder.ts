/** Restores into a folder: files in another format, or copies of the parts. */
import { copyFile, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { quotedIdentifier, quotedString } from '@duckdb/node-api';
import { csvNull } from '../../core/csv.ts';
import { makeFolder } from '../../core/folders.ts';
import { parquetRows } from '../../duckdb/sql.ts';
import { fileFault } from '../../storage/faults.ts';
import type { Manifest, TableEntry } from '../../vault/chain/manifest.ts';
import { segment } from '../../vault/layout.ts';
import { csvColumn, jsonColumn, textColumns } from './columns.ts';
import type { Engine } from './engine.ts';
import { createPartial } from './partial.ts';
import { emptyPlace, type RestoreTarget } from './target.ts';
import type { RestoreWriter } from './writer.ts';

type FolderTarget = Extract<RestoreTarget, { kind: 'folder' }>;

/**
 * Files: `<Table>/<n>.parquet`, `<Table>.csv` or `<Table>.ndjson`, and `restore.json`, which says what they are. They are written into a
 * folder beside the target, which takes the target's name at the end.
 */
export async function openFolderWriter(
  target: FolderTarget,
  manifest: Manifest,
  engine: Engine,
): Promise<RestoreWriter> {
  const { path, format } = target;
  const real = await emptyPlace(path, 'folder');
  const partial = await createPartial(real);
  const place = { store: path, object: '.' };
  const guarded = async <T>(doing: string, step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      throw fileFault(error, doing, place);
    }
  };
  const tables: { readonly name: string; readonly rows: number; readonly path: string }[] = [];

  async function files(entry: TableEntry, from: readonly string[]): Promise<string> {
    const { columns } = entry.schema;
    if (format === 'parquet') {
      const folder = segment(entry.name);
      await makeFolder(join(partial, folder), 0o700);
      for (const [n, file] of from.entries()) await copyFile(file, join(partial, folder, `${n}.parquet`));
      return folder;
    }
    const file = `${segment(entry.name)}.${format}`;
    // Created first, for its mode: DuckDB would give it that of the umask, as it does to a temporary file of its own.
    await writeFile(join(partial, file), '', { mode: 0o600, flag: 'wx' });
    const selected = columns.map(format === 'csv' ? csvColumn : jsonColumn).join(', ');
    const options =
      format === 'csv'
        ? `FORMAT csv, USE_TMP_FILE false, HEADER true, NULLSTR ${quotedString(csvNull(columns.length))}${forceQuote(textColumns(columns))}`
        : 'FORMAT json, USE_TMP_FILE false, ARRAY false';
    await engine.run(
      `COPY (SELECT ${selected} FROM ${parquetRows(from)}) TO ${quotedString(join(partial, file))} (${options})`,
    );
    return file;
  }

  return {
    shown: path,
    async table(entry, from) {
      const file = await guarded(`writing ${entry.name}`, () => files(entry, from));
      const source = format === 'parquet' ? from.map((_, n) => join(partial, file, `${n}.parquet`)) : from;
      const rows = Number(await engine.run(`SELECT count(*) FROM ${parquetRows(source)}`));
      tables.push({ name: entry.name, rows, path: file });
      return rows;
    },
    async finish() {
      const { snapshot, sequence, complete, finishedAt, instance } = manifest;
      const about = { snapshot, sequence, complete, finishedAt, instance: instance.url, format, tables };
      await guarded('finishing the target', async () => {
        await writeFile(join(partial, 'restore.json'), `${JSON.stringify(about, null, 2)}\n`, { mode: 0o600 });
        // An empty folder is replaced; one that is no longer empty is not.
        await rename(partial, real);
        const parent = await open(dirname(real), 'r');
        await parent.sync().finally(() => parent.close());
      });
      return [];
    },
    abort: () => rm(partial, { recursive: true, force: true }).catch(() => undefined),
  };
}

export const forceQuote = (names: readonly string[]): string =>
  names.length === 0 ? '' : `, FORCE_QUOTE (${names.map(quotedIdentifier).join(', ')})`;
