/** Uploads of files to S3, in pieces where they are large. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { sha256Hex } from '../core/digest.ts';
import { checkEncrypted, type S3Encryption } from './s3-encryption.ts';
import { changedFile, type S3Place } from './s3-faults.ts';

/** Above this an object is sent in pieces. S3 takes 5 GB in one put; smaller puts are cheaper to repeat. */
export const SINGLE_PUT_MAX_BYTES = 128 * 1024 * 1024;
const PIECE_BYTES = 32 * 1024 * 1024;
const MAX_PIECES = 10_000;
/** Files up to this size are read into memory for their put. */
const IN_MEMORY_BYTES = 8 * 1024 * 1024;

export interface UploadTarget {
  readonly client: S3Client;
  readonly bucket: string;
  /** With the store's prefix. */
  readonly key: string;
  readonly place: S3Place;
  readonly signal?: AbortSignal | undefined;
  readonly encryption?: S3Encryption | undefined;
  /** Did the server refuse the header with the checksum, which says again what the signed payload hash says? */
  readonly checksums: { refused: boolean };
}

/** One conditional PUT; the signed payload hash lets the server check the bytes. */
export async function putBytes(
  target: UploadTarget,
  bytes: Uint8Array,
  sha256: string,
  createOnly: boolean,
): Promise<void> {
  await sendPut(target, bytes, bytes.byteLength, sha256, createOnly);
}

/** As `putBytes`, of a local file that fits into one put. */
export async function putSmallFile(target: UploadTarget, path: string, bytes: number, sha256: string): Promise<void> {
  if ((await stat(path)).size !== bytes) throw changedFile(target.place);
  if (bytes <= IN_MEMORY_BYTES) {
    const content = await readFile(path, { signal: target.signal });
    if (content.byteLength !== bytes || sha256Hex(content) !== sha256) throw changedFile(target.place);
    await sendPut(target, content, bytes, sha256, true);
    return;
  }
  const stream = createReadStream(path);
  try {
    await sendPut(target, stream, bytes, sha256, true);
  } catch (error) {
    if (error instanceof Error && error.name === 'XAmzContentSHA256Mismatch') throw changedFile(target.place);
    throw error;
  } finally {
    stream.destroy();
  }
}

/** What a server answers that does not know a header; also with what else it does not take. */
const REFUSALS = new Set([400, 501]);

async function sendPut(
  target: UploadTarget,
  body: Uint8Array | ReturnType<typeof createReadStream>,
  bytes: number,
  sha256: string,
  createOnly: boolean,
): Promise<void> {
  const { checksums } = target;
  try {
    await sendOnce(target, body, bytes, sha256, createOnly);
  } catch (error) {
    // A body that streams is sent once: an object in memory, such as that of the first probe, finds it out.
    if (checksums.refused || !(body instanceof Uint8Array) || !isRefusal(error)) throw error;
    await sendOnce({ ...target, checksums: { refused: true } }, body, bytes, sha256, createOnly);
    checksums.refused = true;
  }
}

function isRefusal(error: unknown): boolean {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  const isOfAnother = name !== undefined && ABOUT_OTHERS.has(name);
  return REFUSALS.has($metadata?.httpStatusCode ?? 0) && !isOfAnother;
}

/** Answers with such a status that are not about a header. */
const ABOUT_OTHERS = new Set([
  'BadDigest',
  'ExpiredToken',
  'IncompleteBody',
  'InvalidDigest',
  'RequestTimeout',
  'TokenRefreshRequired',
  'XAmzContentSHA256Mismatch',
]);

async function sendOnce(
  { client, bucket, key, place, signal, encryption, checksums }: UploadTarget,
  body: Uint8Array | ReturnType<typeof createReadStream>,
  bytes: number,
  sha256: string,
  createOnly: boolean,
): Promise<void> {
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: body,
    ContentLength: bytes,
    ...(checksums.refused ? {} : { ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') }),
    ...encryption,
    ...(createOnly ? { IfNoneMatch: '*' } : {}),
  });
  command.middlewareStack.add(payloadHash(sha256), { step: 'build', name: 'tablevaultPayloadHash' });
  const reply = await client.send(command, signal === undefined ? {} : { abortSignal: signal });
  checkEncrypted(encryption, reply.ServerSideEncryption, place);
}

/** Signs the hash that is known already, instead of hashing again (or, for streams, not at all). */
function payloadHash(sha256: string) {
  return <Input extends object, Output>(next: (args: Input) => Promise<Output>) =>
    (args: Input): Promise<Output> => {
      if ('request' in args) {
        const { headers } = args.request as { headers: Record<string, string> };
        headers['x-amz-content-sha256'] = sha256;
      }
      return next(args);
    };
}

/**
 * A large file in pieces, cleaned up when it fails. The last step is conditional where the server honours that; the caller has
 * looked before whether the object exists, and a part's key holds its hash, so that even two winners store the same bytes.
 */
export async function putLargeFile(
  target: UploadTarget,
  path: string,
  bytes: number,
  sha256: string,
  send: <T>(step: () => Promise<T>) => Promise<T>,
  pieceBytes = PIECE_BYTES,
): Promise<void> {
  const { client, bucket, key, place, signal, encryption } = target;
  const call = signal === undefined ? {} : { abortSignal: signal };
  const where = { Bucket: bucket, Key: key };
  const begin = new CreateMultipartUploadCommand({ ...where, ...encryption });
  const { UploadId, ServerSideEncryption } = await send(() => client.send(begin, call));
  try {
    checkEncrypted(encryption, ServerSideEncryption, place);
    const size = Math.max(pieceBytes, Math.ceil(bytes / MAX_PIECES));
    const pieces: { PartNumber: number; ETag: string | undefined }[] = [];
    const whole = createHash('sha256');
    const file = await open(path, 'r');
    try {
      if ((await file.stat()).size !== bytes) throw changedFile(place);
      for (let start = 0; start < bytes; start += size) {
        signal?.throwIfAborted();
        const piece = Buffer.alloc(Math.min(size, bytes - start));
        const { bytesRead } = await file.read(piece, 0, piece.byteLength, start);
        if (bytesRead !== piece.byteLength) throw changedFile(place);
        whole.update(piece);
        const PartNumber = pieces.length + 1;
        const upload = new UploadPartCommand({ ...where, UploadId, PartNumber, Body: piece });
        const { ETag } = await send(() => client.send(upload, call));
        pieces.push({ PartNumber, ETag });
      }
    } finally {
      await file.close();
    }
    if (whole.digest('hex') !== sha256) throw changedFile(place);
    const complete = new CompleteMultipartUploadCommand({
      ...where,
      UploadId,
      MultipartUpload: { Parts: pieces },
      IfNoneMatch: '*',
    });
    // Sent again with the same pieces, it does the same or finds them gone: then whoever stores looks for the object.
    await send(() => client.send(complete, call));
  } catch (error) {
    // Not with the signal: the clean-up is wanted above all after an interrupt.
    await client.send(new AbortMultipartUploadCommand({ ...where, UploadId })).catch(() => undefined);
    throw error;
  }
}
