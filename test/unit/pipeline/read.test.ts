import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TablevaultError } from '../../../src/core/errors.ts';
import type { Pipeline } from '../../../src/core/pipeline.ts';
import { readPipeline } from '../../../src/pipeline/read.ts';

/** Looks like nothing else in a message. */
const SECRET = 'Zq7pVorrangig9';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tablevault-pipeline-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const GOOD = `version: 1
instance: https://demodb.my.erp.net/
auth:
  kind: service
  clientId: my.app/backup
  clientSecret: \${env:ERPNET_CLIENT_SECRET}
destination: ./vault
`;

async function read(
  text: string | Buffer,
  env: Record<string, string> = { ERPNET_CLIENT_SECRET: SECRET },
  destination?: string,
) {
  const file = join(folder, 'nightly backup.yaml');
  await writeFile(file, text);
  return readPipeline(file, { env, ...(destination === undefined ? {} : { overrides: { destination } }) });
}

async function refusal(text: string | Buffer, env?: Record<string, string>): Promise<TablevaultError> {
  const outcome = await read(text, env).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(TablevaultError);
  const error = outcome as TablevaultError;
  expect(inspect(error, { depth: 9 }), 'no message may hold the secret').not.toContain(SECRET);
  expect(error.exitCode).toBe(2);
  expect(error.hint).toBeTruthy();
  return error;
}

