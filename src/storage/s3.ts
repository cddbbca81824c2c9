import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import type { Environment } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import { sha256Hex } from '../core/digest.ts';
import { duration } from '../core/duration.ts';
import { hasCode, isRetryable } from '../core/errors.ts';
import { DEFAULT_RETRIES, pauseMs, type RetryPolicy, withRetries } from '../core/retry.ts';
import { count, plural } from '../core/words.ts';
import { corrupt, objectExists } from './faults.ts';
import { checkedKey, checkedPrefix } from './key.ts';
import { createS3Client, type S3Address } from './s3-client.ts';
import { parseEncryption } from './s3-encryption.ts';
import { endedEarly, s3Fault, ThrottledFault } from './s3-faults.ts';
import { putBytes, putLargeFile, putSmallFile, SINGLE_PUT_MAX_BYTES } from './s3-upload.ts';
import type { CallOptions, FileFacts, ListedObject, ObjectFacts, PutOptions, Store } from './store.ts';
import { DEFAULT_MAX_GET_BYTES } from './store.ts';

export { checkRegion, parseS3Uri } from './s3-client.ts';

export interface S3StoreOptions extends S3Address {
  readonly env: Environment;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly retries?: RetryPolicy;
  /** How long a store that asks to slow down is waited for, milliseconds. Default five minutes. */
  readonly patienceMs?: number;
  /** Told once when the store asks to slow down. */
  readonly onThrottled?: ((message: string) => void) | undefined;
  /** Bytes up to which an object is one PUT. Default 128 MiB. */
  readonly singlePutMaxBytes?: number;
  /** Bytes of a piece beyond. Default 32 MiB, at least 5 MiB. */
  readonly pieceBytes?: number;
}

const PATIENCE_MS = 300_000;
/** Between tries of a store that asks to slow down, unless it says for how long. */
const THROTTLED_PAUSES = { firstPauseMs: 1_000, lastPauseMs: 20_000 };
const NO_RETRIES: RetryPolicy = { attempts: 1, firstPauseMs: 0, lastPauseMs: 0 };

