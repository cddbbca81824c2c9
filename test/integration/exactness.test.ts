// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/**
 * Every value of every table of the demo instance, through HTTP, decoder and Parquet and back, with both kinds of credential and in both
 * type profiles, read by a Parquet reader that did not write the files.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import type { SnapshotReport } from '../../src/run/snapshot/snapshot.ts';
import { tablevault } from '../support/cli.ts';
import { type Exact, readRows, sixDigits } from '../support/parquet.ts';

let demo: DemoInstance;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-exact-'));
  demo = await startDemo({ rows: 0.1 });
});

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

const AUTH = {
  'a service identity': () =>
    `{ kind: service, clientId: ${demo.credentials.service.clientId}, clientSecret: "\${env:SECRET}" }`,
  'a reference token': () => '{ kind: reference-token, token: "${env:TOKEN}" }',
  'a reference token as an API key': () => '{ kind: reference-token, token: "${env:TOKEN}", header: x-api-key }',
} as const;

async function takeSnapshot(
  auth: keyof typeof AUTH,
  types: string,
): Promise<{ vault: string; report: SnapshotReport }> {
  const name = `${auth.replaceAll(' ', '-')}-${types}`;
  const vault = join(folder, name);
  const file = join(folder, `${name}.yaml`);
  await writeFile(
    file,
    `version: 1
instance: ${demo.url}
auth: ${AUTH[auth]()}
tables: { include: ["*"] }
destination: ${vault}
parquet: { types: ${types}, partRows: 3000 }
`,
  );
  const env = { SECRET: demo.credentials.service.clientSecret, TOKEN: demo.credentials.referenceToken };
  const run = await tablevault(['snapshot', file, '--json'], { env });
  expect(run.code, run.stderr).toBe(0);
  return { vault, report: JSON.parse(run.stdout) as SnapshotReport };
}

/** A true value as a column of the profile holds it. */
function stored(value: Exact, kind: string, types: string): Exact {
  if (value === null) return null;
  if (kind === 'time' && types === 'portable') return String(value).replace('.000000', '');
  if (kind === 'datetime') return sixDigits(String(value));
  return value;
}

/** The files of each table, from the one manifest of a fresh vault. */
async function partsOf(vault: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const [name = ''] = await readdir(join(vault, 'snapshots'));
  const manifest = JSON.parse(await readFile(join(vault, 'snapshots', name), 'utf8')) as {
    tables: { name: string; parts: { key: string }[] }[];
  };
  return new Map(manifest.tables.map((table) => [table.name, table.parts.map(({ key }) => join(vault, key))]));
}

async function compareTable(
  files: readonly string[],
  table: DemoInstance['tables'][number],
  types: string,
): Promise<number> {
  const rows = (await Promise.all(files.map(readRows))).flat();
  const read = table.columns.filter((column) => !column.sensitive);
  const expected = [...demo.rows(table.name)].map((row) =>
    Object.fromEntries(
      read.map(({ name, type }) => [name, stored((row as Record<string, Exact>)[name] ?? null, type.kind, types)]),
    ),
  );
  expect(rows.length, `rows of ${table.name}`).toBe(expected.length);
  for (const [index, row] of rows.entries()) {
    const truth = expected[index]!;
    for (const { name } of read) {
      const have = row[name];
      const want = truth[name];
      if (have !== want && !(Number.isNaN(have) && Number.isNaN(want))) {
        expect({ table: table.name, index, column: name, value: have }).toEqual({
          table: table.name,
          index,
          column: name,
          value: want,
        });
      }
    }
    if (Object.keys(row).length !== read.length) expect(Object.keys(row)).toEqual(read.map(({ name }) => name));
  }
  return rows.length;
}

describe.each(Object.keys(AUTH) as (keyof typeof AUTH)[])('a snapshot taken with %s', (auth) => {
  test.each(['portable', 'native'])('holds every value of all 40 tables in the %s profile', async (types) => {
    const { vault, report } = await takeSnapshot(auth, types);
    expect(report).toMatchObject({ complete: true, resumed: false, error: null });
    expect(report.tables).toHaveLength(40);
    let rows = 0;
    const parts = await partsOf(vault);
    for (const table of demo.tables) rows += await compareTable(parts.get(table.name) ?? [], table, types);
    expect(rows).toBe(report.tables.reduce((sum, table) => sum + table.rows, 0));
    const verified = await tablevault(['verify', vault, '--level', 'rows', '--json']);
    expect(verified.code, verified.stdout).toBe(0);
  });
});

describe('the witness of the instance', () => {
  test('saw only GET on the API, never more requests in flight than allowed, and credentials at no other origin', () => {
    const { byRoute, maxInFlight, tokens, headers, tooManyRequests } = demo.witness();
    const routes = Object.keys(byRoute);
    expect(routes.filter((route) => route.includes('/tableapi/') && !route.startsWith('GET '))).toEqual([]);
    expect(routes.filter((route) => !route.startsWith('GET '))).toEqual(['POST /id/connect/token']);
    expect(byRoute['POST /id/connect/token']).toBe(2);
    expect(tokens.issued).toBe(3);
    expect(maxInFlight).toBeLessThanOrEqual(4);
    expect(tooManyRequests).toBe(0);
    expect(Object.keys(headers)).toEqual(['instance']);
  });
});
