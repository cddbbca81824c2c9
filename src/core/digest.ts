/** SHA-256 of bytes, streams and files. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Lower-case hexadecimal SHA-256. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Size and SHA-256 of a stream, in flat memory. `onChunk` sees every chunk after it was counted. */
export async function digestStream(
  chunks: AsyncIterable<Uint8Array>,
  onChunk?: (chunk: Uint8Array) => Promise<void>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    if (onChunk !== undefined) await onChunk(chunk);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Size and SHA-256 of a local file. @throws Node's own error */
export function digestFile(path: string): Promise<{ bytes: number; sha256: string }> {
  return digestStream(createReadStream(path, { highWaterMark: 1024 * 1024 }));
}
