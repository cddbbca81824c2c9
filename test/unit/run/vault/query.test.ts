import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { formatRows, type QueryFormat } from '../../../../src/cli/query-format.ts';
import { NO_VIEW } from '../../../../src/cli/view.ts';
import { sha256Hex } from '../../../../src/core/digest.ts';
import { TablevaultError } from '../../../../src/core/errors.ts';
import { type QueriedTable, querySnapshot } from '../../../../src/run/vault/query.ts';
import { createFolderStore } from '../../../../src/storage/folder.ts';
import { createMemoryStore } from '../../../../src/storage/memory.ts';
import type { Store } from '../../../../src/storage/store.ts';

const VALUES = `
  SELECT 1::BIGINT AS id, 9007199254740993::BIGINT AS big, 99999999999999999999999999999999999999::DECIMAL(38,0) AS wide,
    -0.10::DECIMAL(10,2) AS money, TIMESTAMPTZ '1969-12-31 23:59:59.000001+00' AS instant, DATE '9999-12-31' AS day,
    '\\x00\\xFF'::BLOB AS bytes, 'a "quoted", text' AS words, '' AS empty, NULL::VARCHAR AS nothing, 'NaN'::DOUBLE AS odd,
    UUID '00000000-0000-0000-0000-0000000000ff' AS guid, TIME '01:02:03.5' AS clock, true AS flag
  UNION ALL SELECT 2, -5, 0, 1, TIMESTAMPTZ '2024-01-01 00:00:00+00', DATE '0001-01-01', ''::BLOB, E'two\\nlines', 'x', 'y', 0.5,
    UUID 'ffffffff-0000-0000-0000-000000000000', TIME '00:00:00', false`;

