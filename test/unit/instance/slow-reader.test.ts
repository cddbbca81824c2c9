import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { request } from 'undici';
import { expect, it } from 'vitest';
import { openBody } from '../../../src/instance/body.ts';

const CHUNKS = 480;

/** 30 MB that compress to a third, made anew for each request. */
function* bytes(): Generator<Buffer> {
  let seed = 1;
  for (let n = 0; n < CHUNKS; n++) {
    const chunk = Buffer.alloc(64 * 1024, 'a row like the others, with some digits in it; ');
    for (let at = 0; at < chunk.length; at += 7) {
      seed = (seed * 48_271) % 2_147_483_647;
      chunk[at] = seed & 255;
    }
    yield chunk;
  }
}

it('a reader that is slower than the network holds a compressed body up, and memory stays as it is', async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    Readable.from(bytes())
      .pipe(createGzip({ level: 1 }))
      .pipe(response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    const { port } = server.address() as AddressInfo;
    const { body, headers } = await request(`http://127.0.0.1:${port}`, { highWaterMark: 256 * 1024 });
    const opened = openBody(body, {
      place: { url: 'http://127.0.0.1/', purpose: 'rows' },
      encoding: String(headers['content-encoding']),
      maxRatio: 500,
      signal: new AbortController().signal,
      onWireBytes: () => undefined,
      onEnd: () => undefined,
    });
    let read = 0;
    let buffers = 0;
    const before = process.memoryUsage().arrayBuffers;
    for await (const chunk of opened.chunks) {
      read += chunk.length;
      buffers = Math.max(buffers, process.memoryUsage().arrayBuffers);
      await new Promise((later) => setTimeout(later, 1));
    }
    expect(read).toBe(CHUNKS * 64 * 1024);
    // What is under way between network and reader; it was four times as much, and grew with the body, when the pipe was listened to.
    expect(buffers - before).toBeLessThan(64_000_000);
  } finally {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});
