import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { createFolderStore } from '../../src/storage/folder.ts';
import { createMemoryStore } from '../../src/storage/memory.ts';
import { createS3Store } from '../../src/storage/s3.ts';
import { createS3Client } from '../../src/storage/s3-client.ts';
import type { Store } from '../../src/storage/store.ts';

export interface StoreKind {
  readonly name: string;
  readonly available: boolean;
  /** A fresh, empty store; `again` opens another one on the same objects. */
  open(): Promise<{ store: Store; again: () => Store; end: () => Promise<void> }>;
}

const s3 = inject('s3');
const bucket = `contract-${randomUUID()}`;
let bucketMade: Promise<unknown> | undefined;

/** The environment and a bucket of the S3 test server; throws when there is none. */
export async function s3Bucket() {
  if (s3 === null) throw new Error('no S3 test server');
  const client = createS3Client(s3);
  bucketMade ??= client.send(new CreateBucketCommand({ Bucket: bucket }));
  await bucketMade;
  return { env: s3, bucket, client };
}

export const STORES: readonly StoreKind[] = [
  {
    name: 'memory',
    available: true,
    async open() {
      const store = createMemoryStore();
      return { store, again: () => store, end: async () => {} };
    },
  },
  {
    name: 'folder',
    available: true,
    async open() {
      const folder = await mkdtemp(join(tmpdir(), 'tablevault-store-'));
      const again = () => createFolderStore(join(folder, 'vault'));
      return { store: again(), again, end: () => rm(folder, { recursive: true }) };
    },
  },
  {
    name: 's3',
    available: s3 !== null,
    async open() {
      const { env } = await s3Bucket();
      const address = { bucket, prefix: `${randomUUID()}/`, env };
      const again = () => createS3Store({ ...address, singlePutMaxBytes: 6 << 20, pieceBytes: 5 << 20 });
      const store = again();
      return { store, again, end: () => store.close() };
    },
  },
];
