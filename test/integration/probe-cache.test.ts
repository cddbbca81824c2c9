// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import type { SnapshotReport } from '../../src/run/snapshot/snapshot.ts';
import { tablevault } from '../support/cli.ts';

let demo: DemoInstance;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-probes-'));
  demo = await startDemo({ rows: 0.02, tables: ['Gen_Documents', 'Gen_Parties', 'Gen_Currencies', 'Dmv_Table_Info'] });
  await writeFile(
    join(folder, 'p.yaml'),
    `version: 1\ninstance: ${demo.url}\nauth: { kind: reference-token, token: "\${env:TOKEN}" }\ntables: { include: ["Gen_*"] }\ndestination: ./vault\n`,
  );
});

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

async function snapshot(): Promise<SnapshotReport> {
  const run = await tablevault(['snapshot', join(folder, 'p.yaml'), '--json'], {
    env: { TOKEN: demo.credentials.referenceToken },
  });
  expect(run.code, run.stderr).toBe(0);
  return JSON.parse(run.stdout) as SnapshotReport;
}

async function cached(): Promise<{ capabilities: { keyFilter: boolean } } | undefined> {
  const files = await readdir(join(folder, 'vault', 'probes')).catch(() => []);
  const [file] = files;
  return file === undefined ? undefined : JSON.parse(await readFile(join(folder, 'vault', 'probes', file), 'utf8'));
}

test('probes are kept with the version of the instance, used by the next run, and made again once a read shows them wrong', async () => {
  const first = await snapshot();
  expect(await cached()).toMatchObject({ capabilities: { keyFilter: true, top: true, count: true } });
  const second = await snapshot();
  expect(second.requests).toBeLessThanOrEqual(first.requests - 3);

  demo.configure({ personality: { keyFilter: false } });
  const third = await snapshot();
  const rows = (report: SnapshotReport) => report.tables.map((table) => [table.name, table.rows]);
  expect(rows(third)).toEqual(rows(first));
  expect(await cached()).toBeUndefined();

  const fourth = await snapshot();
  expect(rows(fourth)).toEqual(rows(first));
  expect(await cached()).toMatchObject({ capabilities: { keyFilter: false } });
});
