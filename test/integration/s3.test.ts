/** The main job on a real S3 server, and what an S3 server can do to it. Everything through the executable. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import type { SnapshotReport } from '../../src/run/snapshot/snapshot.ts';
import { tablevault } from '../support/cli.ts';
import { type Bucket, type Mischief, newBucket, type S3Proxy, s3, startS3Proxy } from '../support/s3.ts';
import { compareWithTruth } from '../support/truth.ts';

let demo: DemoInstance;
let folder: string;
let pipeline: string;
let bucket: Bucket;
const proxies: S3Proxy[] = [];

beforeAll(async () => {
  if (s3 === null) return;
  folder = await mkdtemp(join(tmpdir(), 'tablevault-s3-it-'));
  demo = await startDemo({ rows: 0.02, seed: 501 });
  bucket = await newBucket();
  pipeline = join(folder, 'backup.yaml');
  await writeFile(
    pipeline,
    `version: 1
instance: ${demo.url}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: ["*"] }
destination: s3://${bucket.name}/whole
parquet: { partRows: 500 }
`,
  );
});

afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
});

afterAll(async () => {
  if (s3 === null) return;
  bucket.close();
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

const environment = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  ...bucket.env,
  TOKEN: demo.credentials.referenceToken,
  ...more,
});

/** `tablevault …args` with the credentials of the server. */
const run = (
  args: readonly string[],
  more?: Readonly<Record<string, string>>,
  onStart?: Parameters<typeof tablevault>[1],
) => tablevault(args, { env: environment(more), ...onStart });

async function snapshot(destination: string, more?: Readonly<Record<string, string>>, ...args: string[]) {
  const began = Date.now();
  const ended = await run(['snapshot', pipeline, '--destination', destination, '--json', ...args], more);
  const report = JSON.parse(ended.stdout) as SnapshotReport;
  expect(ended.stdout + ended.stderr).not.toContain(bucket.env['AWS_SECRET_ACCESS_KEY']);
  return { ...ended, report, ms: Date.now() - began };
}

async function through(
  mischief: (line: string, n: number) => Mischief | undefined,
): Promise<{ proxy: S3Proxy; env: Record<string, string> }> {
  const proxy = await startS3Proxy(mischief);
  proxies.push(proxy);
  return { proxy, env: { AWS_ENDPOINT_URL_S3: proxy.url } };
}

const GENERAL = ['--tables', 'Gen_*'];
const SMALL = ['--tables', 'Gen_Currencies,Gen_Documents'];

