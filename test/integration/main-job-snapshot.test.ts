/** The main job, points 5 to 10: types, Parquet, the vault, what eyes see, `make demo`. One test for each sentence not said elsewhere. */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tablevault } from '../support/cli.ts';
import { type Job, newestManifest, paragraphOf, snapshotsIn, startJob, type Taken } from '../support/job.ts';
import { readRows } from '../support/parquet.ts';

function expectDone(taken: Taken): void {
  expect(taken.code, taken.stderr).toBe(0);
  expect(taken.report).toMatchObject({ complete: true, error: null });
}

describe('5. types', () => {
  let job: Job;
  beforeAll(async () => {
    job = await startJob({ rows: 0.01 });
  });
  afterAll(() => job.close());
  const ALL = ['Gen_*', 'Inv_*', 'Sec_Users'];

  test.each([
    ['every escape JSON has, properties in any order', { escapes: 'all', properties: 'shuffled', json: 'pretty' }],
    ['decimals as strings, GUIDs in capitals', { decimals: 'strings', guidCase: 'upper', binaries: 'base64url' }],
    ['decimals with exponents, instants with an offset', { decimals: 'exponent', instants: 'offset', chunkBytes: 7 }],
    ['nulls left out', { nulls: 'omitted' }],
  ] as const)('%s: every value is exact', async (_, personality) => {
    job.demo.configure({ personality });
    const taken = await job.snapshot({ include: ALL });
    job.demo.configure({
      personality: {
        ...{ escapes: 'minimal', properties: 'declared', json: 'compact', decimals: 'numbers', guidCase: 'lower' },
        ...{ binaries: 'base64', instants: 'utc', chunkBytes: 0, nulls: 'written' },
      },
    });
    expectDone(taken);
    expect(await job.compare(taken)).toBeGreaterThan(1500);
  });

  test('unknown extra properties are left out, and warned of once for a table', async () => {
    job.demo.configure({ personality: { extraProperties: ['etag', 'unknown'] } });
    const taken = await job.snapshot({ include: ['Gen_Products'] });
    job.demo.configure({ personality: { extraProperties: [] } });
    expectDone(taken);
    await job.compare(taken);
    expect(taken.report.tables[0]?.warnings.filter((text) => text.includes('$metadata does not name'))).toHaveLength(1);
    expect(taken.stderr.match(/\$metadata does not name/g)).toHaveLength(1);
  });

  test('sensitive columns are left out and said, unless the pipeline names them', async () => {
    const without = await job.snapshot({ include: ['Sec_Users'] });
    const [table] = (await newestManifest(without.vault)).tables;
    expect(table?.columnsLeftOut).toEqual([{ name: 'Password', reason: 'sensitive' }]);
    expect(table?.schema.columns.map(({ name }) => name)).not.toContain('Password');
    const named = await job.snapshot({
      include: [],
      more: 'tables: { include: [Sec_Users], overrides: { Sec_Users: { columns: ["*", Password] } } }',
    });
    expectDone(named);
    const [whole] = (await newestManifest(named.vault)).tables;
    expect(whole?.schema.columns.map(({ name }) => name)).toContain('Password');
  });
});

