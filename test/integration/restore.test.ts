// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** There and back: a snapshot of the demo instance restored to every kind of target, compared with the instance's own rows. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoInstance, type DemoTable, startDemo } from '../../src/demo/instance.ts';
import { tablevault } from '../support/cli.ts';
import { readRows, sixDigits } from '../support/parquet.ts';
import { postgresFolder, startPostgres, type TestPostgres } from '../support/postgres.ts';

const TABLES = ['Gen_Documents', 'Gen_Currencies', 'Crm_Customers', 'Sec_Users'];
const bin = await postgresFolder();
if (bin === undefined && process.env['CI'] === 'true') throw new Error('PostgreSQL is not installed (apt: postgresql)');
if (bin === undefined) console.warn('\nPOSTGRESQL TESTS ARE SKIPPED: it is not installed (Debian: postgresql).\n');

let folder: string;
let demo: DemoInstance;
let postgres: TestPostgres | undefined;
const vaults: Record<string, string> = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-restore-test-'));
  demo = await startDemo({ rows: 0.05 });
  if (bin !== undefined) postgres = await startPostgres(bin);
  for (const types of ['portable', 'native']) {
    vaults[types] = join(folder, `vault-${types}`);
    const file = join(folder, `${types}.yaml`);
    await writeFile(
      file,
      `version: 1
instance: ${demo.url}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: [${TABLES.join(', ')}] }
destination: ${vaults[types]}
parquet: { types: ${types}, partRows: 200 }
`,
    );
    const run = await tablevault(['snapshot', file], { env: { TOKEN: demo.credentials.referenceToken } });
    expect(run.code, run.stderr).toBe(0);
  }
});
afterAll(async () => {
  await postgres?.stop();
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

type Text = string | null;
const columnsOf = (table: DemoTable) => table.columns.filter(({ sensitive }) => !sensitive);
const tables = () => demo.tables.filter(({ name }) => TABLES.includes(name));

/** `Table.Column > Table` of the model's references between the tables that were taken. */
async function modelReferences(): Promise<string[]> {
  const lines = (await readFile('schemas/demo/tables.jsonl', 'utf8')).trim().split('\n');
  return lines.flatMap((line) => {
    const { name, columns } = JSON.parse(line) as {
      name: string;
      columns: { name: string; references?: string; password?: boolean }[];
    };
    return columns
      .filter(({ references, name: column }) => references !== undefined && column.endsWith('_Id'))
      .filter(({ references }) => TABLES.includes(name) && TABLES.includes(references!))
      .map((column) => `${name}.${column.name} > ${column.references}`);
  });
}

/** The true rows as text, in one spelling for all targets, sorted. */
function truth(table: DemoTable): Text[][] {
  const rows = [...demo.rows(table)].map((row) =>
    columnsOf(table).map(({ name, type }) => spelt(row[name] as never, type.kind)),
  );
  return sorted(rows);
}

const sorted = (rows: Text[][]) => rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

function spelt(value: string | number | bigint | boolean | null, kind: string): Text {
  if (value === null) return null;
  if (kind === 'datetime') return sixDigits(String(value));
  if (kind === 'time') return String(value).replace(/\.000000$/, '');
  return String(value);
}

async function restore(types: string, to: string, ...more: string[]) {
  return tablevault(['restore', vaults[types]!, '--to', to, '--json', ...more], { env: { TZ: 'Europe/Sofia' } });
}

/** SQL of DuckDB that spells every column of a table as `spelt` does. */
function spelling(table: DemoTable, attached: boolean): string {
  return columnsOf(table)
    .map(({ name, type, edmType }) => {
      const column = `"${name}"`;
      if (type.kind === 'datetime') return `strftime(timezone('UTC', ${column}::TIMESTAMPTZ), '%Y-%m-%dT%H:%M:%S.%fZ')`;
      if (edmType === 'Edm.Binary' && attached) return `base64(${column})`;
      return `CAST(${column} AS VARCHAR)`;
    })
    .join(', ');
}

async function duckRows(source: string, table: DemoTable, attach?: string): Promise<Text[][]> {
  const duck = await DuckDBInstance.create(':memory:');
  const connection = await duck.connect();
  try {
    await connection.run("SET TimeZone='UTC'");
    if (attach !== undefined) await connection.run(`ATTACH '${attach}' AS restored (READ_ONLY)`);
    const result = await connection.runAndReadAll(`SELECT ${spelling(table, attach !== undefined)} FROM ${source}`);
    return sorted(result.getRows() as Text[][]);
  } finally {
    connection.closeSync();
    duck.closeSync();
  }
}

describe.each(['portable', 'native'])('a restore of a snapshot in the %s profile', (types) => {
  it('to Parquet gives the files back, byte by byte, for their owner alone', async () => {
    const to = join(folder, `${types}-parquet`);
    const run = await restore(types, to);
    expect(run.code, run.stderr).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ complete: true, target: to, warnings: [] });
    for (const table of tables()) {
      const own = join(to, table.name);
      const files = (await readdir(own)).map((name) => join(own, name));
      const rows = (await Promise.all(files.map(readRows))).flat();
      expect(rows).toHaveLength(table.rows);
      for (const file of files) expect((await stat(file)).mode & 0o777).toBe(0o600);
    }
    expect((await stat(to)).mode & 0o777).toBe(0o700);
  });

  it('to CSV keeps every value, and null apart from empty text', async () => {
    const to = join(folder, `${types}-csv`);
    expect((await restore(types, to, '--format', 'csv')).code).toBe(0);
    for (const table of tables()) {
      const names = columnsOf(table).map(({ name }) => `'${name}': 'VARCHAR'`);
      const source = `read_csv('${to}/${table.name}.csv', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, columns = {${names.join(', ')}})`;
      expect(await duckRows(source, table)).toEqual(truth(table));
    }
  });

  it('to NDJSON keeps every value', async () => {
    const to = join(folder, `${types}-ndjson`);
    expect((await restore(types, to, '--format', 'ndjson', '--tables', 'Gen_*')).code).toBe(0);
    const [table] = tables().filter(({ name }) => name === 'Gen_Currencies');
    const lines = (await readFile(join(to, 'Gen_Currencies.ndjson'), 'utf8')).trimEnd().split('\n');
    const rows = lines.map((line) => JSON.parse(line) as Record<string, never>);
    const spelled = rows.map((row) => columnsOf(table!).map(({ name, type }) => spelt(row[name] ?? null, type.kind)));
    expect(sorted(spelled)).toEqual(truth(table!));
    expect((await readdir(to)).sort()).toEqual(['Gen_Currencies.ndjson', 'Gen_Documents.ndjson', 'restore.json']);
  });

  it('to NDJSON writes what extract writes', async () => {
    const to = join(folder, `${types}-as-extract`);
    expect((await restore(types, to, '--format', 'ndjson')).code).toBe(0);
    for (const { name } of tables()) {
      const file = join(folder, `${types}-${name}.ndjson`);
      const env = { TOKEN: demo.credentials.referenceToken };
      const run = await tablevault(['extract', join(folder, `${types}.yaml`), name, '-o', file], { env });
      expect(run.code, run.stderr).toBe(0);
      const rows = async (path: string) =>
        (await readFile(path, 'utf8'))
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown);
      expect(await rows(join(to, `${name}.ndjson`))).toEqual(await rows(file));
    }
  });

  it('to a DuckDB file keeps every value, with types', async () => {
    const to = join(folder, `${types}.duckdb`);
    const run = await restore(types, to);
    expect(run.code, run.stderr).toBe(0);
    for (const table of tables()) {
      expect(await duckRows(`restored."${table.name}"`, table, to)).toEqual(truth(table));
    }
  });

  it.skipIf(bin === undefined)('to PostgreSQL keeps every value, with types and keys', async () => {
    const url = await postgres!.database();
    const refused = await restore(types, url);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/NUL character in \d+ rows of Gen_Documents\.\w+/);
    const run = await restore(types, url, '--replace-nul');
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/warning: .*Gen_Documents/);
    expect(run.stdout + run.stderr).not.toContain(postgres!.password);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query("SET TimeZone = 'UTC'");
      for (const table of tables()) {
        const selected = columnsOf(table).map(({ name, type, edmType }) => {
          if (type.kind === 'datetime') return `to_char("${name}", 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
          if (edmType === 'Edm.Binary') return `replace(encode("${name}", 'base64'), E'\\n', '')`;
          return `"${name}"::text`;
        });
        const { rows } = await client.query({
          text: `SELECT ${selected.join(', ')} FROM "${table.name}"`,
          rowMode: 'array',
        });
        const expected = truth(table).map((row) => row.map((value) => value?.replaceAll('\0', '\u2400') ?? null));
        expect(sorted(rows as Text[][])).toEqual(sorted(expected));
        const keys = await client.query('SELECT 1 FROM pg_constraint WHERE conrelid = $1::regclass AND contype = $2', [
          `"${table.name}"`,
          'p',
        ]);
        expect(keys.rows).toHaveLength(1);
      }
      const { rows: foreign } = await client.query(
        `SELECT conrelid::regclass::text AS "from", a.attname AS "column", confrelid::regclass::text AS "to"
         FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE contype = 'f'`,
      );
      const found = foreign.map((key) => `${key.from}.${key.column} > ${key.to}`.replaceAll('"', ''));
      expect(found.sort()).toEqual((await modelReferences()).sort());
      expect(found).toContain('Crm_Customers.Default_Currency_Id > Gen_Currencies');
      const again = await restore(types, url, '--replace-nul');
      expect(again.code).toBe(2);
      expect(again.stderr).toContain('is not empty');
      expect((await restore(types, `${url}?schema=second`, '--replace-nul')).code).toBe(0);
    } finally {
      await client.end();
    }
  });
});

describe('a restore', () => {
  describe.runIf(bin !== undefined)('to PostgreSQL whose answer to COMMIT is slow', () => {
    /** A way to PostgreSQL that says when COMMIT is sent, and passes what the server says from then on `answer` ms later, or never. */
    async function slowCommit(answer: number | undefined) {
      const url = new URL(await postgres!.database());
      let onCommit = () => {};
      const proxy = createServer((near) => {
        const far = connect(Number(url.port), '127.0.0.1');
        let late = false;
        near.on('data', (chunk) => {
          if (chunk.includes('COMMIT') && chunk.length < 40) {
            late = true;
            onCommit();
          }
          far.write(chunk);
        });
        far.on('data', (chunk) => {
          if (!late) near.write(chunk);
          else if (answer === undefined) near.destroy();
          else setTimeout(() => near.destroyed || near.write(chunk), answer);
        });
        for (const [one, other] of [
          [near, far],
          [far, near],
        ] as const) {
          one.on('error', () => other.destroy());
          one.on('close', () => other.destroy());
        }
      });
      await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
      const slow = new URL(url);
      slow.port = String((proxy.address() as { port: number }).port);
      const restore = (interrupt: boolean) =>
        tablevault(['restore', vaults['portable']!, '--to', slow.href, '--tables', 'Gen_Currencies'], {
          onStart: (child) => {
            onCommit = () => interrupt && child.kill('SIGINT');
          },
        }).finally(() => proxy.close());
      const tables = async () => {
        const client = new pg.Client({ connectionString: url.href });
        await client.connect();
        const found = await client.query("SELECT relname FROM pg_class WHERE relname = 'Gen_Currencies'");
        await client.end();
        return found.rows.length;
      };
      return { restore, tables };
    }

    it('says that it is restored, though it was interrupted, when the answer comes', async () => {
      const { restore, tables } = await slowCommit(1_500);
      const run = await restore(true);
      expect(run.code, run.stderr).toBe(0);
      expect(run.stderr).toContain('restored snapshot');
      expect(await tables()).toBe(1);
    });

    it('ends with 8 and says what to look at when the answer is lost', async () => {
      const { restore } = await slowCommit(undefined);
      const run = await restore(false);
      expect(run.code, run.stderr).toBe(8);
      expect(run.stderr).toMatch(/Look whether the tables exist/);
    });
  });

  it.runIf(bin !== undefined)('says that a schema is not empty where a type has the name of a table', async () => {
    const url = await postgres!.database();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('CREATE TYPE "Gen_Currencies" AS ENUM (\'a\')');
    await client.end();
    const run = await tablevault(['restore', vaults['portable']!, '--to', url, '--tables', 'Gen_Currencies']);
    expect(run.code, run.stderr).toBe(2);
    expect(run.stderr).toContain('?schema=name');
  });

  it('refuses a target that holds something, and leaves it as it is', async () => {
    const to = join(folder, 'used');
    await mkdir(to);
    await writeFile(join(to, 'mine.txt'), 'mine');
    const run = await restore('portable', to);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('is not empty');
    expect(await readdir(to)).toEqual(['mine.txt']);
    await writeFile(join(folder, 'used.duckdb'), 'mine');
    expect((await restore('portable', join(folder, 'used.duckdb'))).code).toBe(2);
    expect(await readFile(join(folder, 'used.duckdb'), 'utf8')).toBe('mine');
  });

  it('takes an empty folder', async () => {
    const to = join(folder, 'empty');
    await mkdir(to);
    expect((await restore('portable', to, '--tables', 'Gen_Currencies')).code).toBe(0);
    expect((await readdir(to)).sort()).toEqual(['Gen_Currencies', 'restore.json']);
  });

  it.runIf(process.platform === 'linux')('to a folder that cannot be made ends at once, and says so', async () => {
    const run = await restore('portable', '/proc/tablevault/x');
    expect(run.code).toBe(7);
    expect(run.stderr).toMatch(/creating the target failed \(ENOENT\).*\/proc\/tablevault\/x.*Check the path/);
  });

  it('to a PostgreSQL that is not there speaks of no transaction', async () => {
    const run = await restore('portable', 'postgres://nobody@127.0.0.1:1/nothing');
    expect(run.code).toBe(7);
    expect(run.stderr).toMatch(/connecting to PostgreSQL failed: .*ECONNREFUSED.*Check address and port/);
    expect(run.stderr).not.toContain('transaction');
  });

  it('names a table that the snapshot does not hold', async () => {
    const run = await restore('portable', join(folder, 'none'), '--tables', 'Gen_Nothing');
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('Gen_Nothing');
  });

  it('of a damaged part ends before anything of it is used, in every kind of target', async () => {
    const { stdout } = await tablevault(['paths', vaults['native']!, 'Gen_Documents']);
    const [path = ''] = stdout.split('\n');
    const sound = await readFile(path);
    const damaged = Buffer.from(sound);
    damaged[100] = damaged[100]! ^ 1;
    await chmod(path, 0o600);
    await writeFile(path, damaged);
    try {
      const targets = [join(folder, 'damaged'), join(folder, 'damaged.duckdb')];
      if (bin !== undefined) targets.push(await postgres!.database());
      for (const to of targets) {
        const run = await restore('native', to);
        expect(run.code, to).toBe(7);
        expect(run.stderr).toContain('SHA-256');
      }
      const left = (await readdir(folder)).filter((name) => name.includes('damaged'));
      expect(left).toEqual([]);
    } finally {
      await writeFile(path, sound);
    }
  });
});
