// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** Values that are easily changed on the way, from an instance to every output: zeros with a sign, instants, odd texts, values that do not fit. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { arrowRows, readRows } from '../support/parquet.ts';
import { postgresFolder, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type RawInstance, type RawTable, startRawInstance } from '../support/raw-instance.ts';

const bin = await postgresFolder();
const guid = (n: number) => `00000000-0000-4000-8000-0000${n.toString(16).padStart(8, '0')}`;
const KEY = ['Id', 'Type="Edm.Guid" Nullable="false"'] as const;
const ROWS = 300;
/** Zeros of both signs in runs and alternating, here and there a number. */
const zero = (n: number) => (n % 50 === 49 ? 1.5 : n < 100 || n % 2 === 0 ? -0 : 0);
const onlyZero = (n: number) => (n % 3 === 0 ? -0 : 0);
const json = (value: number) => (Object.is(value, -0) ? '-0.0' : String(value));

const TABLES: Record<string, RawTable> = {
  Zeros: {
    columns: [KEY, ['F', 'Type="Edm.Double"'], ['S', 'Type="Edm.Single"'], ['Z', 'Type="Edm.Double"']],
    key: ['Id'],
    rows: Array.from(
      { length: ROWS },
      (_, n) => `{"Id":"${guid(n)}","F":${json(zero(n))},"S":${json(zero(n))},"Z":${json(onlyZero(n))}}`,
    ),
  },
  Instants: {
    columns: [KEY, ['At', 'Type="Edm.DateTimeOffset"'], ['Big', 'Type="Edm.Int64"']],
    key: ['Id'],
    rows: ['0001-01-01T14:00:00+14:00', '9999-12-31T09:59:59.999999-14:00', '2023-01-31T10:30:00.5\\u002B02:00'].map(
      (at, n) => `{"Id":"${guid(n)}","At":"${at}","Big":${n === 1 ? '9007199254740993' : n}}`,
    ),
  },
  Odd: {
    columns: [
      KEY,
      ['T', 'Type="Edm.String"'],
      ['At', 'Type="Edm.DateTimeOffset"'],
      ['N', 'Type="Edm.Int32" Nullable="false"'],
    ],
    key: ['Id'],
    rows: [
      `{"Id":"${guid(0)}","T":"plain","At":"2023-01-31T10:30:00Z","N":1}`,
      `{"Id":"${guid(1)}","T":"half \\ud800","At":"2023-01-31T10:30:00.1234567Z","N":null}`,
    ],
  },
};

let folder: string;
let instance: RawInstance;
let postgres: TestPostgres | undefined;
let vault: string;
const env = { TOKEN: `enrt_${'a'.repeat(40)}` };

async function pipeline(name: string, more: string): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  await writeFile(
    file,
    `version: 1\ninstance: ${instance.origin}\nauth: { kind: reference-token, token: "\${env:TOKEN}" }\ndestination: ./${name}\n${more}\n`,
  );
  return file;
}

async function ok(...args: string[]): Promise<string> {
  const run = await tablevault(args, { env });
  expect(run.code, run.stderr + run.stdout).toBe(0);
  return run.stdout;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-values-'));
  instance = await startRawInstance(TABLES);
  if (bin !== undefined) postgres = await startPostgres(bin);
  await ok('snapshot', await pipeline('sound', 'tables: { include: [Zeros, Instants] }'));
  vault = join(folder, 'sound');
});

afterAll(async () => {
  await postgres?.stop();
  await instance.close();
  await rm(folder, { recursive: true, force: true });
});

const wanted = Array.from({ length: ROWS }, (_, n) => [zero(n), zero(n), onlyZero(n)]);
const floats = (rows: readonly object[]) =>
  rows.map((row) => ['F', 'S', 'Z'].map((name) => Number((row as Record<string, unknown>)[name])));
const lines = (text: string) => text.trim().split(/\r?\n/);
const ofCsv = (text: string) =>
  lines(text)
    .slice(1)
    .map((line) => line.split(',').slice(-3).map(Number));

describe('negative zero keeps its sign', () => {
  test('in the files of a snapshot', async () => {
    const paths = lines(await ok('paths', vault, 'Zeros'));
    expect(floats((await Promise.all(paths.map(readRows))).flat())).toStrictEqual(wanted);
    await ok('verify', vault, '--level', 'rows');
  });

  test.each(['csv', 'ndjson', 'arrow', 'parquet'])('in an extract as %s', async (format) => {
    const file = join(folder, `zeros.${format}`);
    await ok('extract', join(folder, 'sound.yaml'), 'Zeros', '--select', 'Z,S,F', '--format', format, '-o', file);
    const bytes = await readFile(file);
    const rows =
      format === 'parquet'
        ? floats(await readRows(file))
        : format === 'arrow'
          ? floats(arrowRows(bytes))
          : format === 'csv'
            ? ofCsv(bytes.toString()).map((row) => row.toReversed())
            : floats(lines(bytes.toString()).map((line) => JSON.parse(line)));
    expect(rows).toStrictEqual(wanted);
  });

  test.each(['csv', 'ndjson', 'json'])('in a query as %s', async (format) => {
    const out = await ok('query', vault, 'SELECT F, S, Z FROM Zeros', '--format', format);
    const rows =
      format === 'csv'
        ? ofCsv(out)
        : floats(format === 'json' ? JSON.parse(out) : lines(out).map((line) => JSON.parse(line)));
    expect(rows).toStrictEqual(wanted);
  });

  test.each(['csv', 'ndjson'])('in a restore to a folder as %s', async (format) => {
    const to = join(folder, `restored-${format}`);
    await ok('restore', vault, '--to', to, '--format', format);
    const text = await readFile(join(to, `Zeros.${format}`), 'utf8');
    expect(format === 'csv' ? ofCsv(text) : floats(lines(text).map((line) => JSON.parse(line)))).toStrictEqual(wanted);
  });

  test('in a restore to DuckDB', async () => {
    const to = join(folder, 'restored.duckdb');
    await ok('restore', vault, '--to', to);
    const duck = await DuckDBInstance.create(to);
    const connection = await duck.connect();
    const read = await connection.runAndReadAll('SELECT F, S, Z FROM Zeros');
    expect(read.getRows()).toStrictEqual(wanted);
    connection.closeSync();
    duck.closeSync();
  });

  test.skipIf(bin === undefined)('in a restore to PostgreSQL', async () => {
    const url = await postgres!.database();
    await ok('restore', vault, '--to', url);
    const client = new pg.Client(url);
    await client.connect();
    const { rows } = await client.query('SELECT "F", "S", "Z" FROM "Zeros" ORDER BY "Id"');
    await client.end();
    expect(floats(rows)).toStrictEqual(wanted);
  });
});

