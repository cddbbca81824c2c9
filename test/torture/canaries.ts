// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pipeline files name variables like this
/** (e) Secrets of a kind that nothing else looks like, searched for in everything that a run of the product leaves or says. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DemoInstance, type Fault, startDemo } from '../../src/demo/instance.ts';
import { tablevault } from '../support/cli.ts';
import { type Budget, type Figures, tally } from './lib/figures.ts';

/** A run that may want to tell a secret. */
interface Case {
  readonly name: string;
  readonly auth: (demo: DemoInstance) => string;
  readonly faults?: (demo: DemoInstance) => readonly Fault[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly destination?: string;
}

const SERVICE = (demo: DemoInstance) =>
  `{ kind: service, clientId: ${demo.credentials.service.clientId}, clientSecret: "\${env:SECRET}" }`;
const TOKEN = () => '{ kind: reference-token, token: "${env:TOKEN}" }';
const AWS_KEY = 'canary-aws-7c1f0b9d4e2a6358/with+signs=';

/** The server says the credential back, in an error that tablevault shows and, for a partial snapshot, stores. */
const echo = (path: string, body: (demo: DemoInstance) => string) => (demo: DemoInstance) => [
  { on: { path }, do: { status: 500, body: body(demo) } },
];
const quoting = (secret: string) =>
  JSON.stringify({ code: 1, message: `bad credential ${secret}`, info: `at ${secret}` });

const CASES: readonly Case[] = [
  {
    name: 'a token said back by a table',
    auth: TOKEN,
    faults: echo('/odata/Gen_Currencies', (demo) => quoting(demo.credentials.referenceToken)),
    args: ['--allow-partial'],
  },
  {
    name: 'a token said back in base64',
    auth: TOKEN,
    faults: echo('/odata/Gen_Currencies', (demo) =>
      quoting(Buffer.from(demo.credentials.referenceToken).toString('base64')),
    ),
    args: ['--allow-partial'],
  },
  {
    name: 'a secret said back by the identity server',
    auth: SERVICE,
    faults: echo('/connect/token', (demo) =>
      JSON.stringify({ error: 'invalid_client', error_description: `no ${demo.credentials.service.clientSecret}` }),
    ),
  },
  { name: 'a revoked token', auth: TOKEN, faults: () => [{ on: { path: '/odata/Gen_', nth: 3 }, do: 'revoke-token' }] },
  { name: 'an S3 that says the key back', auth: TOKEN, destination: 's3://bucket/prefix' },
  { name: 'a sound run', auth: SERVICE },
  { name: 'a sound run with a token', auth: TOKEN },
  {
    name: 'a wrong secret',
    auth: () => '{ kind: service, clientId: my.app/backup, clientSecret: "${env:WRONG}" }',
  },
];

export async function tortureCanaries(budget: Budget): Promise<Figures> {
  const figures = tally('canary secrets', ['secrets found', 'run was not as meant'], budget);
  const folder = await mkdtemp(join(tmpdir(), 'tablevault-torture-canary-'));
  const s3 = createServer((request, response) => {
    const text = `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>${AWS_KEY} ${request.headers.authorization}</Message></Error>`;
    request.resume().on('end', () => response.writeHead(403, { 'content-type': 'application/xml' }).end(text));
  });
  await new Promise<void>((listening) => s3.listen(0, '127.0.0.1', listening));
  const s3Url = `http://127.0.0.1:${(s3.address() as AddressInfo).port}`;
  const searched = { bytes: 0 };
  try {
    for (const [n, each] of CASES.entries()) {
      if (!figures.more()) break;
      const demo = await startDemo({
        tables: ['Gen_Currencies', 'Gen_Units', 'Crm_Customers'],
        rows: 0.05,
        seed: budget.seed + n,
      });
      const own = join(folder, String(n));
      try {
        const wrong = `canary-wrong-${budget.seed}-3f9d/with+signs=&more`;
        const secrets = [demo.credentials.referenceToken, demo.credentials.service.clientSecret, wrong, AWS_KEY];
        demo.configure({ faults: [...(each.faults?.(demo) ?? [])] });
        const pipeline = join(folder, `${n}.yaml`);
        await writeFile(
          pipeline,
          `version: 1
instance: ${demo.url}
auth: ${each.auth(demo)}
tables: { include: ["*"] }
destination: ${each.destination ?? own}
limits: { deadline: 20s }
`,
        );
        const run = await tablevault(['snapshot', pipeline, '--json', ...(each.args ?? [])], {
          env: {
            TOKEN: demo.credentials.referenceToken,
            SECRET: demo.credentials.service.clientSecret,
            WRONG: wrong,
            TABLEVAULT_LOG: 'trace',
            AWS_ENDPOINT_URL_S3: s3Url,
            AWS_ACCESS_KEY_ID: 'canary',
            AWS_SECRET_ACCESS_KEY: AWS_KEY,
            AWS_REGION: 'us-east-1',
            TABLEVAULT_S3_PATH_STYLE: '1',
          },
        });
        if (each.name.startsWith('a sound run') !== (run.code === 0))
          figures.bad('run was not as meant', `${each.name}: exit ${run.code}: ${run.stderr.slice(-300)}`);
        const places: [string, Buffer][] = [
          ['stdout', Buffer.from(run.stdout)],
          ['stderr', Buffer.from(run.stderr)],
        ];
        for (const file of await readdir(own, { recursive: true, withFileTypes: true }).catch(() => [])) {
          if (!file.isFile()) continue;
          const path = join(file.parentPath, file.name);
          places.push([path.slice(folder.length), await readFile(path)]);
        }
        for (const [place, bytes] of places) {
          searched.bytes += bytes.length;
          for (const form of secrets.flatMap(formsOf)) {
            if (bytes.includes(form)) figures.bad('secrets found', `${each.name}: ${form.slice(0, 6)}… in ${place}`);
          }
        }
        figures.done();
      } finally {
        await demo.close();
      }
    }
  } finally {
    await new Promise((closed) => s3.close(closed));
    await rm(folder, { recursive: true, force: true });
  }
  return figures.figures(`${searched.bytes} bytes of output, logs and vaults searched`);
}

/** A secret raw, in base64 at each of the three places it can begin at, in base64url, hexadecimal, and URL-encoded. */
function formsOf(secret: string): string[] {
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.from('x'.repeat(shift) + secret).toString('base64');
    // Digits that hold bits of what stands before or after are left out.
    return text.slice(shift === 0 ? 0 : shift + 1, -4);
  });
  const url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const forms = [secret, ...base64, ...url, Buffer.from(secret).toString('hex'), encodeURIComponent(secret)];
  return [...new Set(forms)];
}