describe('6. Parquet', () => {
  let job: Job;
  let taken: Taken;
  beforeAll(async () => {
    job = await startJob({
      tables: ['Inv_Transactions', 'Sec_Access_Keys', 'Gen_Currencies', 'Dmv_Table_Info'],
      tableRows: { Inv_Transactions: 60_000 },
    });
    taken = await job.snapshot({ more: 'parquet: { partRows: 20000 }' });
    expectDone(taken);
  });
  afterAll(() => job.close());

  test('parts hold contiguous key ranges and the manifest records first and last key', async () => {
    const table = (await newestManifest(taken.vault)).tables.find(({ name }) => name === 'Inv_Transactions')!;
    expect(table.strategy).toBe('ranges');
    expect(table.parts.length).toBeGreaterThan(2);
    const truth = [...job.demo.rows('Inv_Transactions')].map((row) => row['Transaction_Id']);
    let at = 0;
    for (const part of table.parts) {
      const keys = (await readRows(join(taken.vault, part.key))).map((row) => row['Transaction_Id']);
      expect(keys.length).toBe(part.rows);
      expect(part.rows).toBeLessThanOrEqual(20_000);
      expect([part.firstKey, part.lastKey]).toEqual([[keys[0]], [keys.at(-1)]]);
      expect(keys).toEqual(truth.slice(at, at + keys.length));
      at += keys.length;
    }
    expect(at).toBe(60_000);
  });

  test('empty tables give a valid empty file with the schema', async () => {
    const table = (await newestManifest(taken.vault)).tables.find(({ name }) => name === 'Sec_Access_Keys')!;
    expect(table.rows).toBe(0);
    expect(table.parts).toHaveLength(1);
    const path = join(taken.vault, table.parts[0]!.key);
    expect(await readRows(path)).toEqual([]);
    const { columns } = job.demo.tables.find(({ name }) => name === 'Sec_Access_Keys')!;
    const described = await duck(`SELECT name FROM parquet_schema('${path}') WHERE num_children IS NULL`);
    expect(described.map(([name]) => name)).toEqual(columns.map(({ name }) => name));
  });

  test('files are zstd with statistics', async () => {
    const [table] = (await newestManifest(taken.vault)).tables;
    const path = join(taken.vault, table!.parts[0]!.key);
    const chunks = await duck(
      `SELECT DISTINCT compression, stats_null_count IS NOT NULL FROM parquet_metadata('${path}') WHERE num_values > 0`,
    );
    expect(chunks).toEqual([['ZSTD', true]]);
  });
});