test('instants at the ends of time, and whole numbers beyond a float, are exact everywhere', async () => {
  const at = ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '2023-01-31T08:30:00.500000Z'];
  const big = ['0', '9007199254740993', '2'];
  const extracted = lines(await ok('extract', join(folder, 'sound.yaml'), 'Instants', '--format', 'ndjson', '-o', '-'));
  expect(extracted.map((line) => JSON.parse(line))).toEqual(at.map((At, n) => ({ Id: guid(n), At, Big: big[n] })));
  const queried = JSON.parse(await ok('query', vault, 'SELECT "At", Big FROM Instants ORDER BY Id', '--json'));
  expect(queried).toEqual(at.map((At, n) => ({ At, Big: big[n] })));
  if (bin === undefined) return;
  const url = await postgres!.database();
  await ok('restore', vault, '--to', url);
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(
    `SELECT to_char("At" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS at, "Big" FROM "Instants" ORDER BY "Id"`,
  );
  await client.end();
  expect(rows).toEqual([
    { at: '0001-01-01T00:00:00.000000', Big: '0' },
    { at: '9999-12-31T23:59:59.999999', Big: '9007199254740993' },
    { at: '2023-01-31T08:30:00.500000', Big: '2' },
  ]);
});

describe('a value that does not fit', () => {
  const TYPES = 'T: text, At: text, N: text';

  test.each([
    ['T', ''],
    ['At', 'T: text'],
    ['N', 'T: text, At: text'],
  ])(
    'in %s is told with column, key and the line that keeps it, by every command, in text and JSON',
    async (column, types) => {
      const file = await pipeline(
        `odd-${column}`,
        `tables: { include: [Odd], overrides: { Odd: { types: { ${types} } } } }`,
      );
      const told = (text: string) => {
        expect(text).toContain(`Odd.${column}`);
        expect(text).toContain(guid(1));
        expect(text).toContain(`overrides: { Odd: { types: { ${column}: text } } }`);
      };
      const snapshot = await tablevault(['snapshot', file], { env });
      expect(snapshot.code).toBe(5);
      told(snapshot.stderr.replaceAll(/\s+/g, ' '));
      const reported = JSON.parse((await tablevault(['snapshot', file, '--json'], { env })).stdout);
      expect(reported.tables[0].error.code).toBe('VALUE_MISFIT');
      told(reported.tables[0].error.message);
      for (const format of ['csv', 'parquet']) {
        const extract = await tablevault(['extract', file, 'Odd', '--format', format, '-o', join(folder, 'odd')], {
          env,
        });
        expect(extract.code).toBe(5);
        told(extract.stderr.replaceAll(/\s+/g, ' '));
      }
      const json = await tablevault(['extract', file, 'Odd', '--json', '--format', 'csv', '-o', join(folder, 'odd')], {
        env,
      });
      told(JSON.parse(json.stdout).error.message);
    },
  );

  test('is kept by that line, also where the key is', async () => {
    const file = await pipeline(
      'kept',
      `tables: { include: [Odd], overrides: { Odd: { types: { Id: text, ${TYPES} }, accept: best-effort } } }`,
    );
    const expected = [
      { Id: guid(0), T: 'plain', At: '2023-01-31T10:30:00Z', N: '1' },
      { Id: guid(1), T: '"half \\ud800"', At: '2023-01-31T10:30:00.1234567Z', N: null },
    ];
    await ok('snapshot', file);
    const kept = join(folder, 'kept');
    const [path] = lines(await ok('paths', kept, 'Odd'));
    expect(await readRows(path!)).toEqual(expected);
    await ok('verify', kept, '--level', 'rows');
    expect(lines(await ok('show', kept))).toContain('kept as text: Odd.Id (Edm.Guid)');
    expect(await ok('tables', file, '--columns', 'Odd')).toMatch(/^ +Id +Edm\.Guid .*key +kept as text/m);
    const extracted = await ok('extract', file, 'Odd', '--select', 'Id,T,At,N', '--format', 'ndjson', '-o', '-');
    expect(lines(extracted).map((line) => JSON.parse(line))).toEqual(expected);
    const restored = join(folder, 'kept.duckdb');
    await ok('restore', kept, '--to', restored);
  });

  test('in a column that is not there is an error of the pipeline', async () => {
    const file = await pipeline('unknown', 'tables: { include: [Odd], overrides: { Odd: { types: { Aat: text } } } }');
    const run = await tablevault(['snapshot', file], { env });
    expect(run.code).toBe(2);
    expect(run.stderr.replaceAll(/\s+/g, ' ')).toMatch(/types: there is no column "Aat"; near names: At/);
  });
});
