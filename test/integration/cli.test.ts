/** The command line end to end against a small demo instance. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import { tablevault } from '../support/cli.ts';

let folder: string;
let demo: DemoInstance;
let pipeline: string;
let vault: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-cli-'));
  demo = await startDemo({ rows: 0.05 });
  vault = join(folder, 'vault');
  pipeline = join(folder, 'backup.yaml');
  env = { TOKEN: demo.credentials.referenceToken };
  await writeFile(
    pipeline,
    `version: 1
instance: ${demo.url}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: ["Gen_*", "Sec_Users"] }
destination: ./vault
`,
  );
});

afterAll(async () => {
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

describe('before there is a vault', () => {
  it('tables lists what the instance offers and what the pipeline takes of it', async () => {
    const run = await tablevault(['tables', pipeline, '--json'], { env });
    expect(run.code, run.stderr).toBe(0);
    const { tables } = JSON.parse(run.stdout) as {
      tables: {
        name: string;
        selected: boolean;
        key: string[];
        rows: number | null;
        databaseBytes: number | null;
        columns: { name: string; read: string; filter: string }[];
      }[];
    };
    expect(tables.map(({ name }) => name).sort()).toEqual(demo.tables.map(({ name }) => name).sort());
    const documents = tables.find(({ name }) => name === 'Gen_Documents')!;
    const rows = demo.tables.find(({ name }) => name === 'Gen_Documents')!.rows;
    expect(documents).toMatchObject({ selected: true, key: ['Id'], rows });
    expect(documents.databaseBytes).toBeGreaterThan(0);
    expect(documents.columns.find(({ name }) => name === 'Void')?.filter).toBe('documented');
    expect(documents.columns.find(({ name }) => name === 'Id')?.filter).toBe('unknown');
    expect(tables.find(({ name }) => name === 'Crm_Customers')).toMatchObject({ selected: false });
    const users = tables.find(({ name }) => name === 'Sec_Users');
    expect(users?.columns.find(({ name }) => name === 'Password')?.read).toBe('sensitive');
  });

  it('tables --columns shows the columns of some, and names near tables for a wrong name', async () => {
    const run = await tablevault(['tables', pipeline, '--columns', 'Gen_Currencies'], { env });
    expect(run.stdout).toMatch(/^Gen_Currencies\n {2}Currency_Id +Edm\.Guid +not null +key +filter probed\n/);
    demo.configure({ personality: { keyFilter: false } });
    const refused = await tablevault(['tables', pipeline, '--columns', 'Gen_Currencies'], { env });
    demo.configure({ personality: { keyFilter: true } });
    expect(refused.stdout).toMatch(/\n {2}Currency_Id .* filter refused\n/);
    const wrong = await tablevault(['tables', pipeline, '--columns', 'Gen_Currencys'], { env });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('Gen_Currencies');
  });

  it('tables are sorted by rows, and those of unknown size come last', async () => {
    const run = await tablevault(['tables', pipeline, '--sort', 'rows', '--json'], { env });
    const rows = (json(run.stdout)['tables'] as { rows: number | null }[]).map((table) => table.rows ?? -1);
    expect(rows).toEqual(rows.toSorted((a, b) => b - a));
    expect(rows[0]).toBeGreaterThan(100);
    demo.configure({ personality: { tableInfo: 'forbidden' } });
    const blind = await tablevault(['tables', pipeline], { env });
    demo.configure({ personality: { tableInfo: 'readable' } });
    expect(blind.code, blind.stderr).toBe(0);
    expect(blind.stdout).toMatch(/^Gen_Documents +yes +\? +\? +\d+ +Id$/m);
  });

  it('ls and query say that there is none', async () => {
    for (const args of [
      ['ls', vault],
      ['query', vault, 'SELECT 1'],
      ['verify', vault, '--json'],
    ]) {
      const run = await tablevault(args);
      expect(run.code).toBe(7);
      expect(run.stderr).toContain('VAULT_NOT_FOUND');
    }
  });
});

describe('a snapshot and what reads it', () => {
  let report: { snapshot: string; sequence: number; tables: { name: string; rows: number }[] };

  beforeAll(async () => {
    const run = await tablevault(['snapshot', pipeline, '--json'], { env });
    expect(run.code, run.stderr).toBe(0);
    report = JSON.parse(run.stdout);
    expect(run.stdout + run.stderr).not.toContain(env['TOKEN']);
  });

  it('is reported as one JSON object of the contract', () => {
    expect(report).toMatchObject({
      snapshot: expect.stringMatching(/./),
      sequence: 1,
      complete: true,
      resumed: false,
      requests: expect.any(Number),
      bytesReceived: expect.any(Number),
      durationMs: expect.any(Number),
      error: null,
    });
    const expected = demo.tables.filter(({ name }) => /^Gen_|^Sec_Users$/.test(name));
    expect(Object.fromEntries(report.tables.map(({ name, rows }) => [name, rows]))).toEqual(
      Object.fromEntries(expected.map(({ name, rows }) => [name, rows])),
    );
  });

  it('is listed by ls, fresh enough for 26h and not for 1ms', async () => {
    const fresh = await tablevault(['ls', vault, '--max-age', '26h']);
    expect(fresh.code).toBe(0);
    expect(fresh.stdout).toContain(report.snapshot);
    expect(json((await tablevault(['ls', vault, '--json'])).stdout)).toMatchObject({
      newestComplete: report.snapshot,
      snapshots: [{ snapshot: report.snapshot, sequence: 1, complete: true }],
    });
    const stale = await tablevault(['ls', vault, '--max-age', '1ms']);
    expect(stale.code).toBe(6);
    expect(stale.stdout).toContain(report.snapshot);
    expect(stale.stderr).toContain('[VAULT_STALE, exit 6]');
  });

  it('is shown with what was left out', async () => {
    const people = await tablevault(['show', vault]);
    expect(people.stdout).toContain('left out: Sec_Users.Password (sensitive)');
    const machine = await tablevault(['show', vault, report.snapshot, '--json']);
    expect(JSON.parse(machine.stdout)).toMatchObject({ manifest: { snapshot: report.snapshot } });
  });

  it('gives its files by paths, one a line, and names near tables for a wrong name', async () => {
    const { stdout } = await tablevault(['paths', vault, 'Gen_Documents']);
    for (const path of stdout.trimEnd().split('\n')) expect(path).toMatch(/^\/.*\/tables\/Gen_Documents\/.*\.parquet$/);
    const wrong = await tablevault(['paths', vault, 'Gen_Document']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('Gen_Documents');
  });

  it('answers SQL', async () => {
    const run = await tablevault(['query', vault, 'SELECT count(*) AS n FROM Gen_Documents', '--format', 'ndjson']);
    const { rows } = demo.tables.find(({ name }) => name === 'Gen_Documents')!;
    expect(json(run.stdout)).toEqual({ n: rows });
    const wrong = await tablevault(['query', vault, 'SELEC', '--json']);
    expect(wrong.code).toBe(2);
    expect(json(wrong.stdout)).toMatchObject({ error: { code: 'USAGE' } });
  });

  it.each(['manifest', 'files', 'rows'])('verifies at level %s', async (level) => {
    const run = await tablevault(['verify', vault, '--level', level, '--json']);
    expect(json(run.stdout)).toMatchObject({ ok: true, level, findings: [] });
    expect(run.code).toBe(0);
  });

  it('ends quietly when the reader of its output goes, as head does', async () => {
    const run = await tablevault(['query', vault, 'SELECT * FROM range(5000000)', '--format', 'csv'], {
      onStart: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
    });
    expect(run.code).toBe(0);
    expect(run.stderr).toBe('');
  });

  it('is signed where the pipeline has a key, and verified with the public one', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const signed = join(folder, 'signed.yaml');
    const file = (name: string) => join(folder, name);
    await writeFile(file('signing.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }));
    await writeFile(file('signing.pub'), publicKey.export({ format: 'pem', type: 'spki' }));
    const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' });
    await writeFile(file('other.pub'), other);
    const text = (await readFile(pipeline, 'utf8'))
      .replace('./vault', './signed')
      .replace('"Gen_*", "Sec_Users"', 'Gen_Currencies');
    await writeFile(signed, `${text}signing: { key: "\${file:./signing.pem}" }\n`);
    for (let n = 0; n < 2; n++) {
      const run = await tablevault(['snapshot', signed], { env });
      expect(run.code, run.stderr).toBe(0);
    }
    const verify = (...args: string[]) => tablevault(['verify', file('signed'), ...args]);
    expect((await verify('--public-key', file('signing.pub'))).code).toBe(0);
    const wrong = await verify('--public-key', file('other.pub'));
    expect(wrong.code).toBe(6);
    expect(wrong.stdout).toMatch(/^SIGNATURE snapshots\/.*: it is signed with key [0-9a-f]{16}, which was not given$/m);
    const none = await verify('--public-key', file('signing.pem'));
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('holds no Ed25519 public key');
    const unsigned = await tablevault(['verify', vault, '--public-key', file('signing.pub')]);
    expect(unsigned.code).toBe(6);
    expect(unsigned.stdout).toContain('it is not signed');
  });

  it('fails verification with exit code 6 when a file was changed', async () => {
    const { stdout } = await tablevault(['paths', vault, 'Gen_Currencies']);
    const [path] = stdout.split('\n') as [string];
    await writeFile(path, 'not Parquet');
    const run = await tablevault(['verify', vault]);
    expect(run.code).toBe(6);
    expect(run.stdout).toMatch(/^PART_(SIZE|HASH) tables\/Gen_Currencies\//);
    expect(run.stderr).toContain('[VERIFY_FAILED, exit 6]');
  });
});

describe('an interrupt', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s ends a snapshot in seconds with exit code 130 and publishes nothing',
    async (signal) => {
      demo.configure({ faults: [{ on: { path: /\/odata\/Gen_Documents/ }, do: 'hang' }] });
      const fired = demo.witness().faults.length;
      const destination = join(folder, `interrupted-${signal}`);
      const run = await tablevault(['snapshot', pipeline, '--destination', destination, '--json'], {
        env,
        onStart: (child) => {
          const timer = setInterval(() => {
            if (demo.witness().faults.length === fired) return;
            clearInterval(timer);
            child.kill(signal);
          }, 50);
        },
      });
      demo.configure({ faults: [] });
      expect(run.code, run.stderr).toBe(130);
      expect(JSON.parse(run.stdout)).toMatchObject({ snapshot: null, error: { code: 'INTERRUPTED' } });
      expect(run.stderr).toMatch(/^error: interrupted by .*\[INTERRUPTED, exit 130\]$/m);
      expect((await tablevault(['ls', destination, '--json'])).stdout).not.toMatch(/"sequence"/);
    },
  );
});

describe('the demo command', () => {
  it('serves until it is stopped, and prints what a pipeline needs', async () => {
    let port: string | undefined;
    const run = await tablevault(['demo', '--json'], {
      onStart: (child) => {
        child.stdout?.once('data', (chunk) => {
          port = String(chunk);
          child.kill('SIGTERM');
        });
      },
    });
    expect(JSON.parse(port!)).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      referenceToken: expect.any(String),
    });
    expect(run.code).toBe(130);
    expect(run.stderr).not.toContain('error:');
    expect(run.stderr).toMatch(/The demo instance has stopped\.\n$/);
    expect(run.stderr).toMatch(/It has 20 licence seats.*When none is free, stop it and start it again/);
  });

  it('lists its controls where they are, and where a wrong one is asked for', async () => {
    for (const [path, status] of [
      ['/', 200],
      ['/nothing', 404],
    ] as const) {
      const response = await fetch(demo.controlUrl + path);
      expect(response.status).toBe(status);
      const { controls } = (await response.json()) as { controls: Record<string, string> };
      expect(Object.keys(controls)).toEqual(expect.arrayContaining(['GET /witness', 'POST /configure']));
      for (const control of Object.keys(controls).filter((each) => /^GET [^<]+$/.test(each)))
        expect((await fetch(demo.controlUrl + control.slice('GET '.length))).status, control).toBe(200);
      for (const control of Object.keys(controls).filter((each) => each.startsWith('POST ')))
        expect(
          (await fetch(demo.controlUrl + control.slice('POST '.length), { method: 'POST', body: '[]' })).status,
          control,
        ).toBe(400);
    }
  });

  it('serves the rows and the table model it is told to, and tells where its switches are', async () => {
    const model = join(folder, 'model.jsonl');
    const key = { name: 'Id', type: 'uniqueidentifier', pk: 1 };
    await writeFile(model, JSON.stringify({ name: 'Only_Table', kind: 'table', rows: 200, columns: [key] }));
    let served: Promise<unknown> | undefined;
    const run = await tablevault(['demo', '--json', '--rows', '0.5', '--model', model], {
      onStart: (child) => {
        child.stdout?.once('data', (chunk) => {
          const { controlUrl } = JSON.parse(String(chunk)) as { controlUrl: string };
          served = fetch(`${controlUrl}/tables`)
            .then((response) => response.json())
            .finally(() => child.kill('SIGTERM'));
        });
      },
    });
    expect(await served, run.stderr).toMatchObject([{ name: 'Only_Table', rows: 100, key: ['Id'] }]);
    expect(run.stderr).toMatch(/switches, faults and record of requests are at http:\/\/127\.0\.0\.1:\d+/);
  });

  it('prints what a shell needs as variables, the control address among them', async () => {
    let printed = '';
    await tablevault(['demo'], {
      onStart: (child) => {
        child.stdout?.once('data', (chunk) => {
          printed = String(chunk);
          child.kill('SIGTERM');
        });
      },
    });
    const names = printed
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(names).toEqual(
      ['URL', 'CLIENT_ID', 'CLIENT_SECRET', 'TOKEN', 'CONTROL_URL'].map((name) => `TABLEVAULT_DEMO_${name}`),
    );
  });

  it('says what is wrong with a port that is taken, a model that is not there, and a factor that is none', async () => {
    const { port } = new URL(demo.url);
    for (const flag of ['--port', '--control-port']) {
      const taken = await tablevault(['demo', flag, port]);
      expect(taken.code).toBe(2);
      expect(taken.stderr).toContain(`port ${port} of this machine is in use. Name another port`);
    }
    const missing = await tablevault(['demo', '--model', join(folder, 'no-such.jsonl')]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('[CONFIG_NOT_FOUND, exit 2]');
    const none = await tablevault(['demo', '--rows', '0']);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('[USAGE, exit 2]');
  });
});