async function duck(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowsJS() as unknown[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

describe('7. the vault in a folder', () => {
  let job: Job;
  beforeAll(async () => {
    job = await startJob({ limits: { slots: 8 } });
  });
  afterAll(() => job.close());

  test('holds parts, checkpoints, outcome and manifest where the design has them, and nothing of a credential', async () => {
    const taken = await job.snapshot({ include: ['Gen_C*'] });
    expectDone(taken);
    const names = await readdir(taken.vault, { recursive: true });
    const id = taken.report.snapshot!;
    expect(names).toEqual(
      expect.arrayContaining([
        'vault.json',
        'latest.json',
        'snapshots/00000000000000000001.json',
        `runs/${id}/plan.json`,
        `runs/${id}/outcome.json`,
        expect.stringMatching(`^runs/${id}/ckpt/Gen_Currencies/\\d+\\.json$`),
        expect.stringMatching(`^tables/Gen_Currencies/${id}-\\d+-[0-9a-f]{12}\\.parquet$`),
      ]),
    );
    const { applications, referenceToken } = job.demo.credentials;
    for (const name of names.filter((each) => each.endsWith('.json'))) {
      const text = await readFile(join(taken.vault, name), 'utf8');
      expect(text).not.toContain(applications['my.app/backup']!.clientSecret);
      expect(text).not.toContain(referenceToken);
      expect(text).not.toMatch(/eyJ[\w-]{20}/);
    }
  });

  test('has one run at a time: a second one exits with 9 and names the holder', async () => {
    job.demo.configure({
      faults: [{ on: { path: /\/odata\/Gen_Countries\?\$select=[^&]*,[^&]*(&\$count=true)?$/, nth: 1 }, do: 'hang' }],
    });
    const { file, vault, env } = await job.pipeline({ include: ['Gen_C*'] });
    let second: Promise<Awaited<ReturnType<typeof tablevault>>> | undefined;
    const first = tablevault(['snapshot', file, '--json'], {
      env,
      onStart: (child) => {
        const timer = setInterval(() => {
          if (job.demo.witness().faults.length === 0) return;
          clearInterval(timer);
          second = tablevault(['snapshot', file, '--json'], { env });
          void second.then(() => child.kill('SIGTERM'));
        }, 50);
      },
    });
    expect((await first).code).toBe(130);
    job.demo.configure({ faults: [] });
    const locked = (await second)!;
    expect(locked.code).toBe(9);
    expect(paragraphOf(locked)).toMatch(/process \d+|pid \d+/);
    expect(await snapshotsIn(vault)).toEqual([]);
  });

  test('an interrupted run is continued: what was finished is not read again', async () => {
    job.demo.configure({
      faults: [{ on: { path: /\/odata\/Gen_Parties\?\$select=[^&]*,(?!.*top=)/ }, do: { status: 400 } }],
    });
    const { file, env } = await job.pipeline({ include: ['Gen_C*', 'Gen_Parties'] });
    const before = job.demo.witness().log.length;
    const failed = await tablevault(['snapshot', file, '--json'], { env });
    job.demo.configure({ faults: [] });
    expect(failed.code, failed.stderr).toBe(5);
    const again = await tablevault(['snapshot', file, '--json'], { env });
    expect(JSON.parse(again.stdout)).toMatchObject({ resumed: true, complete: true });
    // Probes may ask it for a row or two; its rows are not asked for again.
    const asked = job.demo.witness().log.slice(before);
    expect(asked.filter(({ url }) => /\/Gen_Countries\?\$select=[^&]*,[^&]*(&\$count=true)?$/.test(url))).toHaveLength(
      1,
    );
  });
});

describe('9. for eyes', () => {
  let job: Job;
  beforeAll(async () => {
    job = await startJob();
  });
  afterAll(() => job.close());

  const REPORT = [
    ...['bytesReceived', 'complete', 'durationMs', 'error', 'narrowed', 'requests'],
    ...['resumed', 'sequence', 'snapshot', 'tables'],
  ];
  const TABLE = [
    'bytes',
    'changes',
    'consistency',
    'error',
    'name',
    'parts',
    'requests',
    'rows',
    'status',
    'strategy',
    'warnings',
  ];

  test('--json has the keys of the contract and no other, also when the run fails', async () => {
    const good = await job.snapshot({ include: ['Gen_C*'] });
    const bad = await job.snapshot({ clientId: 'my.app/disabled' });
    job.demo.configure({ rights: { forbiddenTables: ['Gen_Countries'] } });
    const partial = await job.snapshot({ include: ['Gen_C*'], args: ['--allow-partial'] });
    job.demo.configure({ rights: { forbiddenTables: [] } });
    for (const { report } of [good, bad, partial]) {
      expect(Object.keys(report).toSorted()).toEqual(REPORT);
      for (const table of report.tables) expect(Object.keys(table).toSorted()).toEqual(TABLE);
      if (report.error !== null) expect(Object.keys(report.error).toSorted()).toEqual(['code', 'message']);
    }
    expect(partial.code).toBe(5);
    expect(partial.report).toMatchObject({ complete: false, snapshot: expect.any(String) });
    expect(partial.report.tables.filter(({ status }) => status === 'failed').map(({ name }) => name)).toEqual([
      'Gen_Countries',
    ]);
    const bytes = job.demo.witness().bytes;
    expect(good.report.bytesReceived).toBeLessThan(bytes);
    expect(good.report.bytesReceived).toBeGreaterThan(0);
  });

  test('logs at the finest level hold no secret and no token', async () => {
    const taken = await job.snapshot({ include: ['Gen_C*'], env: { TABLEVAULT_LOG: 'trace' } });
    expectDone(taken);
    expect(taken.stderr.split('\n').filter((line) => line.startsWith('{')).length).toBeGreaterThan(10);
    const { applications } = job.demo.credentials;
    expect(taken.stderr + taken.stdout).not.toContain(applications['my.app/backup']!.clientSecret);
    expect(taken.stderr + taken.stdout).not.toMatch(/eyJ[\w-]{8,}\./);
  });

  test('without a terminal progress is plain lines on standard error, and standard output is data alone', async () => {
    const { file, env } = await job.pipeline({ include: ['Gen_C*'] });
    const run = await tablevault(['snapshot', file], { env });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(/snapshot \S+ \(number 1\) in .*: 5 tables|\d+ tables?, /);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is the point
    expect(run.stderr).not.toMatch(/\u001b/);
  });
});

describe('10. make demo', () => {
  test('takes, verifies and queries a snapshot with each kind of credential, and says where the files are', async () => {
    const job = await startJob();
    try {
      const tour = fileURLToPath(new URL('../../dist/demo-tour.js', import.meta.url));
      const vaults = join(job.folder, 'tour');
      const child = spawn(process.execPath, [tour, '--rows', '0.02', '--vaults', vaults], { stdio: 'pipe' });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
      const code = await new Promise((resolve) => child.once('close', resolve));
      expect(code, text).toBe(0);
      for (const name of ['service', 'token']) expect(await snapshotsIn(join(vaults, name))).toHaveLength(1);
      expect(text).toMatch(/40 tables, [\d,]+ rows/);
      expect(text).toMatch(/tables\/Crm_Sales_Orders\/.*\.parquet/);
      expect(text).toMatch(/year +orders +lines +amount/);
      expect(text).toContain('All of this took');
    } finally {
      await job.close();
    }
  });
});
