/**
 * DuckDB alone, to Parquet with zstd and the same column types as the product writes, in three ways: `read_json` with explicit types on the
 * pages as they come; `read_json` on one row a line, a form that no instance sends; and `read_text` with `from_json_strict` on the pages,
 * which is not what one finds in its manual but the fastest way we found.
 */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance, quotedIdentifier, quotedString } from '@duckdb/node-api';
import type { Column } from '../../src/core/schema.ts';
import { parquetTypeName } from '../../src/parquet/types.ts';
import type { DuckdbInput, Profile } from './results.ts';

/** How the rows lie on disk, and how DuckDB is set. */
export interface DuckdbSetting {
  /** `files`: a page a file, as it came. `joined`: all pages in one file, a page a line. `lines`: a row a line. `text`: files, as text. */
  readonly layout: 'files' | 'joined' | 'lines' | 'text';
  readonly threads: 1 | 2;
  /** May rows change places? Lets two threads write without waiting for each other. */
  readonly keepOrder: boolean;
}

const LAYOUTS = {
  files: '`read_json`, a page a file',
  joined: '`read_json`, a page a line',
  lines: '`read_json`, a row a line',
  text: '`read_text` and `from_json_strict`, a page a file',
};

export function inputOf({ layout }: DuckdbSetting): DuckdbInput {
  return layout === 'lines' ? 'lines' : layout === 'text' ? 'text' : 'pages';
}

export function describeSetting({ layout, threads, keepOrder }: DuckdbSetting): string {
  return `${LAYOUTS[layout]}, ${threads} thread${threads === 1 ? '' : 's'}${keepOrder ? '' : ', any order'}`;
}

export const DUCKDB_SETTINGS: readonly DuckdbSetting[] = (['files', 'joined', 'lines', 'text'] as const).flatMap(
  (layout) => [
    { layout, threads: 1, keepOrder: true },
    { layout, threads: 2, keepOrder: true },
    { layout, threads: 2, keepOrder: false },
  ],
);

export interface PagesOnDisk {
  readonly files: readonly string[];
  readonly joined: string;
  readonly lines: string;
}

/** Writes the pages in every layout, and reads them once, so that all lie in the file cache. */
export async function writePages(pages: readonly Uint8Array[], folder: string): Promise<PagesOnDisk> {
  const files: string[] = [];
  const joined = join(folder, 'pages.jsonl');
  const lines = join(folder, 'rows.jsonl');
  const [all, rows] = [await open(joined, 'w'), await open(lines, 'w')];
  for (const [number, page] of pages.entries()) {
    const file = join(folder, `page-${String(number).padStart(4, '0')}.json`);
    const one = await open(file, 'w');
    await one.write(page);
    await one.close();
    files.push(file);
    await all.appendFile(page);
    await all.appendFile('\n');
    const { value } = JSON.parse(Buffer.from(page).toString()) as { value: unknown[] };
    await rows.appendFile(`${rowTexts(page, value.length).join('\n')}\n`);
  }
  await all.close();
  await rows.close();
  for (const file of [...files, joined, lines]) await readFile(file);
  return { files, joined, lines };
}

/** The rows of a page as they stand in it: re-writing them by way of floats could change their digits. */
function rowTexts(page: Uint8Array, rows: number): string[] {
  const text = Buffer.from(page).toString();
  const value = text.slice(text.indexOf('"value":[') + '"value":['.length, -2);
  const texts = value.slice(1, -1).split(/\},\{(?="Apply_Trade_Conditions":)/);
  if (texts.length !== rows) throw new Error(`${texts.length} rows cut out of a page of ${rows}`);
  return texts.map((row) => `{${row}}`);
}

/** Runs one COPY from beginning to end, with opening and closing of the database. */
export async function copyByDuckdb(
  pages: PagesOnDisk,
  columns: readonly Column[],
  profile: Profile,
  setting: DuckdbSetting,
  path: string,
): Promise<void> {
  const { layout, threads, keepOrder } = setting;
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(threads),
    preserve_insertion_order: String(keepOrder),
  });
  const connection = await instance.connect();
  try {
    await connection.run(
      `COPY (${selectSql(pages, columns, profile, layout)}) TO ${quotedString(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function selectSql(
  pages: PagesOnDisk,
  columns: readonly Column[],
  profile: Profile,
  layout: DuckdbSetting['layout'],
): string {
  // Binary comes as base64 text: read as text, turned into bytes on the way out. All other types are read as what they are.
  const typed = columns.map(({ name, type }) => ({
    name,
    type: type.kind === 'binary' ? 'VARCHAR' : parquetTypeName(type, profile),
    decode: type.kind === 'binary',
  }));
  const from = (row: string) =>
    typed
      .map(({ name, decode }) =>
        decode ? `from_base64(${row}${quotedIdentifier(name)})` : `${row}${quotedIdentifier(name)}`,
      )
      .map((expression, index) => `${expression} AS ${quotedIdentifier(typed[index]!.name)}`)
      .join(', ');
  if (layout === 'lines') {
    const types = typed.map(({ name, type }) => `${quotedString(name)}: ${quotedString(type)}`).join(', ');
    return `SELECT ${from('')} FROM read_json(${quotedString(pages.lines)}, format = 'newline_delimited', columns = {${types}})`;
  }
  const list = `[${pages.files.map(quotedString).join(', ')}]`;
  if (layout === 'text') {
    const shape = JSON.stringify([Object.fromEntries(typed.map(({ name, type }) => [name, type]))]);
    return `SELECT ${from('r.')} FROM (SELECT unnest(from_json_strict(content -> 'value', ${quotedString(shape)})) AS r FROM read_text(${list}))`;
  }
  const struct = `STRUCT(${typed.map(({ name, type }) => `${quotedIdentifier(name)} ${type}`).join(', ')})[]`;
  const files = layout === 'files' ? list : quotedString(pages.joined);
  const format = layout === 'files' ? 'unstructured' : 'newline_delimited';
  const read = `read_json(${files}, format = '${format}', columns = {'value': ${quotedString(struct)}})`;
  return `SELECT ${from('r.')} FROM (SELECT unnest(value) AS r FROM ${read})`;
}