let folder: string;
let local: Store;
let remote: Store;
let tables: readonly QueriedTable[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevaults [query] year=2024-'));
  local = createFolderStore(join(folder, "it's a vault"));
  remote = createMemoryStore();
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const write = async (name: string, n: number, sql: string) => {
    const file = join(folder, 'part.parquet');
    await connection.run(`COPY (${sql}) TO '${file}' (FORMAT parquet)`);
    const bytes = await readFile(file);
    const key = `tables/${name}/${n}.parquet`;
    await local.putNew(key, bytes);
    await remote.putNew(key, bytes);
    const run = '20260101T000000Z-00000000';
    return {
      key,
      run,
      rows: 1,
      bytes: bytes.length,
      sha256: sha256Hex(bytes),
      range: null,
      firstKey: null,
      lastKey: null,
      columns: {},
    };
  };
  tables = [
    { name: 'Gen_Documents', parts: [await write('Gen_Documents', 0, VALUES)] },
    {
      name: 'Select',
      parts: [
        await write('Select', 0, 'SELECT 1 AS n FROM range(5000)'),
        await write('Select', 1, 'SELECT 2 AS n FROM range(10)'),
      ],
    },
    { name: 'Empty', parts: [await write('Empty', 0, 'SELECT 1 AS n WHERE false')] },
  ];
  connection.closeSync();
  instance.closeSync();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function query(sql: string, format: QueryFormat = 'ndjson', store = local, known = tables): Promise<string> {
  return querySnapshot({ store, tables: known, sql, signal: new AbortController().signal }, async (rows) => {
    let text = '';
    for await (const piece of formatRows(format, rows, NO_VIEW)) text += piece;
    return text;
  });
}

async function refusal(sql: string, store = local, known = tables): Promise<TablevaultError> {
  const outcome = await query(sql, 'ndjson', store, known).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(TablevaultError);
  return outcome as TablevaultError;
}

describe('query', () => {
  it('gives every value exactly', async () => {
    const [first, second] = (await query('SELECT * FROM Gen_Documents ORDER BY id'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toEqual({
      id: 1,
      big: '9007199254740993',
      wide: '99999999999999999999999999999999999999',
      money: '-0.10',
      instant: '1969-12-31T23:59:59.000001Z',
      day: '9999-12-31',
      bytes: 'AP8=',
      words: 'a "quoted", text',
      empty: '',
      nothing: null,
      odd: 'NaN',
      guid: '00000000-0000-0000-0000-0000000000ff',
      clock: '01:02:03.5',
      flag: true,
    });
    expect(second).toMatchObject({ id: 2, big: '-5', wide: '0', instant: '2024-01-01T00:00:00Z', bytes: '', odd: 0.5 });
  });

  it('writes the whole numbers of a column in one way, with all their digits, in JSON of either form', async () => {
    const sql =
      'SELECT i AS n, i + 9007199254740990 AS m, [i, i + 9007199254740990] AS l FROM range(5) t(i) ORDER BY i';
    const objects: Record<string, unknown>[] = JSON.parse(await query(sql, 'json'));
    expect(objects.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4]);
    expect(objects.map(({ m }) => m)).toEqual([0n, 1n, 2n, 3n, 4n].map((i) => String(9007199254740990n + i)));
    expect(objects[1]?.['l']).toEqual(['1', '9007199254740991']);
    const late = 'SELECT CASE WHEN i = 19999 THEN 9007199254740993 ELSE i END AS n FROM range(20000) t(i)';
    expect((await query(late)).trim().split('\n').at(-1)).toBe('{"n":9007199254740993}');
  });

  it('keeps the sign of negative zero in every format', async () => {
    const sql = 'SELECT -0.0::DOUBLE AS d, -0.0::FLOAT AS f, 0.0::DOUBLE AS z, [-0.0::DOUBLE] AS l';
    expect(await query(sql)).toBe('{"d":-0.0,"f":-0.0,"z":0,"l":[-0.0]}\n');
    expect(await query(sql, 'json')).toContain('"d":-0.0,"f":-0.0,"z":0');
    expect(await query(sql, 'csv')).toContain('\r\n-0.0,-0.0,0,[-0.0]\r\n');
    expect(await query(sql, 'table')).toMatch(/-0\.0 +-0\.0 +0 +\[-0\.0\]/);
    expect(await query(sql, 'expanded')).toMatch(/d +-0\.0\n/);
  });

  it('reads all parts of a table, whatever the table is called', async () => {
    expect(await query('SELECT count(*) AS rows, sum(n) AS total FROM "Select"')).toBe('{"rows":5010,"total":5020}\n');
  });

  it('gives the same from a vault that is no folder', async () => {
    expect(await query('SELECT count(*) AS rows FROM "Select"', 'ndjson', remote)).toBe('{"rows":5010}\n');
  });

  it('writes CSV by RFC 4180, in which null and the empty text differ', async () => {
    const csv = await query('SELECT id, words, empty, nothing FROM Gen_Documents ORDER BY id', 'csv');
    expect(csv).toBe('id,words,empty,nothing\r\n1,"a ""quoted"", text","",\r\n2,"two\nlines",x,y\r\n');
  });

  it('writes one JSON array, also of no rows', async () => {
    expect(JSON.parse(await query('SELECT n FROM "Select"', 'json'))).toHaveLength(5010);
    expect(JSON.parse(await query('SELECT * FROM Empty', 'json'))).toEqual([]);
  });

  it('writes a table with numbers to the right', async () => {
    expect(await query('SELECT id, words FROM Gen_Documents ORDER BY id', 'table')).toBe(
      'id  words\n--  ----------------\n 1  a "quoted", text\n 2  two lines\n',
    );
    expect(await query('SELECT * FROM Empty', 'table')).toBe('n\n-\n');
  });

  it('lists the tables and describes them', async () => {
    expect(await query('SHOW TABLES')).toBe('{"name":"Empty"}\n{"name":"Gen_Documents"}\n{"name":"Select"}\n');
    expect(await query('DESCRIBE gen_documents')).toContain('"column_type":"DECIMAL(38,0)"');
  });

  it('knows UTC as its time zone, wherever it runs', async () => {
    expect(await query("SELECT strftime(instant, '%H:%M') AS t FROM Gen_Documents WHERE id = 2")).toBe(
      '{"t":"00:00"}\n',
    );
  });

  it('names near tables when one is unknown', async () => {
    const error = await refusal('SELECT * FROM Gen_Document');
    expect(error).toMatchObject({ code: 'TABLE_UNKNOWN', exitCode: 2 });
    expect(error.hint).toContain('Gen_Documents');
  });

  it('says of a table that the snapshot lacks that it lacks it, and suggests no name of another catalogue', async () => {
    const { message, hint } = await refusal('SELECT * FROM Pg_Nothing_Like_It');
    expect(message).toBe('the snapshot has no table Pg_Nothing_Like_It');
    expect(hint).toMatch(/SHOW TABLES.*--snapshot/);
  });

  it('says of a statement that writes that query only reads, whatever else is wrong with it', async () => {
    for (const sql of [
      'DELETE FROM Gen_Documents',
      '-- a note\nUPDATE Nothing SET x = 1',
      '/* a */ drop table X',
      'INSERT INTO Gen_Documents VALUES (1)',
    ])
      expect((await refusal(sql)).message, sql).toContain('query takes a statement that reads');
    expect(await query('-- update nothing\nSELECT 1 AS "update"')).toBe('{"update":1}\n');
  });

  it.each(['', ' ', ';', '-- nothing', '/* nothing */ ;', '/* a */ -- b\n'])(
    'says in plain words that %j is no statement',
    async (sql) => {
      expect(await refusal(sql)).toMatchObject({ code: 'USAGE', message: 'the SQL statement is empty' });
    },
  );

  it("passes on DuckDB's words about a wrong statement", async () => {
    expect((await refusal('SELEC 1')).message).toContain('syntax error');
    expect((await refusal('SELECT nix FROM Gen_Documents')).message).toContain('nix');
    // In one line DuckDB's caret points nowhere.
    for (const sql of ['SELEC 1', 'SELECT nix FROM Gen_Documents'])
      expect((await refusal(sql)).message).not.toMatch(/LINE 1|\^/);
    expect((await refusal('')).code).toBe('USAGE');
    expect((await refusal('SELECT 1; SELECT 2')).message).toContain('one SQL statement');
  });

  it('can read nothing but the files of the snapshot', async () => {
    const other = join(folder, 'other.csv');
    await writeFile(other, 'a\n1\n');
    for (const sql of [
      `SELECT * FROM '${other}'`,
      `SELECT * FROM read_text('${other}')`,
      `SELECT * FROM glob('${folder}/*')`,
      "SELECT * FROM 'https://127.0.0.1:1/x.parquet'",
      `ATTACH '${join(folder, 'x.db')}'`,
      'INSTALL httpfs',
      'LOAD httpfs',
      "SET memory_limit = '1GB'",
    ]) {
      expect((await refusal(sql)).code, sql).toBe('USAGE');
    }
  });

  it('can write nothing, least of all over the files of the snapshot', async () => {
    const part = local.localPath!(tables[0]!.parts[0]!.key);
    const before = await readFile(part);
    const target = part.replaceAll("'", "''");
    for (const sql of [
      `COPY (SELECT 1) TO '${target}'`,
      `COPY Gen_Documents TO '${target}'`,
      `EXPLAIN ANALYZE COPY Gen_Documents TO '${target}'`,
      `COPY (SELECT 1) TO '${join(folder, randomUUID())}'`,
      'CREATE TABLE t AS SELECT 1',
      'DROP VIEW Gen_Documents',
      `EXPORT DATABASE '${join(folder, 'export')}'`,
    ]) {
      expect((await refusal(sql)).code, sql).toBe('USAGE');
    }
    expect(Buffer.compare(await readFile(part), before)).toBe(0);
  });

  it('says which part is missing, short or changed', async () => {
    const [table] = tables;
    const part = table!.parts[0]!;
    const having = (change: object) => [{ name: 'Gen_Documents', parts: [{ ...part, ...change }] }];
    const sql = 'SELECT * FROM Gen_Documents';
    for (const store of [local, remote]) {
      const missing = await refusal(sql, store, having({ key: 'tables/Gen_Documents/9.parquet' }));
      expect(missing).toMatchObject({ code: 'OBJECT_MISSING', exitCode: 7 });
    }
    for (const store of [local, remote]) {
      for (const change of [{ bytes: part.bytes + 1 }, { sha256: '0'.repeat(64) }]) {
        const error = await refusal(sql, store, having(change));
        expect(error).toMatchObject({ code: 'VERIFY_FAILED', exitCode: 6 });
        expect(error.message).toContain(part.key);
        expect(error.hint).toContain('tablevault verify');
      }
    }
  });

  it('answers nothing from a part of which any byte has changed, on any store', async () => {
    const [table] = tables;
    const part = table!.parts[0]!;
    const sound = await local.get(part.key);
    const known = [{ name: 'Gen_Documents', parts: [part] }];
    for (const store of [local, remote]) {
      for (let at = 0; at < sound.length; at += Math.ceil(sound.length / 12)) {
        const changed = Uint8Array.from(sound);
        changed[at] = changed[at]! ^ 0x10;
        await store.replace(part.key, changed);
        const error = await refusal('SELECT count(*) FROM Gen_Documents', store, known);
        expect(error, `byte ${at}`).toMatchObject({ code: 'VERIFY_FAILED', exitCode: 6 });
      }
      await store.replace(part.key, sound);
    }
  });

  it('blames a file that is no Parquet, whatever its hash, and never the statement', async () => {
    const content = Buffer.from('PAR1 this is no Parquet, and the manifest says the same PAR1');
    const key = 'tables/Odd/0.parquet';
    const part = { ...tables[0]!.parts[0]!, key, bytes: content.length, sha256: sha256Hex(content) };
    for (const store of [local, remote]) {
      await store.putNew(key, content);
      const error = await refusal('SELECT * FROM Odd', store, [{ name: 'Odd', parts: [part] }]);
      expect(error).toMatchObject({ code: 'VERIFY_FAILED', message: expect.stringContaining('table Odd') });
    }
  });

  it('blames this machine, and never the statement, for what the machine cannot read', async () => {
    const [table] = tables;
    const part = table!.parts[0]!;
    const fault = new TablevaultError('DESTINATION_UNREACHABLE', 'opening it failed (EMFILE)');
    const stream: Store['stream'] = async function* () {
      if (part.bytes > 0) throw fault;
      yield new Uint8Array();
    };
    expect(await refusal('SELECT * FROM Gen_Documents', { ...local, stream })).toBe(fault);
  });

  it('ends when it is interrupted, and leaves no temporary files', async () => {
    // A folder of its own: other processes put their copies into the system's.
    const temporary = await mkdtemp(join(folder, 'tmp-'));
    vi.stubEnv('TMPDIR', temporary);
    const controller = new AbortController();
    const reason = new TablevaultError('INTERRUPTED', 'stop');
    setTimeout(() => controller.abort(reason), 100);
    const endless = 'SELECT count(*) FROM range(1000000) a, range(1000000) b, Empty WHERE a.range + b.range = -1';
    const asked = querySnapshot({ store: local, tables, sql: endless, signal: controller.signal }, async (rows) => {
      for await (const _ of formatRows('csv', rows, NO_VIEW));
    });
    await expect(asked).rejects.toBe(reason);
    expect(await readdir(temporary)).toEqual([]);
    vi.unstubAllEnvs();
  });
});