describe('a pipeline file that is right', () => {
  it('takes its secrets from the environment of the process where no other is given', async () => {
    const file = join(folder, 'backup.yaml');
    await writeFile(file, GOOD);
    vi.stubEnv('ERPNET_CLIENT_SECRET', SECRET);
    const { auth } = await readPipeline(file).finally(() => vi.unstubAllEnvs());
    expect(auth.kind === 'service' && auth.clientSecret.reveal()).toBe(SECRET);
  });

  it('is read with its defaults, its secret resolved and its paths absolute', async () => {
    const pipeline = await read(GOOD);
    expect(pipeline).toMatchObject({
      name: 'nightly backup',
      instance: 'https://demodb.my.erp.net',
      endpoints: {},
      tables: { include: ['*'], exclude: [], overrides: {} },
      destination: join(folder, 'vault'),
      limits: {
        concurrency: 4,
        pageRows: 1000,
        memoryMb: 512,
        resumeWithinMs: 6 * 3_600_000,
        deadlineMs: 8 * 3_600_000,
      },
      parquet: { types: 'portable', compression: 'zstd', partRows: 500_000 },
      expect: {},
    });
    expect(pipeline.auth.kind === 'service' && pipeline.auth.clientSecret.reveal()).toBe(SECRET);
  });

  it('never shows its secret, however it is printed', async () => {
    const pipeline = await read(GOOD);
    for (const text of [
      inspect(pipeline, { depth: 9, showHidden: true }),
      JSON.stringify(pipeline),
      `${pipeline.auth}`,
    ]) {
      expect(text).not.toContain(SECRET);
    }
  });

  it('takes every key of the contract', async () => {
    const pipeline = await read(
      `version: 1
instance: https://demodb.my.erp.net:8443/erp
auth: { kind: reference-token, token: "\${env:TOKEN}", header: x-api-key }
endpoints: { tableApi: https://data.example.com/tableapi, identity: https://login.example.com/id/ }
tables:
  include: ["Gen_*", "Crm_*"]
  exclude: ["Dmv_*"]
  overrides:
    Gen_Documents: { columns: ["*", "-Notes"], filter: "Void eq false" }
destination: s3://bucket/a/b/
limits: { concurrency: 10, pageRows: 20, memoryMb: 128, resumeWithin: 90m, deadline: 1.5h }
parquet: { types: native, compression: snappy, partRows: 1000 }
expect: { maxRowDropPercent: 20, minRows: { Gen_Documents: 5 } }
`,
      { TOKEN: SECRET },
    );
    expect(pipeline).toMatchObject({
      instance: 'https://demodb.my.erp.net:8443/erp',
      auth: { kind: 'reference-token', header: 'x-api-key' },
      endpoints: { tableApi: 'https://data.example.com/tableapi', identity: 'https://login.example.com/id' },
      tables: {
        include: ['Gen_*', 'Crm_*'],
        overrides: { Gen_Documents: { columns: ['*', '-Notes'], filter: 'Void eq false' } },
      },
      destination: 's3://bucket/a/b',
      limits: { concurrency: 10, resumeWithinMs: 5_400_000, deadlineMs: 5_400_000 },
      parquet: { types: 'native', compression: 'snappy', partRows: 1000 },
      expect: { maxRowDropPercent: 20, minRows: { Gen_Documents: 5 } },
    } satisfies { [Key in keyof Pipeline]?: unknown });
  });

  it('takes a secret from a file next to it, without the last line break', async () => {
    await writeFile(join(folder, 'secret.txt'), `${SECRET}\r\n`);
    const pipeline = await read(GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, `\${file:./secret.txt}`), {});
    expect(pipeline.auth.kind === 'service' && pipeline.auth.clientSecret.reveal()).toBe(SECRET);
  });

  it.each(['p@ss word:100%+/=&?#"\'`\\ {}$~!*()', ' begins and ends with a space ', 'пароль ключ'])(
    'takes every printable character of a client secret: %j',
    async (secret) => {
      const revealed = ({ auth }: Pipeline) => auth.kind === 'service' && auth.clientSecret.reveal();
      expect(revealed(await read(GOOD, { ERPNET_CLIENT_SECRET: secret }))).toBe(secret);
      await writeFile(join(folder, 'odd.txt'), `${secret}\n`);
      const fromFile = GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, `\${file:./odd.txt}`);
      expect(revealed(await read(fromFile, {}))).toBe(secret);
    },
  );

  it('refuses a client secret of two lines', async () => {
    const error = await read(GOOD, { ERPNET_CLIENT_SECRET: 'one\ntwo' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining('line break') });
  });

  it('takes a signing key from a file, and refuses one in clear or of another kind', async () => {
    const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
    await writeFile(join(folder, 'signing.pem'), key);
    const env = { ERPNET_CLIENT_SECRET: SECRET };
    const pipeline = await read(`${GOOD}signing: { key: "\${file:./signing.pem}" }\n`, env);
    expect(pipeline.signingKey?.reveal()).toBe(String(key).trim());
    expect(JSON.stringify(pipeline)).not.toContain('PRIVATE KEY');
    const inClear = read(`${GOOD}signing: { key: "${String(key).replaceAll('\n', '\\n')}" }\n`, env);
    await expect(inClear).rejects.toMatchObject({ code: 'SECRET_IN_CLEAR' });
    await writeFile(join(folder, 'other.pem'), 'no key at all');
    const other = read(`${GOOD}signing: { key: "\${file:./other.pem}" }\n`, env);
    await expect(other).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('Ed25519') });
  });

  it('takes address, client id and destination from the environment as whole values', async () => {
    const text = GOOD.replace('https://demodb.my.erp.net/', `\${env:URL}`)
      .replace('my.app/backup', `\${env:CLIENT}`)
      .replace('./vault', `\${env:VAULT}`);
    const env = { URL: 'http://127.0.0.1:8080', CLIENT: 'demo', VAULT: 's3://bucket', ERPNET_CLIENT_SECRET: SECRET };
    const pipeline = await read(text, env);
    expect(pipeline).toMatchObject({
      instance: 'http://127.0.0.1:8080',
      auth: { clientId: 'demo' },
      destination: 's3://bucket',
    });
  });

  it('gives way to the destination of the command line', async () => {
    expect((await read(GOOD, undefined, join(folder, 'other'))).destination).toBe(join(folder, 'other'));
    const without = GOOD.replace('destination: ./vault\n', '');
    expect((await read(without, undefined, 's3://bucket')).destination).toBe('s3://bucket');
  });

  it.each(['http://localhost:1', 'http://127.0.0.1', 'http://[::1]:9'])(
    'may use plain http for loopback: %s',
    async (url) => {
      expect((await read(GOOD.replace('https://demodb.my.erp.net/', url))).instance).toBe(url);
    },
  );
});