describe.skipIf(s3 === null)('a snapshot into a bucket', () => {
  let vault: string;
  let report: SnapshotReport;

  beforeAll(async () => {
    vault = `s3://${bucket.name}/whole`;
    const ended = await snapshot(vault);
    expect(ended.code, ended.stderr).toBe(0);
    report = ended.report;
  });

  test('holds every value of all 40 tables', async () => {
    expect(report).toMatchObject({ complete: true, resumed: false, error: null });
    expect(report.tables).toHaveLength(40);
    const { stdout } = await run(['show', vault, '--json']);
    const { manifest } = JSON.parse(stdout) as { manifest: { tables: { name: string; parts: { key: string }[] }[] } };
    let rows = 0;
    for (const { name, parts } of manifest.tables) {
      const addresses = parts.map(({ key }) => `${vault}/${key}`);
      rows += await compareWithTruth(demo, name, await bucket.download(addresses, join(folder, name)));
    }
    expect(rows).toBe(report.tables.reduce((sum, table) => sum + table.rows, 0));
  });

  test('has its files named by paths as addresses in the bucket', async () => {
    const { stdout } = await run(['paths', vault, 'Gen_Documents']);
    for (const address of stdout.trimEnd().split('\n')) {
      expect(address).toMatch(new RegExp(`^${vault}/tables/Gen_Documents/.*\\.parquet$`));
      expect(await bucket.keys(address.slice(`s3://${bucket.name}/`.length))).toHaveLength(1);
    }
  });

  test('is listed, shown and verified there', async () => {
    const list = await run(['ls', vault, '--max-age', '26h', '--json']);
    expect(list.code, list.stderr).toBe(0);
    expect(JSON.parse(list.stdout)).toMatchObject({ newestComplete: report.snapshot });
    const shown = await run(['show', vault, '--json']);
    expect(JSON.parse(shown.stdout)).toMatchObject({ manifest: { snapshot: report.snapshot, sequence: 1 } });
    const verified = await run(['verify', vault, '--level', 'rows', '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, level: 'rows', findings: [] });
  });

  test('answers SQL, and only the files of the tables asked for are fetched', async () => {
    const { proxy, env } = await through(() => undefined);
    const { rows } = demo.tables.find(({ name }) => name === 'Gen_Documents')!;
    const sql =
      'SELECT count(*) AS n FROM Gen_Documents JOIN Gen_Currencies ON true WHERE false UNION ALL SELECT count(*) FROM Gen_Documents ORDER BY n';
    const asked = await run(['query', vault, sql, '--format', 'ndjson'], env);
    expect(asked.stdout, asked.stderr).toBe(`{"n":0}\n{"n":${rows}}\n`);
    const fetched = proxy.requests.filter((line) => /^GET .*\.parquet/.test(line));
    expect(fetched.length).toBeGreaterThan(0);
    expect(fetched.every((line) => /Gen_(Documents|Currencies)\//.test(line))).toBe(true);
  });

  test('is followed by a second one, chained to it', async () => {
    const second = await snapshot(vault, {}, ...SMALL);
    expect(second.code, second.stderr).toBe(0);
    expect(second.report).toMatchObject({ sequence: 2, complete: true });
    expect((await run(['verify', vault, '--json'])).code).toBe(0);
  });

  test('whose part is changed fails verification with exit code 6', async () => {
    const copy = `s3://${bucket.name}/changed`;
    expect((await snapshot(copy, {}, ...SMALL)).code).toBe(0);
    const { stdout } = await run(['paths', copy, 'Gen_Currencies', '--snapshot', '1']);
    const { createS3Client } = await import('../../src/storage/s3-client.ts');
    const { PutObjectCommand } = await import('@aws-sdk/client-s3');
    const client = createS3Client(bucket.env);
    const Key = stdout.trim().slice(`s3://${bucket.name}/`.length);
    await client.send(new PutObjectCommand({ Bucket: bucket.name, Key, Body: 'not Parquet' }));
    client.destroy();
    const verified = await run(['verify', copy, '--snapshot', '1']);
    expect(verified.code).toBe(6);
    const asked = await run(['query', copy, '--snapshot', '1', 'SELECT * FROM Gen_Currencies']);
    expect(asked.code).toBe(6);
    expect(asked.stderr).toContain('VERIFY_FAILED');
  });
});

describe.skipIf(s3 === null)('a bucket that cannot be used ends the run with exit code 7 and what to do', () => {
  test.each([
    ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'another' }, 'DESTINATION_DENIED', /AWS_SECRET_ACCESS_KEY/],
    ['a wrong key', { AWS_ACCESS_KEY_ID: 'nobody' }, 'DESTINATION_DENIED', /AWS_ACCESS_KEY_ID/],
    [
      'an endpoint where nothing listens',
      { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' },
      'DESTINATION_UNREACHABLE',
      /ENDPOINT/,
    ],
  ])('%s', async (_, more, code, hint) => {
    const ended = await snapshot(`s3://${bucket.name}/refused`, more, ...SMALL);
    expect(ended.code, ended.stderr).toBe(7);
    expect(ended.report).toMatchObject({ snapshot: null, complete: false, error: { code } });
    expect(ended.stderr).toMatch(hint);
    const listed = await run(['ls', `s3://${bucket.name}/whole`], more);
    expect(listed.code).toBe(7);
    expect(listed.stderr).toContain(code);
  });

  test('a bucket that does not exist', async () => {
    for (const ended of [
      await snapshot('s3://no-such-bucket-anywhere/x', {}, ...SMALL),
      await run(['ls', 's3://no-such-bucket-anywhere/x']),
    ]) {
      expect(ended.code, ended.stderr).toBe(7);
      expect(ended.stderr).toMatch(/DESTINATION_MISSING|VAULT_NOT_FOUND/);
      expect(ended.stderr).toMatch(/there is no bucket/);
    }
  });

  test('a bucket whose policy refuses to store, or to read', async () => {
    for (const [action, args] of [
      ['s3:PutObject', SMALL],
      ['s3:GetObject', SMALL],
    ] as const) {
      const denied = await newBucket();
      await denied.deny([action]);
      const ended = await snapshot(`s3://${denied.name}/x`, {}, ...args);
      expect(ended.code, ended.stderr).toBe(7);
      expect(ended.report.error).toMatchObject({ code: 'DESTINATION_DENIED' });
      expect(ended.stderr).toContain(action);
      denied.close();
    }
  });

  test('no credentials at all', async () => {
    const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...rest } = environment();
    const env = { ...rest, AWS_EC2_METADATA_DISABLED: 'true', HOME: folder };
    const ended = await tablevault(['snapshot', pipeline, '--json', ...SMALL], { env });
    expect(ended.code).toBe(7);
    expect(ended.stderr).toMatch(/no credentials for S3.*AWS_ACCESS_KEY_ID/);
  });
});

describe.skipIf(s3 === null)('a server in difficulties', () => {
  test('that throttles every third request delays the snapshot, nothing else', async () => {
    const { env, proxy } = await through((_, n) => (n % 3 === 0 ? { answer: [503, 'SlowDown'] } : undefined));
    const ended = await snapshot(`s3://${bucket.name}/throttled`, env, ...SMALL);
    expect(ended.code, ended.stderr).toBe(0);
    expect(proxy.requests.length).toBeGreaterThan(9);
    expect((await run(['verify', `s3://${bucket.name}/throttled`, '--snapshot', '1', '--level', 'rows'])).code).toBe(0);
  });

  test('that throttles every request for a while is waited for, which is said', async () => {
    let from = 0;
    const { env } = await through(() => {
      from ||= Date.now();
      return Date.now() - from < 20_000 ? { answer: [503, 'SlowDown'] } : undefined;
    });
    const ended = await snapshot(`s3://${bucket.name}/a-while`, env, ...SMALL);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('asks to slow down');
    expect(ended.ms).toBeGreaterThan(19_000);
  });

  test('that never answers a removal does not delay an interrupt, which still says why it ended', async () => {
    let onRemoval = () => {};
    const { env } = await through((line) => {
      if (!line.startsWith('DELETE')) return undefined;
      onRemoval();
      return { delayMs: 60_000, answer: [503, 'SlowDown'] };
    });
    let interruptedAt = 0;
    const args = ['snapshot', pipeline, '--destination', `s3://${bucket.name}/silent`, '--json', ...SMALL];
    const ended = await run(args, env, {
      onStart: (child) => {
        onRemoval = () => {
          interruptedAt ||= Date.now();
          if (!child.killed) child.kill('SIGINT');
        };
      },
    });
    expect(Date.now() - interruptedAt).toBeLessThan(12_000);
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.stderr).toContain('[INTERRUPTED, exit 130]');
    expect(JSON.parse(ended.stdout)).toMatchObject({ snapshot: null, error: { code: 'INTERRUPTED' } });
  });

  test('that is slow makes the snapshot slow, nothing else', async () => {
    const { env } = await through(() => ({ delayMs: 150 }));
    const ended = await snapshot(`s3://${bucket.name}/slow`, env, ...SMALL);
    expect(ended.code, ended.stderr).toBe(0);
    const { rows } = demo.tables.find(({ name }) => name === 'Gen_Documents')!;
    expect(ended.report.tables.find(({ name }) => name === 'Gen_Documents')).toMatchObject({ rows });
  });

  test('that loses the answer to the commit is asked what it has: the snapshot stands, once', async () => {
    const { env } = await through((line) =>
      /^PUT .*\/(snapshots\/|outcome\.json)/.test(line) ? { lose: true } : undefined,
    );
    const ended = await snapshot(`s3://${bucket.name}/lost`, env, ...SMALL);
    expect(ended.code, ended.stderr).toBe(0);
    expect(await bucket.keys('lost/snapshots/')).toHaveLength(1);
  });

  test('that shuts its door with the answer to the commit leaves the outcome unknown: exit code 8; the next command finds it', async () => {
    const destination = `s3://${bucket.name}/vanished`;
    let gone = false;
    const { env } = await through((line) => {
      if (gone) return { answer: [403, 'AccessDenied'] };
      if (!/^PUT .*\/snapshots\//.test(line)) return undefined;
      gone = true;
      return { lose: true };
    });
    const ended = await snapshot(destination, env, ...SMALL);
    expect(ended.code, ended.stderr).toBe(8);
    expect(ended.report.error).toMatchObject({ code: 'COMMIT_UNKNOWN' });
    const listed = await run(['ls', destination, '--json']);
    expect(JSON.parse(listed.stdout).snapshots).toHaveLength(1);
  });

  test('that stops for good in the middle: exit code 7, and the next run reads only what is missing', async () => {
    const destination = `s3://${bucket.name}/middle`;
    let checkpoints = 0;
    const { env } = await through((line) => {
      if (checkpoints >= 3) return { answer: [500, 'InternalError'] };
      if (/^PUT .*\/ckpt\//.test(line)) checkpoints += 1;
      return undefined;
    });
    const broken = await snapshot(destination, env, ...GENERAL);
    expect(broken.code, broken.stderr).toBe(7);
    expect(await bucket.keys('middle/snapshots/')).toEqual([]);
    expect(checkpoints).toBe(3);
    const again = await snapshot(destination, {}, ...GENERAL);
    expect(again.code, again.stderr).toBe(0);
    expect(again.report).toMatchObject({ resumed: true, complete: true });
    expect((await run(['verify', destination, '--snapshot', '1', '--level', 'rows'])).code).toBe(0);
  });

  test('that no longer takes credentials which have expired: exit code 7 says so, and with new ones the run goes on', async () => {
    const destination = `s3://${bucket.name}/expired`;
    let checkpoints = 0;
    const { env } = await through((line) => {
      if (checkpoints >= 3) return { answer: [400, 'ExpiredToken'] };
      if (/^PUT .*\/ckpt\//.test(line)) checkpoints += 1;
      return undefined;
    });
    const expired = await snapshot(destination, env, ...GENERAL);
    expect(expired.code, expired.stderr).toBe(7);
    expect(expired.report.error).toMatchObject({ code: 'DESTINATION_DENIED' });
    expect(expired.stderr).toMatch(/expired/i);
    const renewed = await snapshot(destination, {}, ...GENERAL);
    expect(renewed.code, renewed.stderr).toBe(0);
    expect(renewed.report).toMatchObject({ resumed: true, complete: true });
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('is left within seconds on %s, with exit code 130', async (signal) => {
    const { env, proxy } = await through((line) => (/^PUT .*\.parquet/.test(line) ? { delayMs: 60_000 } : undefined));
    let sent = 0;
    const ended = await run(
      ['snapshot', pipeline, '--destination', `s3://${bucket.name}/${signal}`, '--json', ...SMALL],
      env,
      {
        onStart: (child) => {
          const timer = setInterval(() => {
            if (!proxy.requests.some((line) => /^PUT .*\.parquet/.test(line))) return;
            clearInterval(timer);
            sent = Date.now();
            child.kill(signal);
          }, 50);
        },
      },
    );
    expect(ended.code, ended.stderr).toBe(130);
    expect(Date.now() - sent).toBeLessThan(10_000);
    expect(await bucket.keys(`${signal}/snapshots/`)).toEqual([]);
    // The lock is given back: the next run does not wait for it.
    const next = await snapshot(`s3://${bucket.name}/${signal}`, {}, ...SMALL);
    expect(next.code, next.stderr).toBe(0);
  });
});
