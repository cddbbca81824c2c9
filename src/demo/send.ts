/** Sends a body: codings, odd chunk sizes, bandwidth, faults within it, and the end of a session while it streams. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { constants, createBrotliCompress, createGzip } from 'node:zlib';
import type { Clock } from '../core/clock.ts';
import type { RequestRecord } from './witness.ts';

export interface BodyOptions {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly coding: 'gzip' | 'br' | null;
  readonly chunkBytes: number;
  readonly bytesPerSecond: number | null;
  readonly fault: { readonly action: 'cut' | 'cut-clean' | 'hang-in-body'; readonly afterBytes: number } | null;
  /** Asked before each chunk: must the connection be cut now? */
  readonly mustStop: () => boolean;
  readonly clock: Clock;
  readonly record: RequestRecord;
  readonly signal: AbortSignal;
}

/** Sends chunks as they come, as fast as the reader takes them. Resolves when the answer is out or the connection is gone. */
export async function sendBody(
  response: ServerResponse,
  chunks: Iterable<Buffer>,
  options: BodyOptions,
): Promise<void> {
  const { record, signal } = options;
  response.writeHead(options.status, {
    ...options.headers,
    ...(options.coding === null ? {} : { 'content-encoding': options.coding }),
  });
  record.status = options.status;
  const source: Iterable<Buffer> | AsyncIterable<Buffer> =
    options.coding === null ? chunks : compressed(chunks, options.coding);
  let left = options.fault === null ? Number.POSITIVE_INFINITY : options.fault.afterBytes;
  /** With a fault in the body one chunk is kept back, so that a short body is cut too. */
  let kept: Buffer | null = null;
  for await (const chunk of sliced(source, options)) {
    if (signal.aborted) return;
    if (options.mustStop()) {
      response.destroy();
      return;
    }
    if (options.fault === null) {
      await write(response, chunk, options);
      continue;
    }
    if (kept !== null) {
      const part: Buffer = kept.subarray(0, left);
      await write(response, part, options);
      left -= part.length;
      if (left <= 0) break;
    }
    kept = chunk;
  }
  if (signal.aborted) return;
  if (options.fault === null) {
    response.end();
    record.complete = true;
    await finished(response);
    return;
  }
  if (kept !== null && left > 0)
    await write(response, kept.subarray(0, Math.min(left, Math.max(0, kept.length - 2))), options);
  await endByFault(response, options.fault.action, signal);
}

async function endByFault(
  response: ServerResponse,
  action: 'cut' | 'cut-clean' | 'hang-in-body',
  signal: AbortSignal,
): Promise<void> {
  switch (action) {
    case 'cut':
      // What was written goes out first: a reset at once could take it back.
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.destroy();
      return;
    case 'cut-clean':
      response.end();
      await finished(response);
      return;
    case 'hang-in-body':
      if (!signal.aborted) await once(signal, 'abort');
  }
}

/** Waits until an ended response is flushed or its connection is gone. */
async function finished(response: ServerResponse): Promise<void> {
  if (response.writableFinished || response.destroyed) return;
  await settled(response, 'finish');
}

/** Resolves at the event or when the connection closes, and leaves no listener behind. */
function settled(response: ServerResponse, event: 'drain' | 'finish'): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off(event, done);
      response.off('close', done);
      resolve();
    };
    response.on(event, done);
    response.on('close', done);
  });
}

async function write(response: ServerResponse, chunk: Buffer, options: BodyOptions): Promise<void> {
  if (chunk.length === 0 || response.destroyed) return;
  options.record.bytes += chunk.length;
  const room = response.write(chunk);
  if (options.bytesPerSecond !== null) {
    await options.clock.sleep((chunk.length / options.bytesPerSecond) * 1000, options.signal).catch(() => undefined);
  }
  if (!room && !options.signal.aborted && response.writableNeedDrain) {
    await settled(response, 'drain');
  }
}

async function* compressed(chunks: Iterable<Buffer>, coding: 'gzip' | 'br'): AsyncGenerator<Buffer> {
  const coder =
    coding === 'gzip'
      ? createGzip({ level: 1 })
      : createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
  const source = Readable.from(chunks, { objectMode: true });
  source.on('error', (error) => coder.destroy(error));
  yield* source.pipe(coder) as AsyncIterable<Buffer>;
}

/** Chunks cut to the size asked for, or small enough for an even bandwidth. */
async function* sliced(source: Iterable<Buffer> | AsyncIterable<Buffer>, options: BodyOptions): AsyncGenerator<Buffer> {
  const even =
    options.bytesPerSecond === null
      ? Number.POSITIVE_INFINITY
      : Math.max(1024, Math.floor(options.bytesPerSecond / 50));
  const size = Math.min(options.chunkBytes > 0 ? options.chunkBytes : Number.POSITIVE_INFINITY, even);
  for await (const chunk of source) {
    if (chunk.length <= size) yield chunk;
    else for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size);
  }
}

/** The first coding of ours that the request accepts. */
export function chooseCoding(header: string | undefined, offered: readonly ('gzip' | 'br')[]): 'gzip' | 'br' | null {
  const accepted = (header ?? '').split(',').flatMap((part) => {
    const [name = '', ...parameters] = part.trim().toLowerCase().split(';');
    return parameters.some((text) => /^\s*q=0(\.0*)?\s*$/.test(text)) ? [] : [name.trim()];
  });
  return offered.find((coding) => accepted.includes(coding)) ?? null;
}
