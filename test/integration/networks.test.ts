// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** Proxies, authorities of one's own, IPv6, servers that keep silent: with the real executable, real TLS and a real proxy. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DemoInstance, startDemo } from '../../src/demo/instance.ts';
import type { DoctorReport } from '../../src/run/doctor/doctor.ts';
import { tablevault } from '../support/cli.ts';
import {
  type Certificates,
  type Listening,
  makeCertificates,
  startFront,
  startSilence,
  startTunnels,
} from '../support/network.ts';
import { newBucket, s3 } from '../support/s3.ts';

/** Names that only the proxy knows. */
const ERP = 'erp.example.test';
const STORE = 's3.example.test';

let folder: string;
let demo: DemoInstance;
let certificates: Certificates;
let erp: Listening;
const open: Listening[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-networks-it-'));
  demo = await startDemo({ rows: 0.02, seed: 901 });
  certificates = await makeCertificates(folder, [`DNS:${ERP}`, `DNS:${STORE}`, 'DNS:localhost']);
  erp = await keep(startFront(demo.url, '127.0.0.1', certificates));
});

afterAll(async () => {
  for (const each of open.splice(0)) await each.close();
  await demo.close();
  await rm(folder, { recursive: true, force: true });
});

async function keep(starting: Promise<Listening>): Promise<Listening> {
  const started = await starting;
  open.push(started);
  return started;
}

async function pipelineFor(instance: string, destination = './vault', more = ''): Promise<string> {
  const file = join(folder, `${open.length}-${Math.random().toString(36).slice(2)}.yaml`);
  await writeFile(
    file,
    `version: 1
instance: ${instance}
auth: { kind: reference-token, token: "\${env:TOKEN}" }
tables: { include: [Gen_Currencies] }
destination: ${destination}
${more}`,
  );
  return file;
}

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  tablevault(args, { env: { TOKEN: demo.credentials.referenceToken, ...env } });
const trusting = () => ({ NODE_EXTRA_CA_CERTS: certificates.authority });
const stepOf = (stdout: string, name: string) =>
  (JSON.parse(stdout) as DoctorReport).steps.find(({ step }) => step === name)!;

describe('a certificate authority of one’s own', () => {
  test('is trusted by NODE_EXTRA_CA_CERTS, and a snapshot comes through', async () => {
    const file = await pipelineFor(`https://localhost:${erp.port}`, './ca-vault');
    const ended = await run(['snapshot', file, '--json'], trusting());
    expect(ended.code, ended.stderr).toBe(0);
    const examined = await run(['doctor', file, '--json'], trusting());
    expect(stepOf(examined.stdout, 'connection')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/TLSv1\.3.*Test Authority/),
    });
  });

  test('is refused without it, at once and with the variable to set', async () => {
    const file = await pipelineFor(`https://localhost:${erp.port}`);
    const ended = await run(['snapshot', file, '--json']);
    expect(ended.code).toBe(4);
    expect(ended.stderr).toMatch(/NODE_EXTRA_CA_CERTS.*\[INSTANCE_TLS, exit 4\]/);
    const examined = await run(['doctor', file, '--json']);
    expect(examined.code).toBe(4);
    expect(stepOf(examined.stdout, 'connection')).toMatchObject({ status: 'failed', code: 'INSTANCE_TLS' });
  });

  test('does not make a certificate good that is made out to another name', async () => {
    const file = await pipelineFor(`https://127.0.0.1:${erp.port}`);
    const ended = await run(['snapshot', file], trusting());
    expect(ended.code).toBe(4);
    expect(ended.stderr).toMatch(/another host name/);
  });

  test('whose certificate ends soon is warned of by the doctor', async () => {
    const own = await mkdtemp(join(folder, 'soon-'));
    const soon = await makeCertificates(own, ['DNS:localhost'], 3);
    const front = await keep(startFront(demo.url, '127.0.0.1', soon));
    const file = await pipelineFor(`https://localhost:${front.port}`);
    const examined = await run(['doctor', file, '--json'], { NODE_EXTRA_CA_CERTS: soon.authority });
    expect(stepOf(examined.stdout, 'connection')).toMatchObject({
      status: 'warning',
      fix: expect.stringMatching(/expires in [23] days/),
    });
  });
});

