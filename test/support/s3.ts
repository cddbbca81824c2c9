/** What integration tests need of the S3 test server: buckets, a look into them, and a proxy that misbehaves. */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
} from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { createS3Client } from '../../src/storage/s3-client.ts';

/** Null where no server can be had; `s3-global.ts` has said so. */
export const s3 = inject('s3');

export interface Bucket {
  readonly name: string;
  /** For the CLI. */
  readonly env: Readonly<Record<string, string>>;
  keys(prefix?: string): Promise<string[]>;
  get(key: string): Promise<Uint8Array>;
  /** Copies the objects of `s3://` addresses into a folder; their paths. */
  download(addresses: readonly string[], folder: string): Promise<string[]>;
  /** Refuses these actions on the bucket's objects to everybody, its owner included. */
  deny(actions: readonly string[]): Promise<void>;
  close(): void;
}

/** A new bucket. */
export async function newBucket(): Promise<Bucket> {
  if (s3 === null) throw new Error('no S3 test server');
  const name = `it-${randomUUID()}`;
  const client = createS3Client(s3);
  await client.send(new CreateBucketCommand({ Bucket: name }));
  const get = async (key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: name, Key: key }));
    return Body!.transformToByteArray();
  };
  return {
    name,
    env: s3,
    get,
    async keys(prefix = '') {
      const keys: string[] = [];
      let token: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket: name, Prefix: prefix, ...(token ? { ContinuationToken: token } : {}) }),
        );
        keys.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
        token = page.NextContinuationToken;
      } while (token !== undefined);
      return keys;
    },
    async download(addresses, folder) {
      await mkdir(folder, { recursive: true });
      return Promise.all(
        addresses.map(async (address, n) => {
          const path = join(folder, `${n}.parquet`);
          await writeFile(path, await get(address.slice(`s3://${name}/`.length)));
          return path;
        }),
      );
    },
    async deny(actions) {
      const Statement = [{ Effect: 'Deny', Principal: '*', Action: actions, Resource: `arn:aws:s3:::${name}/*` }];
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
      await client.send(new PutBucketPolicyCommand({ Bucket: name, Policy }));
    },
    close: () => client.destroy(),
  };
}

/** What the proxy does to a request: pass it on (perhaps late), answer in the server's place, or pass it on and lose the answer. */
export type Mischief = {
  readonly delayMs?: number;
  readonly answer?: [status: number, code: string];
  readonly lose?: boolean;
};

export interface S3Proxy {
  readonly url: string;
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** A proxy in front of the S3 server. Requests keep their `Host`, which is signed. */
export async function startS3Proxy(mischief: (line: string, n: number) => Mischief | undefined): Promise<S3Proxy> {
  if (s3 === null) throw new Error('no S3 test server');
  const target = new URL(s3['AWS_ENDPOINT_URL_S3'] ?? '');
  const requests: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const line = `${incoming.method} ${incoming.url}`;
    requests.push(line);
    const { delayMs = 0, answer, lose = false } = mischief(line, requests.length) ?? {};
    setTimeout(() => {
      if (answer === undefined) pass(target, incoming, outgoing, lose);
      else incoming.resume().once('end', () => refuse(outgoing, ...answer));
    }, delayMs);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function pass(target: URL, incoming: IncomingMessage, outgoing: ServerResponse, lose: boolean): void {
  const { hostname: host, port } = target;
  const { method, url: path, headers } = incoming;
  const onward = request({ host, port, method, path, headers }, (response) => {
    if (lose) {
      response.resume().once('end', () => outgoing.destroy());
      return;
    }
    outgoing.writeHead(response.statusCode ?? 500, response.headers);
    response.pipe(outgoing);
  });
  onward.once('error', () => outgoing.destroy());
  incoming.pipe(onward);
}

function refuse(outgoing: ServerResponse, status: number, code: string): void {
  outgoing.writeHead(status, { 'content-type': 'application/xml' });
  outgoing.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>said by a test</Message></Error>`);
}
