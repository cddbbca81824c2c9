/** Ed25519 keys (RFC 8032), as people keep them in files and variables. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/** A private key as PEM, or PKCS #8 as base64 on one line; undefined when it is none for Ed25519. */
export function parsePrivateKey(text: string): KeyObject | undefined {
  return ed25519(() =>
    text.includes('-----BEGIN')
      ? createPrivateKey(text)
      : createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' }),
  );
}

const PEM_BLOCK = /-----BEGIN [^-]+-----[^-]*-----END [^-]+-----/g;

/**
 * The public keys of a PEM file, one or several; undefined when there is none, or one is not for Ed25519. A private key is refused: it has no
 * business where one verifies.
 */
export function parsePublicKeys(text: string): readonly KeyObject[] | undefined {
  if (text.includes('PRIVATE KEY')) return undefined;
  // A block that does not end, or begins in another, is not left out in silence.
  const blocks = text.match(PEM_BLOCK) ?? [];
  if (blocks.length === 0 || blocks.length !== text.split('-----BEGIN').length - 1) return undefined;
  const keys = blocks.map((block) => ed25519(() => createPublicKey(block)));
  return keys.every((key) => key !== undefined) ? keys : undefined;
}

function ed25519(parse: () => KeyObject): KeyObject | undefined {
  try {
    const key = parse();
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Names a key: the first 16 hexadecimal digits of the SHA-256 of its public half (SPKI, DER). */
export function keyId(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(half.export({ format: 'der', type: 'spki' }))
    .digest('hex')
    .slice(0, 16);
}
