/**
 * A response body as it is pulled: decompressed in the stream, bytes counted on the wire, every kind of early end an error.
 */
import { pipeline, type Readable } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip } from 'node:zlib';
import { TablevaultError } from '../core/errors.ts';
import { count, plural } from '../core/words.ts';
import { askedFor, bodyError, placeOf, type RequestPlace } from './errors.ts';

export interface BodyOptions {
  readonly place: RequestPlace;
  /** Value of `content-encoding`. */
  readonly encoding: string | undefined;
  /** Decompressed bytes per byte on the wire at most; checked past the first 16 MiB. */
  readonly maxRatio: number;
  /** The whole body must be here within this time, ms; a byte now and then does not prolong it. Default: no end, for rows. */
  readonly withinMs?: number;
  /** Its reason is what the reader sees when it aborts. */
  readonly signal: AbortSignal;
  readonly onWireBytes: (bytes: number) => void;
  /** Called once, when the body is drained, has failed, or was given up. */
  readonly onEnd: () => void;
}

/** An iterator rather than a generator, so that chunks can be put back without another promise for each. */
export interface Chunks extends AsyncIterable<Uint8Array> {
  next(): Promise<IteratorResult<Uint8Array, void>>;
  return(): Promise<IteratorResult<Uint8Array, void>>;
}

export interface Body {
  readonly chunks: Chunks;
  /** Gives the body up: its connection is closed. */
  cancel(): void;
  /** As `cancel`, and whoever reads it gets this error. */
  fail(error: TablevaultError): void;
}

const CHUNK = 128 * 1024;
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

/** @throws INSTANCE_ANSWER for an encoding that was not asked for */
export function openBody(raw: Readable, options: BodyOptions): Body {
  const { place, maxRatio, onWireBytes, onEnd } = options;
  // Every failure is seen by the reader of the chunks; a body that is given up may fail unseen.
  raw.on('error', () => undefined);
  let wire = 0;
  let cancelled = false;
  let ended = false;
  const fail = (error: TablevaultError) => {
    if (!ended) raw.destroy(error);
  };
  const { withinMs = Number.POSITIVE_INFINITY } = options;
  const timer = timerOf(withinMs, () => fail(tooSlow(place, withinMs, wire)));
  const end = () => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    onEnd();
  };
  const count = (bytes: number) => {
    wire += bytes;
    onWireBytes(bytes);
  };
  const decoder = decoderFor(options.encoding, place);
  // Pulled, not listened to: under a slow reader a 'data' listener beside a pipe makes node buffer and copy without bound. The callback
  // is required; the reader of the decoder sees the same error.
  const source: Readable = decoder === undefined ? raw : pipeline(counted(raw, count), decoder, () => undefined);

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    let out = 0;
    let drained = false;
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        out += chunk.length;
        if (decoder === undefined) count(chunk.length);
        else if (out > RATIO_FREE_BYTES && out > wire * maxRatio) throw bomb(place, out, wire);
        yield chunk;
      }
      drained = true;
    } catch (thrown) {
      if (options.signal.aborted) throw options.signal.reason;
      if (cancelled) throw new TablevaultError('INTERRUPTED', `the reading of ${askedFor(place)} was given up`);
      throw bodyError(thrown, place, wire);
    } finally {
      // A drained connection is kept for the next request.
      if (!drained) raw.destroy();
      end();
    }
    if (cancelled) throw new TablevaultError('INTERRUPTED', `the reading of ${askedFor(place)} was given up`);
  }

  const generator = read();
  const chunks: Chunks = {
    next: () => generator.next(),
    return: () => generator.return(),
    [Symbol.asyncIterator]: () => chunks,
  };
  return {
    chunks,
    cancel() {
      if (ended) return;
      cancelled = true;
      raw.destroy();
      end();
    },
    fail,
  };
}

/** A timer that keeps no process alive; none for a time without end. */
export function timerOf(ms: number, onTime: () => void): NodeJS.Timeout | undefined {
  return Number.isFinite(ms) ? setTimeout(onTime, ms).unref() : undefined;
}

function tooSlow(place: RequestPlace, ms: number, wire: number): TablevaultError {
  return new TablevaultError(
    'INSTANCE_ANSWER',
    `the answer to ${askedFor(place)} is not complete after ${Math.round(ms / 1000)} s (${plural(wire, 'byte')} came)`,
    {
      at: placeOf(place),
      hint: 'The instance or a proxy before it hands it out far too slowly: check network and load of the instance, then run again.',
    },
  );
}

async function* counted(raw: Readable, count: (bytes: number) => void): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of raw as AsyncIterable<Buffer>) {
    count(chunk.length);
    yield chunk;
  }
}

function decoderFor(encoding: string | undefined, place: RequestPlace) {
  switch (encoding?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return createGunzip({ chunkSize: CHUNK });
    case 'br':
      return createBrotliDecompress({
        chunkSize: CHUNK,
        // Windows past 16 MiB are an extension that nobody needs and that costs as much memory.
        params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 },
      });
    default:
      throw new TablevaultError(
        'INSTANCE_ANSWER',
        `the instance compresses ${askedFor(place)} in a way that was not asked for`,
        {
          at: { ...placeOf(place), encoding: (encoding ?? '').slice(0, 40) },
          hint: 'Only gzip and br are asked for: a proxy between here and the instance may be at fault.',
        },
      );
  }
}

function bomb(place: RequestPlace, out: number, wire: number): TablevaultError {
  return new TablevaultError(
    'BODY_INVALID',
    `the answer to ${askedFor(place)} grows ${count(Math.round(out / wire))} times when decompressed`,
    {
      at: { ...placeOf(place), wireBytes: wire, bytes: out },
      hint: 'No table compresses that well: this is a broken or hostile answer.',
    },
  );
}

/** All of a body, at most `maxBytes`. @throws BODY_INVALID past them */
export async function readAll(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  place: RequestPlace,
): Promise<Uint8Array> {
  const taken: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new TablevaultError(
        'BODY_INVALID',
        `the answer to ${askedFor(place)} is larger than ${plural(maxBytes, 'byte')}`,
        {
          at: placeOf(place),
          hint: 'Check the address in the pipeline: this does not look like the Table API.',
        },
      );
    }
    taken.push(chunk);
  }
  return Buffer.concat(taken, bytes);
}

/** The beginning of a body, at most `maxBytes`, as text; the rest is given up. What cannot be read is left out: it is an error's body. */
export async function readHead(body: Body, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body.chunks) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= maxBytes) break;
    }
  } catch (thrown) {
    if (!(thrown instanceof TablevaultError)) throw thrown;
  }
  return Buffer.concat(chunks, bytes).subarray(0, maxBytes).toString('utf8');
}