/** A bucket's prefix as a store. Creating is a PUT with `If-None-Match: *`; answers are retried only where that cannot do harm. */
export function createS3Store(options: S3StoreOptions): Store {
  const { bucket, prefix } = options;
  const encryption = parseEncryption(options.env);
  const client = createS3Client(options.env);
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const retries = options.retries ?? DEFAULT_RETRIES;
  const uri = `s3://${bucket}/${prefix}`.replace(/\/$/, '');
  const place = (object: string) => ({ store: uri, bucket, object });
  const where = (key: string) => ({ Bucket: bucket, Key: prefix + checkedKey(key) });
  const abortable = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal });
  let serverDate: string | undefined;
  let throttled = false;
  noteServerDate(client, (date) => {
    serverDate = date;
  });

  /** One step with its faults mapped, retried by `policy`. */
  function ask<T>(
    doing: string,
    key: string,
    signal: AbortSignal | undefined,
    step: () => Promise<T>,
    policy = retries,
  ): Promise<T> {
    const until = clock.now() + (policy.attempts > 1 ? (options.patienceMs ?? PATIENCE_MS) : 0);
    return withRetries(policy, { clock, random, signal }, async () => {
      for (let n = 1; ; n++) {
        try {
          return await step();
        } catch (error) {
          const fault = s3Fault(error, doing, place(key), signal);
          // What is asked for politely is no failed try.
          if (!(fault instanceof ThrottledFault) || clock.now() >= until) throw fault;
          if (!throttled)
            options.onThrottled?.(
              `${uri} asks to slow down: each request waits for it, ${duration(until - clock.now())} at most`,
            );
          throttled = true;
          await clock.sleep(Math.max(fault.retryAfterMs, pauseMs(THROTTLED_PAUSES, n, random())), signal);
        }
      }
    });
  }

  const checksums = { refused: false };
  const target = (key: string, signal: AbortSignal | undefined) => ({
    client,
    checksums,
    bucket,
    key: prefix + checkedKey(key),
    place: place(key),
    signal,
    encryption,
  });

  async function head(key: string, call: CallOptions = {}): Promise<ObjectFacts | undefined> {
    try {
      const command = new HeadObjectCommand(where(key));
      const found = await ask('looking at', key, call.signal, () => client.send(command, abortable(call.signal)));
      if (found.ContentLength === undefined) throw corrupt(place(key), 'the store does not tell its size');
      return { bytes: found.ContentLength, modifiedMs: found.LastModified?.getTime() ?? 0 };
    } catch (error) {
      if (hasCode(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  /** The object's bytes, continued where a connection breaks, as long as it is the same object. */
  async function* read(key: string, call: CallOptions, maxBytes?: number) {
    let at = 0;
    let stop: number | undefined;
    let tag: string | undefined;
    for (let failures = 0; ; ) {
      const range = at === 0 || stop === undefined ? {} : { Range: `bytes=${at}-${stop - 1}` };
      const command = new GetObjectCommand({ ...where(key), ...range });
      const before = at;
      const reply = await ask('reading', key, call.signal, () => client.send(command, abortable(call.signal)));
      const length = reply.ContentLength;
      if (length === undefined || reply.Body === undefined)
        throw corrupt(place(key), 'the store does not tell its size');
      stop ??= at + length;
      const body = reply.Body as AsyncIterable<Uint8Array> & { destroy?: () => void };
      try {
        if (tag !== undefined && reply.ETag !== tag) throw corrupt(place(key), 'it was replaced while it was read');
        if (at + length !== stop)
          throw corrupt(place(key), `ends at byte ${count(at + length)}, not at byte ${count(stop)}`);
        if (maxBytes !== undefined && stop > maxBytes)
          throw corrupt(place(key), `larger than the ${plural(maxBytes, 'byte')} it may have`);
        tag = reply.ETag;
        for await (const chunk of body) {
          at += chunk.byteLength;
          if (at > stop) throw corrupt(place(key), 'more bytes came than were announced');
          yield chunk;
        }
        if (at < stop) throw endedEarly(place(key), at, stop);
        return;
      } catch (error) {
        const fault = s3Fault(error, 'reading', place(key), call.signal);
        failures = at > before ? 1 : failures + 1;
        if (!isRetryable(fault) || failures >= retries.attempts) throw fault;
        await clock.sleep(retries.firstPauseMs, call.signal);
      } finally {
        body.destroy?.();
      }
      if (at === stop) return;
    }
  }

  async function* pages(doing: string, listed: string, delimiter: string | undefined, call: CallOptions) {
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix + checkedPrefix(listed),
        EncodingType: 'url',
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page: ListObjectsV2CommandOutput = await ask(doing, listed === '' ? '/' : listed, call.signal, () =>
        client.send(command, abortable(call.signal)),
      );
      yield page;
      const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (page.IsTruncated === true && (next === undefined || next === token)) {
        throw corrupt(place(listed), 'the store breaks its listing off without saying where to go on');
      }
      token = next;
    } while (token !== undefined);
  }

  /** A key as it is listed; not every server encodes it, though all are asked to. */
  const decoded = (key: string | undefined, { EncodingType }: ListObjectsV2CommandOutput): string => {
    if (EncodingType !== 'url') return (key ?? '').slice(prefix.length);
    try {
      return decodeURIComponent((key ?? '').replaceAll('+', ' ')).slice(prefix.length);
    } catch {
      throw corrupt(place(key ?? ''), 'the store lists it encoded in a way that cannot be read');
    }
  };

  return {
    uri,
    async putNew(key: string, bytes: Uint8Array, put: PutOptions = {}) {
      const sha256 = put.sha256 ?? sha256Hex(bytes);
      const policy = put.retries === false ? NO_RETRIES : retries;
      await ask('storing', key, put.signal, () => putBytes(target(key, put.signal), bytes, sha256, true), policy);
    },
    async putNewFile(key: string, localPath: string, file: FileFacts) {
      const policy = file.retries === false ? NO_RETRIES : retries;
      const to = target(key, file.signal);
      if (file.bytes <= (options.singlePutMaxBytes ?? SINGLE_PUT_MAX_BYTES)) {
        await ask('storing', key, file.signal, () => putSmallFile(to, localPath, file.bytes, file.sha256), policy);
        return;
      }
      if ((await head(key, file)) !== undefined) throw objectExists(place(key));
      const send = <T>(step: () => Promise<T>) => ask('storing', key, file.signal, step, policy);
      try {
        await putLargeFile(to, localPath, file.bytes, file.sha256, send, options.pieceBytes);
      } catch (error) {
        const fault = s3Fault(error, 'storing', place(key), file.signal);
        // The last answer may be lost and the object there.
        const unclear = hasCode(fault, 'DESTINATION_UNREACHABLE');
        if (unclear && (await head(key, file)) !== undefined) throw objectExists(place(key), fault);
        throw fault;
      }
    },
    async replace(key: string, bytes: Uint8Array, call: CallOptions = {}) {
      await ask('replacing', key, call.signal, () =>
        putBytes(target(key, call.signal), bytes, sha256Hex(bytes), false),
      );
    },
    async get(key, get = {}) {
      const limit = get.maxBytes ?? DEFAULT_MAX_GET_BYTES;
      return collect(read(key, get, limit));
    },
    stream: (key, call = {}) => read(key, call),
    head,
    async *list(listed, call = {}): AsyncGenerator<ListedObject> {
      for await (const page of pages('listing', listed, undefined, call)) {
        for (const object of page.Contents ?? []) {
          const key = decoded(object.Key, page);
          // Consoles make empty objects of this kind to show folders.
          if (key === '' || key.endsWith('/')) continue;
          yield { key, bytes: object.Size ?? 0, modifiedMs: object.LastModified?.getTime() ?? 0 };
        }
      }
    },
    async *folders(listed, call = {}): AsyncGenerator<string> {
      for await (const page of pages('listing', listed, '/', call)) {
        for (const folder of page.CommonPrefixes ?? []) yield decoded(folder.Prefix, page).slice(listed.length, -1);
      }
    },
    async remove(key, call = {}) {
      const command = new DeleteObjectCommand(where(key));
      await ask('removing', key, call.signal, () => client.send(command, abortable(call.signal)));
    },
    async serverNowMs(call = {}) {
      serverDate = undefined;
      await head('vault.json', call);
      const now = Date.parse(serverDate ?? '');
      if (Number.isNaN(now)) throw corrupt(place('vault.json'), 'the store does not tell its time (header Date)');
      return now;
    },
    async close() {
      client.destroy();
    },
  };
}

/** Tells the `Date` header of every answer, also of those that the SDK turns into errors. */
function noteServerDate(client: ReturnType<typeof createS3Client>, note: (date: string) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = (result.response ?? {}) as { headers?: Record<string, string> };
      const date = headers?.['date'];
      if (date !== undefined) note(date);
      return result;
    },
    // Below the SDK's own deserializer, which throws.
    { step: 'deserialize', priority: 'low', name: 'tablevaultServerDate' },
  );
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return new Uint8Array(Buffer.concat(all));
}
