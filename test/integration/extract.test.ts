/** One table, ad hoc, in every format, value by value. */
import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Data, DataType, tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import { tablevault } from '../support/cli.ts';
import { arrowRows, type Exact, readRows, sixDigits } from '../support/parquet.ts';
import { compareWithTruth } from '../support/truth.ts';

let demo: DemoInstance;
let folder: string;
let pipeline: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-extract-it-'));
  demo = await startDemo({ rows: 0.1, seed: 601, tableRows: { Gen_Documents: 3000 } });
  pipeline = join(folder, 'backup.yaml');
  await writeFile(
    pipeline,
    `version: 1
instance: ${demo.url}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: ["Gen_Documents"] }
destination: ./never-used
`,
  );
});

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (args: readonly string[], more: Parameters<typeof tablevault>[1] = {}) =>
  tablevault(['extract', pipeline, ...args], { ...more, env: { TOKEN: demo.credentials.referenceToken, ...more.env } });
const tableOf = (name: string) => demo.tables.find((table) => table.name === name)!;
const columnsOf = (name: string) => tableOf(name).columns.filter(({ sensitive }) => !sensitive);
const truth = (name: string) => [...demo.rows(name)] as unknown as Record<string, Exact>[];
const path = (name: string) => join(folder, name);

/** RFC 4180, as a reader that tells an empty field from an empty text. */
function parseCsv(text: string): (string | null)[][] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  for (const [, field = '', end] of text.matchAll(/("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/g)) {
    row.push(field === '' ? null : field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field);
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

/** A true value as text formats write it. */
function asText(value: Exact, kind: string): string | null {
  if (value === null) return null;
  if (kind === 'time') return String(value).replace('.000000', '');
  if (kind === 'datetime') return sixDigits(String(value)).replace('.000000Z', 'Z');
  if (typeof value === 'number')
    return Object.is(value, -0)
      ? '-0'
      : Number.isNaN(value)
        ? 'NaN'
        : Number.isFinite(value)
          ? String(value)
          : value > 0
            ? 'INF'
            : '-INF';
  return String(value);
}

/** Tables that between them have every type of column, and hostile values. */
const TABLES = ['Gen_Documents', 'Crm_Sales_Order_Lines', 'Gen_Currencies', 'Sec_Users'];

describe('extract writes every value of a table', () => {
  test.each(TABLES)('%s as CSV', async (name) => {
    const ended = await run([name]);
    expect(ended.code, ended.stderr).toBe(0);
    const [header, ...rows] = parseCsv(ended.stdout);
    expect(header).toEqual(columnsOf(name).map((column) => column.name));
    const wanted = truth(name).map((row) =>
      columnsOf(name).map((column) => asText(row[column.name] ?? null, column.type.kind)),
    );
    expect(rows).toEqual(wanted);
  });

  test.each(TABLES)('%s as NDJSON, with numbers beyond doubles as strings', async (name) => {
    const ended = await run([name, '--format', 'ndjson', '-o', path(`${name}.out`)]);
    expect(ended.code, ended.stderr).toBe(0);
    const lines = (await readFile(path(`${name}.out`), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const rows = truth(name);
    expect(lines).toHaveLength(rows.length);
    for (const [index, line] of lines.entries()) {
      for (const column of columnsOf(name)) {
        const value = rows[index]![column.name] ?? null;
        const want =
          typeof value === 'number' && Number.isFinite(value) && typeof line[column.name] === 'number'
            ? value
            : typeof value === 'boolean'
              ? value
              : asText(value, column.type.kind);
        expect(line[column.name], `${name}.${column.name} of row ${index}`).toEqual(want);
        if (column.edmType === 'Edm.Decimal' || column.edmType === 'Edm.Int64')
          expect(typeof (line[column.name] ?? '')).toBe('string');
      }
    }
  });

  test.each(TABLES)('%s as Parquet, in one file', async (name) => {
    const file = path(`${name}.parquet`);
    const ended = await run([name, '-o', file, '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      table: name,
      format: 'parquet',
      rows: tableOf(name).rows,
      consistency: 'exact',
    });
    expect(await compareWithTruth(demo, name, [file])).toBe(tableOf(name).rows);
  });

  test.each(TABLES)('%s as Arrow, in a file and as a stream', async (name) => {
    const file = path(`${name}.arrow`);
    expect((await run([name, '-o', file])).code).toBe(0);
    const bytes = readFileSync(file);
    expect(bytes.subarray(0, 6).toString()).toBe('ARROW1');
    const parquet = path(`${name}-again.parquet`);
    await run([name, '-o', parquet]);
    expect(arrowRows(bytes)).toEqual(await readRows(parquet));
    const stream = path(`${name}.arrows`);
    expect((await run([name, '-o', stream])).code).toBe(0);
    expect(arrowRows(readFileSync(stream))).toEqual(await readRows(parquet));
  });

  test('as Arrow with native types: a UUID is 16 bytes, a time a time', async () => {
    const native = join(folder, 'native.yaml');
    await writeFile(native, `${await readFile(pipeline, 'utf8')}parquet: { types: native }\n`);
    const file = path('native.arrow');
    const ended = await tablevault(['extract', native, 'Gen_Documents', '-o', file], {
      env: { TOKEN: demo.credentials.referenceToken },
    });
    expect(ended.code, ended.stderr).toBe(0);
    const table = tableFromIPC(readFileSync(file));
    const id = table.schema.fields.find((field) => field.name === 'Id');
    expect(DataType.isFixedSizeBinary(id?.type)).toBe(true);
    expect(id?.metadata.get('ARROW:extension:name')).toBe('arrow.uuid');
    const first = (table.getChild('Id')!.data[0] as Data).values as Uint8Array;
    expect(Buffer.from(first.subarray(0, 16)).toString('hex')).toBe(
      String(truth('Gen_Documents')[0]!['Id']).replaceAll('-', ''),
    );
  });

  test('a large table as Parquet is read in key ranges and put together in key order', async () => {
    const large = await startDemo({
      seed: 602,
      tables: ['Gen_Documents', 'Dmv_Table_Info'],
      tableRows: { Gen_Documents: 60_000 },
      template: true,
    });
    try {
      const file = join(folder, 'large.yaml');
      await writeFile(
        file,
        `version: 1\ninstance: ${large.url}\nauth: { kind: reference-token, token: "\${env:TOKEN}" }\ndestination: ./x\n`,
      );
      const env = { TOKEN: large.credentials.referenceToken };
      const ended = await tablevault(
        ['extract', file, 'Gen_Documents', '--select', 'Document_Date,Id', '-o', path('large.parquet'), '--json'],
        { env },
      );
      expect(ended.code, ended.stderr).toBe(0);
      expect(JSON.parse(ended.stdout)).toMatchObject({ rows: 60_000, columns: 2, consistency: 'exact' });
      const rows = await readRows(path('large.parquet'));
      expect(Object.keys(rows[0]!)).toEqual(['Document_Date', 'Id']);
      expect(rows.map((row) => row['Id'])).toEqual(
        [...large.rows('Gen_Documents')].map((row) => (row as Record<string, Exact>)['Id']),
      );
    } finally {
      await large.close();
    }
  });
});

describe('what is asked for', () => {
  test('--limit goes to the instance as $top, and no more rows come', async () => {
    const before = demo.witness().requests;
    for (const format of ['csv', 'ndjson'] as const) {
      const ended = await run(['Gen_Documents', '--limit', '7', '--format', format]);
      expect(ended.code, ended.stderr).toBe(0);
      const rows = format === 'csv' ? parseCsv(ended.stdout).length - 1 : ended.stdout.trimEnd().split('\n').length;
      expect(rows).toBe(7);
    }
    for (const name of ['limited.parquet', 'limited.arrow']) {
      const ended = await run(['Gen_Documents', '--limit', '7', '-o', path(name), '--json']);
      expect(JSON.parse(ended.stdout)).toMatchObject({ rows: 7, consistency: null });
    }
    expect(await readRows(path('limited.parquet'))).toHaveLength(7);
    expect(arrowRows(readFileSync(path('limited.arrow')))).toHaveLength(7);
    const asked = demo
      .witness()
      .log.slice(before - demo.witness().requests)
      .filter(({ url }) => decodeURIComponent(url).includes('$top=7'));
    expect(asked).toHaveLength(4);
  });

  test('--limit beyond the table gives the table', async () => {
    const { rows } = tableOf('Gen_Currencies');
    const ended = await run(['Gen_Currencies', '--limit', String(rows + 100)]);
    expect(parseCsv(ended.stdout)).toHaveLength(rows + 1);
  });

  test('--limit does not follow the link that a page of so many rows carries', async () => {
    demo.configure({ personality: { nextLink: 'absolute' } });
    const ended = await run(['Gen_Documents', '--limit', '5']);
    demo.configure({ personality: { nextLink: 'relative' } });
    expect(parseCsv(ended.stdout)).toHaveLength(6);
  });

  test('--select gives just these columns in this order, though the key is read to prove the end', async () => {
    const ended = await run(['Gen_Documents', '--select', 'Document_Date,Document_No']);
    expect(ended.code, ended.stderr).toBe(0);
    const [header, ...rows] = parseCsv(ended.stdout);
    expect(header).toEqual(['Document_Date', 'Document_No']);
    expect(rows).toHaveLength(tableOf('Gen_Documents').rows);
  });

  test('sensitive columns come only where they are named', async () => {
    expect((await run(['Sec_Users', '--limit', '1'])).stdout.split('\r\n')[0]?.split(',')).not.toContain('Password');
    expect((await run(['Sec_Users', '--limit', '1', '--select', 'Password'])).stdout).toMatch(/^Password\r\n/);
  });

  test.each([
    [['Gen_Document'], /Gen_Documents/],
    [['Gen_Documents', '--select', 'Document_Dat'], /Document_Date/],
    [['Gen_Documents', '--select', 'Id,Id'], /twice/],
    [['Gen_Documents', '--limit', '0'], /from 1/],
    [['Gen_Documents', '-o', 'rows.xlsx'], /--format/],
    [['Gen_Documents', '--json'], /-o FILE/],
  ])('%j is refused with what to do', async (args, hint) => {
    const ended = await run(args, { cwd: folder });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(hint);
    if (!args.includes('--json')) expect(ended.stdout).toBe('');
  });
});

describe('what goes wrong', () => {
  test('a file that is there is replaced only by a whole one, and nothing else is left behind', async () => {
    const file = path('kept.csv');
    await writeFile(file, 'old');
    demo.configure({
      faults: [
        {
          on: { path: /Gen_Documents\?\$select=Access/ },
          do: { status: 403 },
        },
      ],
    });
    const failed = await run(['Gen_Documents', '-o', file]);
    demo.configure({ faults: [] });
    expect(failed.code).not.toBe(0);
    expect(await readFile(file, 'utf8')).toBe('old');
    expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([]);
    expect((await run(['Gen_Documents', '-o', file])).code).toBe(0);
    expect(parseCsv(await readFile(file, 'utf8'))).toHaveLength(tableOf('Gen_Documents').rows + 1);
  });

  test('a response that is cut begins again in a file, and is an error on standard output once rows are out', async () => {
    const cut = () =>
      demo.configure({
        faults: [{ on: { path: /Gen_Documents\?\$select=Access(?!.*top=)/, nth: 1 }, do: 'cut', afterBytes: 400_000 }],
      });
    cut();
    const file = await run(['Gen_Documents', '-o', path('again.csv')]);
    expect(file.code, file.stderr).toBe(0);
    expect(file.stderr).toMatch(/reading it again/);
    expect(parseCsv(await readFile(path('again.csv'), 'utf8'))).toHaveLength(tableOf('Gen_Documents').rows + 1);
    cut();
    const stream = await run(['Gen_Documents']);
    demo.configure({ faults: [] });
    expect(stream.code).toBe(5);
    expect(stream.stderr).toMatch(/does not hold the whole table.*\[BODY_TRUNCATED, exit 5\]/);
  });

  test('connections that break are told of within seconds, and that they are tried again', async () => {
    demo.configure({ faults: [{ on: { path: /Gen_Documents/, nth: 1, times: 10 }, do: 'reset' }] });
    const { code, stderr } = await run(['Gen_Documents', '-o', path('reset.csv')]);
    demo.configure({ faults: [] });
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^trying again: .*(reset|closed).* \(3 tries so far; a request is given up after 5 min\)$/m);
  });

  test('a short answer is noticed: the end is proven as in a snapshot', async () => {
    demo.configure({ rights: { maxRows: 2000 } });
    const ended = await run(['Gen_Documents', '-o', path('short.csv'), '--json']);
    demo.configure({ rights: { maxRows: null } });
    // Read on from where it stopped, or refused; never 2,000 rows as if they were all.
    if (ended.code === 0) expect(JSON.parse(ended.stdout)).toMatchObject({ rows: tableOf('Gen_Documents').rows });
    else expect(ended.stderr).toMatch(/END_UNPROVEN/);
  });

  test('ends quietly and with 0 when its reader goes, as head does', async () => {
    const ended = await run(['Gen_Documents'], {
      onStart: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
    });
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).not.toMatch(/error/);
  });

  test('a closed terminal (SIGHUP) ends it as an interrupt, and nothing is left behind', async () => {
    demo.configure({ faults: [{ on: { path: /Gen_Documents\?\$select=Access/ }, do: 'hang' }] });
    const fired = demo.witness().faults.length;
    const ended = await run(['Gen_Documents', '-o', path('hangup.csv')], {
      onStart: (child) => {
        const timer = setInterval(() => {
          if (demo.witness().faults.length === fired) return;
          clearInterval(timer);
          child.kill('SIGHUP');
        }, 50);
      },
    });
    demo.configure({ faults: [] });
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.stderr).toContain('interrupted by SIGHUP');
    expect((await readdir(folder)).filter((name) => name.includes('hangup'))).toEqual([]);
  });

  test.skipIf(process.platform === 'win32').each(['csv', 'parquet'])(
    'a pipe is written to, and its reader gets what a file holds: %s',
    async (format) => {
      const pipe = path(`pipe.${format}`);
      execFileSync('mkfifo', [pipe]);
      const ended = run(['Gen_Documents', '-o', pipe]);
      const got = await buffer(createReadStream(pipe));
      expect((await ended).code, (await ended).stderr).toBe(0);
      const file = path(`piped.${format}`);
      await run(['Gen_Documents', '-o', file]);
      if (format === 'csv') expect(got.equals(await readFile(file))).toBe(true);
      else expect(got.subarray(-4).toString()).toBe('PAR1');
      expect((await stat(pipe)).isFIFO()).toBe(true);
    },
  );

  test('a folder, or a place that may not be written, is refused', async () => {
    expect((await run(['Gen_Documents', '--format', 'csv', '-o', folder])).code).toBe(2);
    expect((await run(['Gen_Documents', '-o', join(folder, 'no', 'such', 'folder.csv')])).code).toBe(7);
  });
});
