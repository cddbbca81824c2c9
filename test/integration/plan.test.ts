/** What a snapshot would do, against what it does. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import type { PlanReport } from '../../src/run/plan/report.ts';
import type { SnapshotReport } from '../../src/run/snapshot/snapshot.ts';
import { tablevault } from '../support/cli.ts';

let demo: DemoInstance;
let folder: string;
let file: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-plan-it-'));
  demo = await startDemo({
    rows: 0.05,
    seed: 801,
    tables: ['Gen_Documents', 'Gen_Currencies', 'Gen_Property_Values', 'Crm_Customers', 'Dmv_Table_Info'],
    tableRows: { Gen_Documents: 60_000 },
    template: ['Gen_Documents'],
  });
  env = { TOKEN: demo.credentials.referenceToken };
  file = join(folder, 'backup.yaml');
  await writeFile(
    file,
    `version: 1
instance: ${demo.url}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: ["*"], exclude: ["Dmv_*"] }
destination: ./vault
`,
  );
});

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

const plan = async (...args: string[]) => {
  const ended = await tablevault(['plan', file, '--json', ...args], { env });
  expect(ended.code, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout) as PlanReport;
};
const lineOf = (report: PlanReport, name: string) => report.tables.find((table) => table.name === name)!;

describe('before the first snapshot', () => {
  test('rows and sizes are from the instance, time is unknown, and nothing is written', async () => {
    const report = await plan();
    for (const { name, rows } of demo.tables) {
      if (name.startsWith('Dmv_')) continue;
      expect(lineOf(report, name)).toMatchObject({
        rows,
        rowsFrom: 'Dmv_Table_Info',
        durationMs: null,
        consistency: 'exact',
      });
      expect(lineOf(report, name).databaseBytes).toBeGreaterThanOrEqual(0);
    }
    expect(lineOf(report, 'Gen_Documents')).toMatchObject({ strategy: 'ranges' });
    expect(lineOf(report, 'Gen_Documents').tasks).toBeGreaterThan(1);
    expect(report.totals).toMatchObject({ durationMs: null, seatMinutes: null, tablesOfUnknownRows: 0 });
    expect(report.rates).toBeNull();
    expect(await readdir(folder)).toEqual(['backup.yaml']);
  });

  test('the keys of large tables are not read for it', async () => {
    const before = demo.witness().bytes;
    await plan();
    expect(demo.witness().bytes - before).toBeLessThan(500_000);
  });

  test('rows are from counts where only those can be had, and large tables are cut all the same', async () => {
    demo.configure({ personality: { tableInfo: 'forbidden' } });
    const report = await plan();
    demo.configure({ personality: { tableInfo: 'readable' } });
    expect(lineOf(report, 'Gen_Documents')).toMatchObject({ rows: 60_000, rowsFrom: '$count', strategy: 'ranges' });
    expect(lineOf(report, 'Gen_Documents').tasks).toBeGreaterThan(1);
  });

  test('rows are unknown where the instance does not tell', async () => {
    demo.configure({ personality: { tableInfo: 'forbidden', count: false } });
    const report = await plan();
    demo.configure({ personality: { tableInfo: 'readable', count: true } });
    expect(lineOf(report, 'Gen_Documents')).toMatchObject({
      rows: null,
      rowsFrom: null,
      strategy: 'stream',
      tasks: 1,
      requests: expect.any(Number),
    });
    expect(report.totals.tablesOfUnknownRows).toBe(report.tables.length);
    const people = await tablevault(['plan', file], { env });
    expect(people.stderr).toMatch(/unknown until a first snapshot/);
  });
});

describe('where an instance offers neither counts nor filters on keys', () => {
  beforeAll(() => demo.configure({ personality: { count: false, keyFilter: false } }));
  afterAll(() => demo.configure({ personality: { count: true, keyFilter: true } }));

  test('tables with a key will fail, unless their override accepts them; one line says so of all', async () => {
    const report = await plan();
    for (const { refusal, consistency } of report.tables) {
      expect(refusal).toMatch(/neither proven nor counted/);
      expect(consistency).toBe('best-effort');
    }
    const people = await tablevault(['plan', file], { env });
    expect(people.stdout.match(/ will fail$/gm)).toHaveLength(4);
    expect(people.stderr.match(/^will fail: each of (\w+, ){3}\w+: it can be neither proven/gm)).toHaveLength(1);
    const accepting = join(folder, 'accepting.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(
      accepting,
      text.replace('tables: {', 'tables: { overrides: { Gen_Currencies: { accept: best-effort } },'),
    );
    const ended = await tablevault(['plan', accepting, '--json'], { env });
    expect(lineOf(JSON.parse(ended.stdout), 'Gen_Currencies')).toMatchObject({
      refusal: null,
      consistency: 'best-effort',
    });
  });
});

describe('after a snapshot', () => {
  let snapshot: SnapshotReport;

  beforeAll(async () => {
    const ended = await tablevault(['snapshot', file, '--json'], { env });
    expect(ended.code, ended.stderr).toBe(0);
    snapshot = JSON.parse(ended.stdout) as SnapshotReport;
  });

  test('the plan is what the snapshot did', async () => {
    const report = await plan();
    for (const { name, strategy, rows, consistency } of snapshot.tables) {
      expect(lineOf(report, name)).toMatchObject({ strategy, rows, consistency });
    }
    expect(report.totals.tasks).toBe(snapshot.tables.reduce((sum, table) => sum + table.parts, 0));
  });

  test('time and bytes are those of the snapshot again, with the seat that idles out', async () => {
    const report = await plan();
    const { totals, rates } = report;
    expect(rates).toMatchObject({ snapshot: snapshot.snapshot });
    expect(totals.durationMs! / snapshot.durationMs).toBeCloseTo(1, 1);
    expect(totals.bytesReceived! / snapshot.bytesReceived).toBeCloseTo(1, 1);
    expect(totals.seatMinutes).toBeGreaterThanOrEqual(20);
    expect(totals.tablesNotEstimated).toBe(0);
  });

  test('is sorted and cut as asked for', async () => {
    const byName = await plan('--sort', 'name');
    expect(byName.tables.map(({ name }) => name)).toEqual(byName.tables.map(({ name }) => name).sort());
    const byRows = await plan('--sort', 'rows');
    expect(byRows.tables[0]).toMatchObject({ name: 'Gen_Documents' });
    const people = await tablevault(['plan', file, '--top', '2', '--tables', 'Gen_*'], { env });
    expect(people.stdout.trimEnd().split('\n')).toHaveLength(4);
    expect(people.stdout).toMatch(/^table +how +tasks/);
    expect(people.stdout).toMatch(/and 1 table more/);
    expect(people.stderr).toMatch(/3 tables, [\d,]+ rows.*\nabout .* seat-minutes/);
  });
});
