/** Strings with escapes, for readers that know none. */

const BACKSLASH = 0x5c;

/**
 * The JSON string from its opening quotation mark at `start` to `end` with the characters that its escapes stand for, between quotation
 * marks, and `padding` zeros behind it. Undefined when it has no escape, or a character beyond ASCII: no date, number or base64 has one.
 *
 * @param end after the closing quotation mark; the string is known to be valid JSON
 */
export function withoutEscapes(buf: Uint8Array, start: number, end: number, padding: number): Uint8Array | undefined {
  const raw = buf.subarray(start, end);
  if (!raw.includes(BACKSLASH)) return undefined;
  for (const byte of raw) if (byte >= 0x80) return undefined;
  const text = JSON.parse(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1')) as string;
  const plain = new Uint8Array(text.length + 2 + padding);
  plain[0] = 0x22;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return undefined;
    plain[i + 1] = code;
  }
  plain[text.length + 1] = 0x22;
  return plain;
}