describe('a proxy', () => {
  test('is used for the instance, with its user, and not for what NO_PROXY names', async () => {
    const proxy = await keep(startTunnels((host) => (host === ERP ? erp.port : undefined), 'someone:pass-word'));
    const file = await pipelineFor(`https://${ERP}`, './proxied');
    const env = { ...trusting(), HTTPS_PROXY: `http://someone:pass-word@127.0.0.1:${proxy.port}` };
    const ended = await run(['snapshot', file, '--json'], env);
    expect(ended.code, ended.stderr).toBe(0);
    expect(new Set(proxy.seen)).toEqual(new Set([ERP]));
    const examined = await run(['doctor', file, '--json'], env);
    expect(examined.code, examined.stdout).toBe(0);
    expect(stepOf(examined.stdout, 'connection').details).toContainEqual(
      expect.stringMatching(/through the proxy 127\.0\.0\.1/),
    );
    expect(examined.stdout + examined.stderr + ended.stderr).not.toContain('pass-word');
    const seen = proxy.seen.length;
    const direct = await run(['snapshot', file], { ...env, NO_PROXY: `other.test,${ERP}` });
    expect(direct.code).toBe(4);
    expect(direct.stderr).toMatch(/host name is not known/);
    expect(proxy.seen.length).toBe(seen);
  });

  test('that wants a user, or leads nowhere, says so', async () => {
    const proxy = await keep(startTunnels((host) => (host === ERP ? erp.port : undefined), 'someone:pass-word'));
    const file = await pipelineFor(`https://${ERP}`);
    const wanting = await run(['snapshot', file], { ...trusting(), HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
    expect(wanting.code).toBe(4);
    expect(wanting.stderr).toMatch(/407.*HTTPS_PROXY=http:\/\/user/);
    const dead = await run(['snapshot', file], { ...trusting(), HTTPS_PROXY: 'http://127.0.0.1:1' });
    expect(dead.code).toBe(4);
    expect(dead.stderr).toMatch(/INSTANCE_UNREACHABLE/);
    const checked = await run(['doctor', file], { ...trusting(), HTTPS_PROXY: 'http://127.0.0.1:1' });
    expect(checked.stdout + checked.stderr).toMatch(/the proxy 127\.0\.0\.1:1: /);
    expect(checked.stdout + checked.stderr).toContain('Check host and port in HTTPS_PROXY');
  });

  test.skipIf(s3 === null)(
    'is used for a bucket as well, with the authority of the network; not without, not for NO_PROXY',
    async () => {
      const bucket = await newBucket();
      const store = await keep(startFront(bucket.env['AWS_ENDPOINT_URL_S3']!, '127.0.0.1', certificates));
      const proxy = await keep(startTunnels((host) => (host === STORE ? store.port : undefined), 'someone:pass-word'));
      const file = await pipelineFor(demo.url, `s3://${bucket.name}/vault`);
      const env = {
        ...bucket.env,
        ...trusting(),
        AWS_ENDPOINT_URL_S3: `https://${STORE}`,
        HTTPS_PROXY: `http://someone:pass-word@127.0.0.1:${proxy.port}`,
      };
      const ended = await run(['snapshot', file, '--json'], env);
      expect(ended.code, ended.stderr).toBe(0);
      expect(new Set(proxy.seen)).toEqual(new Set([STORE]));
      expect((await run(['verify', `s3://${bucket.name}/vault`, '--level', 'rows'], env)).code).toBe(0);
      const { NODE_EXTRA_CA_CERTS: _, ...untrusting } = env;
      const refused = await run(['ls', `s3://${bucket.name}/vault`], untrusting);
      expect(refused.code).toBe(7);
      expect(refused.stderr).toMatch(/NODE_EXTRA_CA_CERTS/);
      const direct = await run(['ls', `s3://${bucket.name}/vault`], { ...env, NO_PROXY: STORE });
      expect(direct.code).toBe(7);
      expect(direct.stderr).toMatch(/DESTINATION_UNREACHABLE/);
      const wanting = await run(['ls', `s3://${bucket.name}/vault`], {
        ...env,
        HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      });
      expect(wanting.code).toBe(7);
      expect(wanting.stderr).toMatch(/407/);
      bucket.close();
    },
  );
});

describe('IPv6', () => {
  test('an address in brackets is as good as a name', async () => {
    const front = await keep(startFront(demo.url, '::1'));
    const file = await pipelineFor(`http://[::1]:${front.port}`, './six');
    const ended = await run(['snapshot', file, '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(front.seen.length).toBeGreaterThan(0);
    const examined = await run(['doctor', file, '--json']);
    expect(examined.code, examined.stdout).toBe(0);
  });
});

describe('silence', () => {
  test('of a server that takes connections and never speaks TLS ends the doctor within its patience', async () => {
    const silence = await keep(startSilence());
    const file = await pipelineFor(`https://localhost:${silence.port}`);
    const begun = Date.now();
    const examined = await run(['doctor', file, '--json']);
    expect(Date.now() - begun).toBeLessThan(30_000);
    expect(examined.code).toBe(4);
    expect(stepOf(examined.stdout, 'connection')).toMatchObject({
      status: 'failed',
      code: 'INSTANCE_UNREACHABLE',
      found: expect.stringMatching(/within 10 s/),
    });
  });

  test('that lasts ends the run at limits.deadline, with exit code 4', async () => {
    demo.configure({ faults: [{ on: { path: /\/odata\/Gen_Currencies/ }, do: 'hang' }] });
    const file = await pipelineFor(demo.url, './deadline', 'limits: { deadline: 4s }\n');
    const begun = Date.now();
    const ended = await run(['snapshot', file, '--json']);
    demo.configure({ faults: [] });
    expect(Date.now() - begun).toBeLessThan(30_000);
    expect(ended.code, ended.stderr).toBe(4);
    expect(JSON.parse(ended.stdout)).toMatchObject({ snapshot: null, error: { code: 'DEADLINE' } });
  });
});
