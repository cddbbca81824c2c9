/** What is asked of AWS Secrets Manager, and what its answers become. No server of the real service can be had here. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readAwsSecret } from '../../../src/pipeline/aws-secret.ts';
import { resolveToken } from '../../../src/pipeline/secret-references.ts';

interface Seen {
  readonly target: string | undefined;
  readonly signed: boolean;
  readonly body: { readonly SecretId?: string };
}

const VALUE = 'a-secret-that-was-made-up';
let server: Server;
let seen: Seen[];
let answer: { readonly status: number; readonly body: unknown };
const before = { ...process.env };

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      seen.push({
        target: request.headers['x-amz-target'] as string | undefined,
        signed: /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\//.test(request.headers.authorization ?? ''),
        body: JSON.parse(body),
      });
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'obviously-fake',
  });
});
afterAll(async () => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
  await new Promise((closed) => server.close(closed));
});
beforeEach(() => {
  seen = [];
  answer = { status: 200, body: { SecretString: VALUE } };
});

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const refused = (type: string, status = 400) => ({ status, body: { __type: type, message: `no: ${VALUE}` } });

describe('a secret of AWS Secrets Manager', () => {
  it('is asked for by name, signed, and taken as it is', async () => {
    expect(await readAwsSecret('erp/backup', undefined)).toEqual({ value: VALUE });
    expect(seen).toEqual([{ target: 'secretsmanager.GetSecretValue', signed: true, body: { SecretId: 'erp/backup' } }]);
  });

  it('may be a member of a JSON object', async () => {
    answer = { status: 200, body: { SecretString: JSON.stringify({ token: VALUE, __proto__: null }) } };
    expect(await readAwsSecret('erp', 'token')).toEqual({ value: VALUE });
    for (const field of ['other', '__proto__', 'toString'])
      expect(await readAwsSecret('erp', field)).toMatchObject({ problem: `has no text "${field}"` });
    answer = { status: 200, body: { SecretString: VALUE } };
    expect(await readAwsSecret('erp', 'token')).toMatchObject({ problem: 'is not JSON' });
  });

  it.each([
    [refused('ResourceNotFoundException'), 'does not exist in this region and account'],
    [refused('AccessDeniedException'), 'may not be read'],
    [
      refused('UnrecognizedClientException'),
      'cannot be asked for: AWS does not take the credentials (UnrecognizedClientException)',
    ],
    [{ status: 200, body: { SecretBinary: 'AAAA' } }, 'is binary'],
  ])('that cannot be had is a problem with its cause, without what was answered', async (given, problem) => {
    answer = given;
    const found = await readAwsSecret('erp', undefined);
    expect(found).toMatchObject({ problem, hint: expect.stringMatching(/.{10}/) });
    expect(JSON.stringify(found)).not.toContain(VALUE);
  });

  it('stands in a pipeline where a secret belongs', async () => {
    const context = { env: {}, folder: '/' };
    const found = await resolveToken(`\${aws-secret:erp/backup}`, ['auth', 'token'], context);
    expect('reveal' in found && found.reveal()).toBe(VALUE);
    answer = refused('ResourceNotFoundException');
    expect(await resolveToken(`\${aws-secret:erp/backup#token}`, ['auth', 'token'], context)).toMatchObject({
      code: 'SECRET_MISSING',
      message: 'needs the AWS secret erp/backup, which does not exist in this region and account',
    });
  });
});
