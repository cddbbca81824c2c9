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

/** A public key as PEM; undefined when it is none for Ed25519. A private key is refused: it has no business where one verifies. */
export function parsePublicKey(text: string): KeyObject | undefined {
  return text.includes('PRIVATE KEY') ? undefined : ed25519(() => createPublicKey(text));
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