describe('a pipeline file that is wrong', () => {
  it('names the nearest known key and the line of an unknown one', async () => {
    const error = await refusal(`${GOOD}limits:\n  concurency: 3\n`);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('nightly backup.yaml, line 9: limits.concurency is not a known key');
    expect(error.message).toContain('the nearest known key is "concurrency"');
  });

  it('keeps columns as text and as nothing else', async () => {
    const { tables } = await read(`${GOOD}tables: { overrides: { A: { types: { "Ц x": text } } } }\n`);
    expect(tables.overrides['A']).toEqual({ types: { 'Ц x': 'text' } });
    const error = await refusal(`${GOOD}tables: { overrides: { A: { types: { X: Edm.String } } } }\n`);
    expect(error.message).toContain('tables.overrides.A.types.X must be text, the only type');
  });

  it('looks for the nearest key among those of the chosen kind of credential', async () => {
    const error = await refusal(GOOD.replace('clientId', 'client_id'));
    expect(error.message).toContain('auth.client_id is not a known key; the nearest known key is "clientId"');
    expect(error.message).toContain('known here: kind, clientId, clientSecret');
  });

  it('is told all of its problems at once, in the order of their lines', async () => {
    const error = await refusal(
      `${GOOD}limits: { pageRows: 0, deadline: 8 }\nparquet: { types: exact }\nendpoints:\nfoo: 1\n`,
    );
    expect(error.message).toContain('5 problems');
    expect(error.message).toMatch(
      /line 8: limits\.pageRows must be at least 1; line 8: limits\.deadline must be a number with a unit.*; line 9: parquet\.types must be one of portable, native; line 10: endpoints is empty.*; line 11: foo is not a known key/,
    );
  });

  it.each([
    ['plain', SECRET],
    ['quoted', `"${SECRET}"`],
    ['a number', '1234567'],
    ['with a reference inside', `${SECRET}\${env:ERPNET_CLIENT_SECRET}`],
    ['as a block', `\n    value: ${SECRET}`],
  ])('is refused when its secret stands in clear (%s), without repeating it', async (_name, written) => {
    const error = await refusal(GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, written));
    expect(error.code).toBe('SECRET_IN_CLEAR');
    expect(error.message).toContain('line 6: auth.clientSecret holds a secret in clear');
  });

  it('is refused when a secret stands in clear beside other faults', async () => {
    const error = await refusal(
      GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, SECRET).replace('version: 1', 'version: 2'),
    );
    expect(error.code).toBe('SECRET_IN_CLEAR');
    expect(error.message).toContain('line 1: version must be 1');
  });

  it('is refused when a reference token stands anywhere in it', async () => {
    const error = await refusal(GOOD.replace('my.app/backup', `enrt_${SECRET}`));
    expect(error.code).toBe('SECRET_IN_CLEAR');
    expect(error.message).toContain('auth.clientId');
  });

  it.each([
    ['instance', 'https://demodb.my.erp.net/', `https://user:${SECRET}@demodb.my.erp.net`],
    ['destination', './vault', `s3://key:${SECRET}@bucket`],
  ])('is refused when %s holds a password', async (key, good, bad) => {
    const error = await refusal(GOOD.replace(good, bad));
    expect(error.code).toBe('SECRET_IN_CLEAR');
    expect(error.message).toContain(key);
  });

  it.each([
    ['unset', {}, 'not set'],
    ['empty', { ERPNET_CLIENT_SECRET: ' ' }, 'empty'],
    ['two lines', { ERPNET_CLIENT_SECRET: `${SECRET}\n${SECRET}` }, 'a line break'],
  ])('says which variable is %s', async (_name, env, words) => {
    const error = await refusal(GOOD, env);
    expect(error.code).toBe('SECRET_MISSING');
    expect(error.message).toContain('ERPNET_CLIENT_SECRET');
    expect(error.message).toContain(words);
  });

  it('says which secret file is missing', async () => {
    const error = await refusal(GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, `\${file:nowhere/secret}`));
    expect(error.code).toBe('SECRET_MISSING');
    expect(error.message).toContain(join(folder, 'nowhere/secret'));
    expect(error.message).toContain('ENOENT');
  });

  it.each([
    ['http://demodb.my.erp.net', 'must be https'],
    ['http://127.0.0.1.example.com', 'must be https'],
    ['demodb.my.erp.net', 'begins with https://'],
    ['ftp://demodb.my.erp.net', 'begins with https://'],
    ['https://id.erp.net', 'global identity'],
    ['https://ID.erp.net./', 'global identity'],
    ['https://demodb.my.erp.net/tableapi/odata/', 'without /tableapi/odata'],
    ['https://demodb.my.erp.net?x=1', 'query'],
    [`a\${env:ERPNET_CLIENT_SECRET}`, 'must be the whole value'],
  ])('is refused for the instance %s', async (instance, words) => {
    const error = await refusal(GOOD.replace('https://demodb.my.erp.net/', instance));
    expect(error.message).toContain('line 2: instance');
    expect(error.message).toContain(words);
  });

  it('is refused for the global identity as an endpoint', async () => {
    const error = await refusal(`${GOOD}endpoints: { identity: https://id.erp.net/ }\n`);
    expect(error.message).toContain('endpoints.identity names id.erp.net');
  });

  it.each(['gs://bucket', 's3:bucket', 's3://', 's3://bucket/../other'])(
    'is refused for the destination %s',
    async (destination) => {
      const error = await refusal(GOOD.replace('./vault', destination));
      expect(error.message).toContain('line 7: destination');
    },
  );

  it.each(['0s', '-1h', '6 h', '6', 'h', '1e9d', '999999999999999d'])(
    'is refused for the duration %s',
    async (deadline) => {
      const error = await refusal(`${GOOD}limits: { deadline: "${deadline}" }\n`);
      expect(error.message).toContain('limits.deadline must be');
    },
  );

  it.each([
    ['empty', '', 'line 1: the file is empty'],
    ['only a comment', '# nothing\n', 'the file is empty'],
    ['a list', '- 1\n', 'must be a block of keys'],
    ['two documents', `${GOOD}---\n${GOOD}`, 'more than one'],
    [
      'a key twice',
      `${GOOD}version: 1\n`,
      'line 8: this key appears twice in the same block; put what stands below both into one',
    ],
    ['an open bracket', `${GOOD}tables: [\n`, 'line 9:'],
    ['a tab', `${GOOD}limits:\n\tconcurrency: 1\n`, 'line 9:'],
    ['a secret that breaks YAML', GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, `"${SECRET}`), 'line 8:'],
    ['a secret with a colon', GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, `${SECRET}: x`), 'line 6:'],
    ['a secret as an alias', GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, `*${SECRET}`), 'line 6:'],
    ['a secret as a tag', GOOD.replace(`\${env:ERPNET_CLIENT_SECRET}`, `!${SECRET} x`), 'line 6:'],
    ['not text', Buffer.from([0x76, 0xff, 0xfe]), 'not UTF-8'],
    ['far too long', Buffer.alloc(2_000_000, '#'), 'too long'],
  ])('is refused with its line when it is no proper YAML: %s', async (_name, text, words) => {
    const error = await refusal(text);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain(words);
  });

  it('is told so when it does not exist, is a folder, or has no name', async () => {
    for (const file of [join(folder, 'none.yaml'), folder, '', ' ']) {
      await expect(readPipeline(file, { env: {} })).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND', exitCode: 2 });
    }
  });
});
